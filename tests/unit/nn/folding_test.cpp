// What compile() computes ahead: weights that a file stores narrower are always widened, whatever else it has computed.
#include <gmock/gmock.h>

#include "tests/unit/nn/run_model.h"

namespace lynceus::test {
namespace {

using Floats = std::vector<float>;

/// A sum of constants whose computation uses the budget of folding up, to within some 16^3 numbers.
std::string useUpTheBudget(OnnxBuilder& b) {
  std::string sum = b.constant({{}, Floats{0}});
  for (const int64_t size : {504, 504, 200, 160, 128, 100, 80, 64, 50, 40, 32, 25, 20, 16, 16}) {
    const std::string zeros = b.node("ConstantOfShape", {b.ints({size, size})});
    const std::string product = b.node("MatMul", {zeros, zeros});
    sum = b.node("Add", {sum, b.node("ReduceSum", {product}).integer("keepdims", 0).output()});
  }
  return sum;
}

nn::Tensor integers(const nn::Shape& shape) {
  nn::Tensor t = nn::Tensor::zeros(shape, nn::Type::i8);
  auto& values = std::get<std::vector<int8_t>>(t.data);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<int8_t>(i % 17);
  return t;
}

// The budget is 2^28 numbers: a network of 134 million weights and more, such as this file pretends to be.
TEST(Folding, WidensTheWeightsOfAFileThatIsLargerThanTheBudget) {
  OnnxBuilder b;
  const std::string x = b.input("x", {1, 16, 6, 6, 6}), nothing = useUpTheBudget(b);
  const std::string weights =
      b.node("DequantizeLinear", {b.constant(integers({16, 16, 3, 3, 3})), b.constant({{}, Floats{0.01F}})});
  const std::string bias = b.node("Cast", {b.constant(integers({16}))}).integer("to", OnnxBuilder::Proto::FLOAT);
  const std::string conv =
      b.node("Conv", {b.node("Add", {x, nothing}), weights, bias}).ints("pads", {1, 1, 1, 1, 1, 1});
  b.output(conv, 5);
  const nn::Tensor image = randomTensor({1, 16, 6, 6, 6}, 1);
  const auto ours = runModel(b, "cpu", {{"x", image}}), plain = runModel(b, "reference", {{"x", image}});
  ASSERT_TRUE(ours) << ours.error().message;
  ASSERT_TRUE(plain) << plain.error().message;
  // Sums of 432 products up to 0.16: 69 at most, some 20 roundings of 2^-24 of it as they add up at random.
  for (size_t i = 0; i < plain->front().floats().size(); ++i)
    ASSERT_NEAR(ours->front().floats()[i], plain->front().floats()[i], 1e-4);
}

// Each weight is widened for free once only: a file may not make the same bytes into work without end.
TEST(Folding, CountsFurtherConversionsOfTheSameWeights) {
  OnnxBuilder b;
  const std::string x = b.input("x", {1}), weights = b.constant(integers({1 << 20}));
  std::string sum = b.node("Add", {x, useUpTheBudget(b)});
  for (int i = 0; i < 3; ++i) {
    const std::string wide = b.node("Cast", {weights}).integer("to", OnnxBuilder::Proto::FLOAT);
    sum = b.node("Add", {sum, b.node("ReduceSum", {wide}).output()});
  }
  b.output(sum, 1);
  const auto executable = (*compute::openDevice("reference"))->compile(*nn::parseOnnx(b.bytes(), ""), {{"x", {1}}});
  ASSERT_TRUE(executable) << executable.error().message;
  int casts = 0;
  for (const auto& step : (*executable)->report().steps) casts += step.op == "Cast" ? 1 : 0;
  EXPECT_EQ(casts, 2);
}

TEST(Folding, SaysWhyWeightsThatAreComputedCannotRun) {
  OnnxBuilder b;
  const std::string x = b.input("x", {1, 1, 3, 3, 3});
  b.output(b.node("Conv", {x, x}), 5);
  const auto y = runModel(b, "cpu", {{"x", randomTensor({1, 1, 3, 3, 3}, 1)}});
  ASSERT_FALSE(y);
  EXPECT_THAT(y.error().message, testing::HasSubstr("export the network with constant weights"));
}

}  // namespace
}  // namespace lynceus::test
