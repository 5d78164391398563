// FLOPs and bytes of nodes, against numbers worked out by hand.
#include "core/nn/cost.h"

#include <gtest/gtest.h>

#include "core/nn/passes/fuse.h"

namespace lynceus::nn {
namespace {

ValueType floats(Shape shape) { return {std::move(shape), Type::f32}; }

// Of a node with inputs a, b, c ... of these types and one output.
Cost cost(const std::string& op, const std::vector<ValueType>& inputs, const ValueType& output,
          std::map<std::string, Attribute> attributes = {}) {
  Node node{op + "_0", op, {}, {"y"}, std::move(attributes)};
  std::vector<std::optional<Operand>> operands;
  for (size_t i = 0; i < inputs.size(); ++i) {
    node.inputs.emplace_back(1, static_cast<char>('a' + i));
    operands.push_back(Operand{inputs[i], nullptr});
  }
  return costOf(OpCall(node, 17, std::move(operands)), {output});
}

TEST(Cost, OfAConvolutionIsTwoForEachWeightAndOutput) {
  // 1x8x16x16x16 -> 1x32x16x16x16 with 3x3x3: 2 * 32 * 4096 outputs * (8 * 27) weights each.
  const Cost c =
      cost("Conv", {floats({1, 8, 16, 16, 16}), floats({32, 8, 3, 3, 3}), floats({32})}, floats({1, 32, 16, 16, 16}));
  EXPECT_EQ(c.flops, 2.0 * 32 * 4096 * 216);
  EXPECT_EQ(c.bytes, 4.0 * (8 * 4096 + 32 * 216 + 32 + 32 * 4096));
}

TEST(Cost, OfGroupsCountsTheChannelsOfOneGroup) {
  const Cost c = cost("Conv", {floats({2, 32, 8, 8, 8}), floats({32, 1, 3, 3, 3})}, floats({2, 32, 8, 8, 8}),
                      {{"group", int64_t{32}}});
  EXPECT_EQ(c.flops, 2.0 * 2 * 32 * 512 * 27);
}

TEST(Cost, OfAFusedConvolutionHasTheAdditionAndTheActivation) {
  const ValueType x = floats({1, 4, 2, 2, 2});
  const Cost c =
      cost("Conv", {x, floats({4, 4, 1, 1, 1}), floats({4}), x}, x, {{kFusedActivation, std::string("Relu")}});
  EXPECT_EQ(c.flops, 2.0 * 32 * 4 + 32 + 32);
  EXPECT_EQ(c.bytes, 4.0 * (32 + 16 + 4 + 32 + 32));
}

TEST(Cost, CountsBytesInTheTypesThatAreStored) {
  const Cost c = cost("Conv", {{{1, 8, 4, 4, 4}, Type::bf16}, {{8, 8, 1, 1, 1}, Type::bf16}, floats({8})},
                      {{1, 8, 4, 4, 4}, Type::bf16});
  EXPECT_EQ(c.bytes, 2.0 * (512 + 64 + 512) + 4 * 8);
  EXPECT_EQ(cost("QuantizeLinear", {floats({100}), floats({}), {{}, Type::i8}}, {{100}, Type::i8}).bytes,
            400.0 + 4 + 1 + 100);
}

TEST(Cost, OfAQuantizedConvolutionReadsItsWeightsAtInputThree) {
  const ValueType scale = floats({}), zero{{}, Type::u8};
  const Cost c =
      cost("QLinearConv", {{{1, 4, 8, 8}, Type::u8}, scale, zero, {{16, 4, 3, 3}, Type::i8}, scale, zero, scale, zero},
           {{1, 16, 8, 8}, Type::u8});
  EXPECT_EQ(c.flops, 2.0 * 16 * 64 * 36);
  EXPECT_EQ(c.bytes, 256.0 + 576 + 3 * 4 + 3 * 1 + 1024);
}

TEST(Cost, OfATransposedConvolutionIsTwoForEachWeightAndInput) {
  // 1x64x8x8x8 -> 1x32x16x16x16 with 2x2x2: each of the 64 * 512 inputs meets 32 * 8 weights.
  const Cost c =
      cost("ConvTranspose", {floats({1, 64, 8, 8, 8}), floats({64, 32, 2, 2, 2})}, floats({1, 32, 16, 16, 16}));
  EXPECT_EQ(c.flops, 2.0 * 64 * 512 * 32 * 8);
}

TEST(Cost, OfMatrixProductsIsTwiceRowsTimesColumnsTimesInner) {
  EXPECT_EQ(cost("MatMul", {floats({2, 12, 216, 64}), floats({2, 12, 64, 216})}, floats({2, 12, 216, 216})).flops,
            2.0 * 24 * 216 * 216 * 64);
  EXPECT_EQ(
      cost("Gemm", {floats({10, 3}), floats({10, 5}), floats({5})}, floats({3, 5}), {{"transA", int64_t{1}}}).flops,
      2.0 * 3 * 5 * 10);
}

TEST(Cost, OfEinsumIsTheProductOfItsLabels) {
  const auto einsum = [](const char* equation, const std::vector<ValueType>& inputs, Shape output) {
    return cost("Einsum", inputs, floats(std::move(output)), {{"equation", std::string(equation)}}).flops;
  };
  EXPECT_EQ(einsum("bhid, bhjd -> bhij", {floats({2, 3, 5, 7}), floats({2, 3, 11, 7})}, {2, 3, 5, 11}),
            2.0 * 2 * 3 * 5 * 11 * 7);
  EXPECT_EQ(einsum("...ij,...jk", {floats({2, 3, 5, 7}), floats({3, 7, 11})}, {2, 3, 5, 11}), 2.0 * 2 * 3 * 5 * 7 * 11);
  EXPECT_EQ(einsum("ij->ji", {floats({4, 6})}, {6, 4}), 0);
  EXPECT_EQ(einsum("ij->i", {floats({4, 6})}, {4}), 24);
  EXPECT_EQ(einsum("i,j->ij", {floats({4}), floats({6})}, {4, 6}), 24);
}

TEST(Cost, OfPoolingIsOneForEachPlaceOfTheWindow) {
  EXPECT_EQ(cost("MaxPool", {floats({1, 4, 8, 8, 8})}, floats({1, 4, 4, 4, 4}),
                 {{"kernel_shape", std::vector<int64_t>{3, 3, 3}}})
                .flops,
            4.0 * 64 * 27);
  EXPECT_EQ(cost("GlobalAveragePool", {floats({1, 4, 8, 8, 8})}, floats({1, 4, 1, 1, 1})).flops, 4.0 * 512);
  EXPECT_EQ(cost("ReduceMean", {floats({1, 4, 8, 8, 8})}, floats({1, 4, 1, 1, 1})).flops, 4.0 * 512);
}

TEST(Cost, OfNormalisationsAndElementwiseIsSomeForEachElement) {
  const ValueType x = floats({1, 4, 8, 8, 8});
  EXPECT_EQ(cost("InstanceNormalization", {x, floats({4}), floats({4})}, x).flops, 6.0 * 2048);
  EXPECT_EQ(cost("BatchNormalization", {x, floats({4}), floats({4}), floats({4}), floats({4})}, x).flops, 2.0 * 2048);
  EXPECT_EQ(cost("Softmax", {x}, x).flops, 5.0 * 2048);
  EXPECT_EQ(cost("Relu", {x}, x).flops, 2048.0);
  EXPECT_EQ(cost("Add", {floats({1, 4, 1, 1, 1}), x}, x).flops, 2048.0);
  EXPECT_EQ(cost("Add", {floats({1, 4, 1, 1, 1}), x}, x).bytes, 4.0 * (4 + 2048 + 2048));
  EXPECT_EQ(cost("Sum", {x, x, x}, x).flops, 2.0 * 2048);
}

TEST(Cost, OfAValueThatIsUsedTwiceReadsItOnce) {
  Node node{"square", "Mul", {"x", "x"}, {"y"}, {}};
  const Operand x{floats({10}), nullptr};
  EXPECT_EQ(costOf(OpCall(node, 17, {x, x}), {floats({10})}).bytes, 80.0);
}

TEST(Cost, OfInterpolationCountsTheCornersOfTheAxesThatChange) {
  const ValueType x = floats({1, 4, 8, 8, 8}), y = floats({1, 4, 16, 16, 16}), flat = floats({1, 4, 8, 16, 16});
  const Attribute linear = std::string("linear");
  EXPECT_EQ(cost("Resize", {x}, y, {{"mode", linear}}).flops, 2.0 * 8 * 4 * 4096);
  EXPECT_EQ(cost("Resize", {x}, flat, {{"mode", linear}}).flops, 2.0 * 4 * 4 * 2048);
  EXPECT_EQ(cost("Resize", {x}, x, {{"mode", linear}}).flops, 0);
  EXPECT_EQ(cost("Resize", {x}, y).flops, 0);
}

TEST(Cost, OfMovementIsBytesOnly) {
  const ValueType x = floats({1, 4, 8, 8, 8});
  for (const char* op : {"Concat", "lynceus.Reorder", "Cast", "Transpose", "Reshape", "Slice", "Pad"}) {
    const Cost c = cost(op, {x}, x);
    EXPECT_EQ(c.flops, 0) << op;
    EXPECT_EQ(c.bytes, 2.0 * 8192) << op;
  }
}

TEST(Cost, LeavesOutWhatIsAbsent) {
  Node node{"pool", "MaxPool", {"x"}, {"y", ""}, {{"kernel_shape", std::vector<int64_t>{2}}}};
  const OpCall call(node, 17, {Operand{floats({1, 1, 8}), nullptr}});
  EXPECT_EQ(costOf(call, {floats({1, 1, 7}), {}}).bytes, 4.0 * (8 + 7));
}

}  // namespace
}  // namespace lynceus::nn
