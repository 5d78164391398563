// Kernels of the cpu on their own, against the reference: odd sizes, f32 and bf16, any number of threads, batches.
#include <cmath>
#include <functional>
#include <limits>

#include <fmt/ranges.h>
#include <gtest/gtest.h>
#include <omp.h>

#include "core/nn/passes/fold_transpose.h"
#include "core/nn/passes/fuse.h"
#include "core/nn/reference/kernel.h"
#include "tests/support/cpu_kernel.h"
#include "tests/support/onnx_builder.h"

namespace lynceus::test {
namespace {

using nn::Shape;
using nn::Tensor;
using nn::Type;
using Ints = std::vector<int64_t>;

constexpr double kF32 = 0x1p-24,
                 kBf16 = 0x1p-8;  // relative error of one rounding, at most: half a unit, here a whole one

struct KernelCase {
  std::string name;
  nn::Node node;
  std::vector<KernelInput> inputs;
  int opset = 17;
  /// How much an error of the inputs, relative to the largest of them, may grow, relative to the largest result: the
  /// condition of the operator. Sums of n products of numbers up to 1 with results of about sqrt(n): sqrt(n) each.
  double condition = 1;
  double roundings = 4;                 ///< of float32 on the way, relative to the largest result times the condition
  std::optional<nn::Node> oracle = {};  ///< where the reference has no such operator: an equal one
  nn::Node after = {};                  ///< the activation that the node does in addition
};

std::ostream& operator<<(std::ostream& out, const KernelCase& c) { return out << c.name; }

nn::Node node(const std::string& op, std::map<std::string, nn::Attribute> attributes = {}) {
  return {op, op, {}, {op + "_out"}, std::move(attributes)};
}

Tensor ints(Ints values) { return {{static_cast<int64_t>(values.size())}, std::move(values)}; }

KernelInput fixed(Tensor t) { return {std::move(t), true}; }
KernelInput random(const Shape& shape, unsigned seed) { return {randomTensor(shape, seed)}; }

Tensor reference(const nn::Node& n, int opset, const std::vector<KernelInput>& inputs) {
  std::vector<std::optional<nn::Operand>> operands;
  for (const KernelInput& i : inputs) operands.push_back(nn::Operand{{i.value.shape, i.value.type()}, &i.value});
  const nn::reference::Kernel* kernel = nn::reference::kernels().find(n.op, opset);
  const nn::OpCall call(n, opset, operands);
  const auto types = kernel->infer(call);
  EXPECT_TRUE(types) << (types ? "" : types.error().message);
  return types ? kernel->run(call, *types).front() : Tensor{};
}

Tensor expectedOf(const KernelCase& c) {
  const Tensor result = reference(c.oracle ? *c.oracle : c.node, c.opset, c.inputs);
  return c.after.op.empty() ? result : reference(c.after, c.opset, {{result}});
}

double largest(const Tensor& t) {
  double most = 0;
  for (const float v : t.floats()) most = std::max(most, std::fabs(static_cast<double>(v)));
  return most;
}

Tensor runCpu(const KernelCase& c, Type in, Type out, const Shape& shape, bool inPlace = false) {
  auto kernel = CpuKernel::make(c.node, c.opset, c.inputs, {{shape}}, in, out);
  EXPECT_TRUE(kernel) << (kernel ? "" : kernel.error().message);
  if (!kernel) return {};
  (*kernel)->run(inPlace);
  return (*kernel)->result();
}

std::vector<KernelCase> normalisations() {
  std::vector<KernelCase> cases;
  for (const int64_t channels : {1, 3, 8, 30, 96, 160}) {
    const KernelInput x = random({2, channels, 5, 7, 9}, static_cast<unsigned>(channels));
    const auto scale = fixed(randomTensor({channels}, 1, 0.5F, 1.5F)), bias = fixed(randomTensor({channels}, 2));
    const std::string suffix = std::to_string(channels);
    // Numbers up to 1 have a deviation of 0.58: errors of the input grow 1.5 / 0.58, results are up to about 3.5.
    cases.push_back({"Instance" + suffix,
                     node(nn::kGroupNorm, {{"num_groups", channels}}),
                     {x, scale, bias},
                     17,
                     1,
                     8,
                     node("InstanceNormalization")});
    const int64_t groups = channels % 3 == 0 ? 3 : 1;
    cases.push_back(
        {"Group" + suffix,
         node(nn::kGroupNorm,
              {{"num_groups", groups}, {nn::kFusedActivation, std::string("LeakyRelu")}, {nn::kFusedAlpha, 0.1F}}),
         {x, scale, bias},
         21,
         1,
         8,
         node("GroupNormalization", {{"num_groups", groups}}),
         node("LeakyRelu", {{"alpha", 0.1F}})});
    cases.push_back({"Batch" + suffix,
                     node("BatchNormalization"),
                     {x, scale, bias, fixed(randomTensor({channels}, 3)), fixed(randomTensor({channels}, 4, 0.5F, 1))},
                     17,
                     1,
                     8});
  }
  for (const int64_t width : {1, 48, 77, 768}) {
    const auto scale = fixed(randomTensor({width}, 1)), bias = fixed(randomTensor({width}, 2));
    cases.push_back({"Layer" + std::to_string(width),
                     node("LayerNormalization"),
                     {random({2, 9, width}, 5), scale, bias},
                     17,
                     2,
                     8});
  }
  return cases;
}

std::vector<KernelCase> reductions() {
  const KernelInput x = random({2, 19, 6, 7, 8}, 1), rows = random({3, 50, 33}, 2);
  std::vector<KernelCase> cases{
      {"GlobalAverage", node("GlobalAveragePool"), {x}, 17, 20},
      {"GlobalMax", node("GlobalMaxPool"), {x}},
      // 50 terms of 0.58 add up to about 4, errors of the inputs to 50 * 0.58.
      {"SumMiddle", node("ReduceSum"), {rows, fixed(ints({1}))}, 17, 8},
      {"MinLast", node("ReduceMin", {{"axes", Ints{-1}}}), {rows}},
  };
  for (const char* op : {"ReduceMean", "ReduceMax"})
    for (const int64_t keep : {0, 1}) {
      cases.push_back({std::string(op) + "Spatial" + std::to_string(keep),
                       node(op, {{"axes", Ints{2, 3, 4}}, {"keepdims", keep}}),
                       {x},
                       17,
                       20});
      cases.push_back({std::string(op) + "Last" + std::to_string(keep),
                       node(op, {{"axes", Ints{-1}}, {"keepdims", keep}}),
                       {rows},
                       17,
                       10});
    }
  return cases;
}

std::vector<KernelCase> elementwise() {
  const Shape image{2, 17, 5, 3, 7};
  std::vector<KernelCase> cases;
  const auto add = [&](const std::string& name, const std::string& op, KernelInput a, KernelInput b,
                       double condition = 1) {
    cases.push_back({name + op, node(op), {std::move(a), std::move(b)}, 17, condition});
  };
  for (const char* op : {"Add", "Sub", "Mul", "Min", "Max", "PRelu"}) {
    add("Same", op, random(image, 1), random(image, 2), 2);
    add("PerChannel", op, random(image, 1), random({1, 17, 1, 1, 1}, 2), 2);
    add("PerVoxel", op, random(image, 1), random({2, 1, 5, 3, 7}, 2), 2);
    add("ConstantChannel", op, random(image, 1), fixed(randomTensor({17, 1, 1, 1}, 2)), 2);
    add("ConstantScalar", op, random(image, 1), fixed(randomTensor({1}, 2)), 2);
    add("ConstantRow", op, random(image, 1), fixed(randomTensor({7}, 2)), 2);
    add("Tokens", op, random({3, 11, 48}, 1), fixed(randomTensor({48}, 2)), 2);
  }
  add("ConstantFirst", "Sub", fixed(randomTensor({1}, 1)), random(image, 2), 2);
  add("Grows", "Mul", random({2, 17, 1, 1, 1}, 1), random({2, 1, 5, 3, 7}, 2), 2);
  // Divisors of 0.5 or more: the quotient's error is twice that of its terms.
  add("Same", "Div", random(image, 1), {randomTensor(image, 2, 0.5F, 1)}, 3);
  add("Square", "Pow", random(image, 1), fixed(Tensor{{1}, std::vector<float>{2}}), 3);
  add("Root", "Pow", {randomTensor(image, 1, 0.5F, 1)}, fixed(Tensor{{1}, std::vector<float>{0.3F}}), 2);
  cases.push_back({"AddSigmoid",
                   node("Add", {{nn::kFusedActivation, std::string("Sigmoid")}}),
                   {random({1, 9, 4, 4, 700}, 1), random({9, 1, 1, 1}, 2)},
                   17,
                   2,
                   8,
                   node("Add"),
                   node("Sigmoid")});
  // Slopes are at most about 1.13 (Erf, Gelu, HardSwish) where they are not above; 8 roundings for polynomials.
  for (const char* op : {"Abs", "Ceil", "Elu", "Erf", "Exp", "Floor", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu",
                         "Mish", "Neg", "Relu", "Selu", "Sigmoid", "Softplus", "Softsign", "Tanh"}) {
    const bool steps = std::string(op) == "Ceil" || std::string(op) == "Floor";
    // Rounding a number across an integer would be an error of 1: numbers that bf16 holds exactly.
    Tensor x = randomTensor({2, 9, 3, 5, 77}, 3, -4, 4);
    if (steps)
      for (float& v : x.floats()) v = std::round(v * 16) / 16;
    cases.push_back({op, node(op), {{x}}, 20, 4, 16});
  }
  for (const char* op : {"Log", "Sqrt", "Reciprocal"})
    cases.push_back({op, node(op), {{randomTensor({3, 5, 7, 300}, 4, 0.5F, 2)}}, 17, 4, 16});
  return cases;
}

std::vector<KernelCase> movements() {
  const Shape image{2, 6, 5, 7, 9};
  const auto transpose = [&](const Shape& shape, Ints perm) {
    std::string name = "Transpose";
    for (const int64_t d : perm) name += std::to_string(d);
    return KernelCase{
        name + "x" + std::to_string(shape.back()), node("Transpose", {{"perm", perm}}), {random(shape, 1)}, 17, 1, 0};
  };
  const auto slice = [&](const std::string& name, Ints starts, Ints ends, Ints axes, Ints steps) {
    return KernelCase{"Slice" + name,
                      node("Slice"),
                      {random(image, 1), fixed(ints(std::move(starts))), fixed(ints(std::move(ends))),
                       fixed(ints(std::move(axes))), fixed(ints(std::move(steps)))},
                      17,
                      1,
                      0};
  };
  return {
      transpose({2, 37, 45}, {0, 2, 1}),
      transpose({3, 100, 70}, {2, 1, 0}),
      transpose({2, 11, 3, 16}, {0, 2, 1, 3}),
      transpose({2, 11, 3, 2, 8}, {2, 0, 3, 1, 4}),
      transpose({2, 3, 4, 5, 6}, {0, 2, 3, 4, 1}),
      transpose({2, 3, 4, 5, 6}, {4, 3, 2, 1, 0}),
      slice("Channels", {1}, {5}, {1}, {1}),
      slice("Space", {1, 2, 3}, {4, 7, 9}, {2, 3, 4}, {1, 1, 1}),
      slice("Steps", {4, 0}, {-100, 9}, {2, 4}, {-2, 3}),
      {"ConcatChannels",
       node("Concat", {{"axis", int64_t{1}}}),
       {random(image, 1), fixed(randomTensor({2, 3, 5, 7, 9}, 2))},
       17,
       1,
       0},
      {"ConcatSpace", node("Concat", {{"axis", int64_t{3}}}), {random(image, 1), random(image, 2)}, 17, 1, 0},
      {"ConcatTokens",
       node("Concat", {{"axis", int64_t{-2}}}),
       {random({2, 1, 40}, 1), random({2, 7, 40}, 2)},
       17,
       1,
       0},
      {"Expand", node("Expand"), {random({3, 1, 5}, 1), fixed(ints({2, 3, 4, 5}))}, 17, 1, 0},
      {"Tile", node("Tile"), {random({2, 3, 5}, 1), fixed(ints({2, 1, 3}))}, 17, 1, 0},
      {"DepthToSpace", node("DepthToSpace", {{"blocksize", int64_t{2}}}), {random({2, 12, 3, 5}, 1)}, 17, 1, 0},
      {"SpaceToDepth", node("SpaceToDepth", {{"blocksize", int64_t{2}}}), {random({2, 3, 4, 6}, 1)}, 17, 1, 0},
      {"GatherOne", node("Gather", {{"axis", int64_t{0}}}), {random({3, 7, 11}, 1), fixed({{}, Ints{-2}})}, 17, 1, 0},
      {"GatherSome",
       node("Gather", {{"axis", int64_t{1}}}),
       {random({3, 7, 11}, 1), fixed({{2, 2}, Ints{6, 0, 3, 3}})},
       17,
       1,
       0},
      {"Reshape", node("Reshape"), {random(image, 1), fixed(ints({2, 6, -1}))}, 17, 1, 0},
  };
}

std::vector<KernelCase> windows() {
  const KernelInput x = random({2, 19, 6, 7, 9}, 1);
  const std::map<std::string, nn::Attribute> window{
      {"kernel_shape", Ints{3, 2, 3}}, {"strides", Ints{2, 2, 1}}, {"pads", Ints{1, 0, 1, 1, 1, 0}}};
  const auto none = fixed({{0}, std::vector<float>{}});
  std::vector<KernelCase> cases{{"MaxPool", node("MaxPool", window), {x}, 17, 1, 0},
                                {"AveragePool", node("AveragePool", window), {x}, 17, 2, 20},
                                {"SoftmaxRows", node("Softmax"), {{randomTensor({3, 5, 77}, 1, -4, 4)}}, 17, 8, 16},
                                {"SoftmaxChannels",
                                 node("Softmax", {{"axis", int64_t{1}}}),
                                 {{randomTensor({2, 3, 4, 5, 6}, 1, -4, 4)}},
                                 17,
                                 8,
                                 16},
                                {"LogSoftmax", node("LogSoftmax"), {{randomTensor({3, 5, 77}, 1, -4, 4)}}, 17, 2, 16}};
  for (const char* mode : {"nearest", "linear"})
    for (const char* coordinates : {"half_pixel", "align_corners", "asymmetric"})
      for (const float scale : {2.0F, 1.5F})
        cases.push_back({std::string("Resize_") + mode + "_" + coordinates + (scale == 2 ? "_2" : "_15"),
                         node("Resize", {{"mode", std::string(mode)},
                                         {"coordinate_transformation_mode", std::string(coordinates)}}),
                         {x, none, fixed({{5}, std::vector<float>{1, 1, 2, scale, 2}})},
                         17,
                         1,
                         std::string(mode) == "linear" ? 16.0 : 0.0});
  return cases;
}

std::vector<KernelCase> products() {
  // Sums of k products of numbers up to 1 are about sqrt(k) / 3, the largest about sqrt(k); their errors add up to k /
  // 4 times that of a number at most: sqrt(k) / 4 of the largest, for either operand.
  const auto of = [](const std::string& name, KernelInput a, KernelInput b, int64_t k) {
    return KernelCase{name,
                      node("MatMul"),
                      {std::move(a), std::move(b)},
                      17,
                      std::sqrt(static_cast<double>(k)) / 2 + 1,
                      std::sqrt(static_cast<double>(k)) + 4};
  };
  std::vector<KernelCase> cases{
      of("MatMulConstant", random({2, 9, 70}, 1), fixed(randomTensor({70, 33}, 2)), 70),
      of("MatMulLong", random({1, 4000}, 1), fixed(randomTensor({4000, 3}, 2)), 4000),
      of("MatMulBatches", random({2, 3, 9, 20}, 1), random({2, 3, 20, 11}, 2), 20),
      of("MatMulBroadcast", random({2, 3, 9, 20}, 1), random({3, 20, 11}, 2), 20),
      of("MatMulBroadcastOne", random({2, 1, 9, 20}, 1), random({1, 3, 20, 11}, 2), 20),
      of("MatMulConstantFirst", fixed(randomTensor({9, 20}, 1)), random({20, 11}, 2), 20),
  };
  // Windows side by side: each voxel times a matrix.
  for (const Ints& size : {Ints{2, 2, 2}, Ints{1, 2, 2}, Ints{3, 1, 2}, Ints{2, 3}, Ints{4}}) {
    const size_t axes = size.size();
    Shape input{2, 20, 5, 6, 7}, weights{20, 9};
    input.resize(2 + axes);
    weights.insert(weights.end(), size.begin(), size.end());
    std::map<std::string, nn::Attribute> attributes{{"kernel_shape", size}, {"strides", size}};
    std::map<std::string, nn::Attribute> fused = attributes;
    fused[nn::kFusedActivation] = std::string("Relu");
    const double condition = std::sqrt(20.0) / 2 + 1, roundings = std::sqrt(20.0) + 4;
    const std::string name = "Disjoint" + fmt::format("{}", fmt::join(size, ""));
    const KernelInput x = random(input, 1), w = fixed(randomTensor(weights, 2)), b = fixed(randomTensor({9}, 3));
    cases.push_back({name, node("ConvTranspose", attributes), {x, w}, 17, condition, roundings});
    cases.push_back({name + "BiasRelu",
                     node("ConvTranspose", fused),
                     {x, w, b},
                     17,
                     condition,
                     roundings,
                     node("ConvTranspose", attributes),
                     node("Relu")});
  }
  cases.push_back({"Gemm",
                   node("Gemm", {{"transB", int64_t{1}}, {nn::kFusedActivation, std::string("Relu")}}),
                   {random({5, 64}, 1), fixed(randomTensor({9, 64}, 2)), fixed(randomTensor({9}, 3))},
                   17,
                   5,
                   12,
                   node("Gemm", {{"transB", int64_t{1}}}),
                   node("Relu")});
  return cases;
}

Shape outputShape(const KernelCase& c) { return expectedOf(c).shape; }

class CpuKernelTest : public testing::TestWithParam<KernelCase> {};

// f32: `roundings` of 2^-24, relative to the largest result. bf16: every input is rounded once (2^-9 of it), and so is
// the result; both bounds are given a whole 2^-8.
void expectNear(const KernelCase& c, const Tensor& actual, const Tensor& expected, bool bf16) {
  ASSERT_EQ(actual.shape, expected.shape);
  const double f32 = 2 * c.roundings * kF32;
  const double bound = largest(expected) * (bf16 ? f32 + kBf16 * (c.condition + 1) : f32);
  for (size_t i = 0; i < expected.floats().size(); ++i)
    ASSERT_NEAR(actual.floats()[i], expected.floats()[i], bound) << "at " << i;
}

TEST_P(CpuKernelTest, AgreesWithTheReferenceInF32) {
  const KernelCase& c = GetParam();
  const Tensor expected = expectedOf(c);
  expectNear(c, runCpu(c, Type::f32, Type::f32, expected.shape), expected, false);
  expectNear(c, runCpu(c, Type::f32, Type::f32, expected.shape, true), expected, false);
}

TEST_P(CpuKernelTest, AgreesWithTheReferenceInBf16UpToItsRounding) {
  const KernelCase& c = GetParam();
  if (!__builtin_cpu_supports("avx512bf16")) GTEST_SKIP() << "this processor has no bf16 arithmetic";
  ASSERT_TRUE(nn::cpu::kernelFor(c.node.op, c.opset).bf16);
  const Tensor expected = expectedOf(c);
  for (const Type out : {Type::bf16, Type::f32})
    expectNear(c, runCpu(c, Type::bf16, out, expected.shape), expected, true);
}

TEST_P(CpuKernelTest, GivesTheSameBitsForAnyNumberOfThreads) {
  const KernelCase& c = GetParam();
  const Shape shape = outputShape(c);
  const int threads = omp_get_max_threads();
  std::vector<Tensor> results;
  for (const int n : {1, 2, 3}) {
    omp_set_num_threads(n);
    results.push_back(runCpu(c, Type::f32, Type::f32, shape));
  }
  omp_set_num_threads(threads);
  for (const Tensor& r : results) EXPECT_EQ(r.floats(), results[0].floats());
}

std::string nameOf(const testing::TestParamInfo<KernelCase>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(Normalisation, CpuKernelTest, testing::ValuesIn(normalisations()), nameOf);
INSTANTIATE_TEST_SUITE_P(Reduction, CpuKernelTest, testing::ValuesIn(reductions()), nameOf);
INSTANTIATE_TEST_SUITE_P(Elementwise, CpuKernelTest, testing::ValuesIn(elementwise()), nameOf);
INSTANTIATE_TEST_SUITE_P(Movement, CpuKernelTest, testing::ValuesIn(movements()), nameOf);
INSTANTIATE_TEST_SUITE_P(Window, CpuKernelTest, testing::ValuesIn(windows()), nameOf);
INSTANTIATE_TEST_SUITE_P(Product, CpuKernelTest, testing::ValuesIn(products()), nameOf);

// A constant operand that has the batch's axis would be another for each image.
TEST(CpuKernel, ABatchOfThreeIsThreeOfOne) {
  const auto scale = fixed(randomTensor({12}, 1)), bias = fixed(randomTensor({12}, 2));
  const std::vector<KernelCase> cases{
      {"Group", node(nn::kGroupNorm, {{"num_groups", int64_t{4}}}), {random({3, 12, 9, 31, 33}, 3), scale, bias}},
      {"Average", node("GlobalAveragePool"), {random({3, 12, 9, 31, 33}, 3)}},
      {"Layer", node("LayerNormalization"), {random({3, 50, 12}, 3), scale, bias}},
      {"MatMul", node("MatMul"), {random({3, 50, 64}, 3), fixed(randomTensor({64, 33}, 4))}},
      {"Softmax", node("Softmax"), {random({3, 50, 64}, 3)}}};
  for (const KernelCase& c : cases) {
    SCOPED_TRACE(c.name);
    const auto shapeOf = [&](int64_t images) {
      Shape shape = c.inputs[0].value.shape;
      shape[0] = images;
      if (c.name == "Average") shape = {images, 12, 1, 1, 1};
      if (c.name == "MatMul") shape.back() = 33;
      return shape;
    };
    const std::vector<float> whole = runCpu(c, Type::f32, Type::f32, shapeOf(3)).floats();
    std::vector<float> parts;
    for (int64_t i = 0; i < 3; ++i) {
      KernelCase one = c;
      Tensor& x = one.inputs[0].value;
      const auto size = static_cast<ptrdiff_t>(x.size() / 3);
      x = {x.shape, std::vector<float>(x.floats().begin() + i * size, x.floats().begin() + (i + 1) * size)};
      x.shape[0] = 1;
      const Tensor result = runCpu(one, Type::f32, Type::f32, shapeOf(1));
      parts.insert(parts.end(), result.floats().begin(), result.floats().end());
    }
    EXPECT_EQ(whole, parts);
  }
}

// A mean of 1000 deviations: what a sum of squares in float32 could not see.
TEST(CpuKernel, AGroupNormOfLargeNumbersKeepsItsDigits) {
  KernelCase c{"Large",
               node(nn::kGroupNorm, {{"num_groups", int64_t{1}}}),
               {{randomTensor({1, 8, 8, 16, 16}, 1, 999, 1001)},
                fixed({{8}, std::vector<float>(8, 1)}),
                fixed({{8}, std::vector<float>(8, 0)})}};
  c.oracle = node("GroupNormalization", {{"num_groups", int64_t{1}}});
  c.opset = 21;
  const Tensor expected = expectedOf(c), actual = runCpu(c, Type::f32, Type::f32, expected.shape);
  // x * scale and shift are both about 1000 / 0.58, rounded each.
  for (size_t i = 0; i < expected.size(); ++i)
    ASSERT_NEAR(actual.floats()[i], expected.floats()[i], 3 * kF32 * 1001 / 0.57);
}

TEST(CpuKernel, AMatMulReadsTransposedOperandsWhereTheyLie) {
  const KernelInput tokens = random({2, 11, 3, 16}, 1), others = random({2, 7, 3, 16}, 2);
  KernelCase c{
      "", node("MatMul", {{nn::kTransposeA, Ints{0, 2, 1, 3}}, {nn::kTransposeB, Ints{0, 2, 3, 1}}}), {tokens, others}};
  const Tensor a = reference(node("Transpose", {{"perm", Ints{0, 2, 1, 3}}}), 17, {tokens});
  const Tensor b = reference(node("Transpose", {{"perm", Ints{0, 2, 3, 1}}}), 17, {others});
  const Tensor expected = reference(node("MatMul"), 17, {{a}, {b}});
  c.roundings = 16 + 2;
  expectNear(c, runCpu(c, Type::f32, Type::f32, expected.shape), expected, false);
}

// Tokens of channels-last voxels, and back.
TEST(CpuKernel, ATransposeThatTheStoredOrderAlreadySaysMovesNothing) {
  const KernelInput voxels = random({2, 6, 35}, 1);
  auto kernel = CpuKernel::make(node("Transpose", {{"perm", Ints{0, 2, 1}}}), 17, {voxels}, {{{2, 35, 6}}});
  ASSERT_TRUE(kernel);
  EXPECT_EQ((*kernel)->outputType().layout, nn::Layout::channelsLast);
  EXPECT_EQ((*kernel)->step().kernel, "nothing moves");
}

}  // namespace
}  // namespace lynceus::test
