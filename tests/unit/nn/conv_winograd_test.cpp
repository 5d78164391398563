// Convolutions with fewer multiplications: exact where floats are, near the reference elsewhere, the same bits however
// the work is split, and only where they pay.
#include <algorithm>
#include <cmath>

#include <gmock/gmock.h>
#include <omp.h>
#include <oneapi/dnnl/dnnl.hpp>

#include "core/nn/cpu/bfloat16.h"
#include "core/nn/cpu/winograd_kernels.h"
#include "tests/unit/nn/run_model.h"

namespace lynceus::test {
namespace {

using nn::Shape;
using nn::Tensor;
using Ints = std::vector<int64_t>;

struct ConvCase {
  std::string name;
  Shape input;
  int64_t outputs;
  Ints pads = {1, 1, 1, 1, 1, 1};
  bool bias = true;
  std::string activation = {};
  bool residual = false;
};

std::ostream& operator<<(std::ostream& out, const ConvCase& c) { return out << c.name; }

std::vector<ConvCase> cases() {
  return {
      {"Even", {1, 16, 16, 16, 16}, 16},
      {"Odd", {1, 24, 11, 13, 15}, 24},
      {"NoBias", {1, 32, 12, 12, 14}, 32, {1, 1, 1, 1, 1, 1}, false},
      {"ChannelsOfNoVector", {1, 17, 14, 13, 12}, 35},
      {"ChannelsOfOneVectorAndAHalf", {1, 40, 13, 13, 13}, 56},
      {"OneOutputChannel", {1, 32, 16, 16, 16}, 1},
      {"ThreeOutputChannels", {1, 33, 12, 15, 17}, 3},
      {"ManyChannels", {1, 131, 10, 11, 12}, 128},
      {"NoPadding", {1, 24, 14, 15, 16}, 20, {0, 0, 0, 0, 0, 0}},
      {"WidePadding", {1, 24, 12, 12, 12}, 24, {2, 2, 2, 2, 2, 2}},
      {"UnevenPadding", {1, 24, 13, 14, 15}, 24, {0, 1, 2, 2, 0, 1}},
      {"PaddingBeyondATile", {1, 24, 16, 14, 18}, 24, {3, 0, 4, 0, 3, 0}},
      {"Flat", {1, 32, 4, 40, 41}, 32},
      {"Thin", {1, 32, 40, 41, 4}, 32},
      {"Batch", {3, 24, 9, 12, 14}, 24},
      {"Activation", {1, 24, 13, 12, 14}, 24, {1, 1, 1, 1, 1, 1}, true, "LeakyRelu"},
      {"Residual", {2, 24, 13, 12, 14}, 18, {1, 1, 1, 1, 1, 1}, true, {}, true},
      {"ResidualAndActivation", {1, 24, 12, 13, 15}, 24, {1, 1, 1, 1, 1, 1}, true, "Relu", true},
  };
}

/// What the convolution takes and gives: floats, bfloat16, or floats of bfloat16.
enum class Stored { floats, halves, halvesGivingFloats };

Tensor halves(Tensor t) {
  for (float& v : t.floats()) v = toFloat(nn::cpu::fromFloat<nn::cpu::Bfloat16>(v));
  return t;
}

Tensor integers(const Shape& shape, unsigned seed, float most, float step = 1) {
  Tensor t = randomTensor(shape, seed, -most, most);
  for (float& v : t.floats()) v = step * std::round(v);
  return t;
}

double rootMeanSquare(const Tensor& t) {
  double sum = 0;
  for (const float v : t.floats()) sum += static_cast<double>(v) * v;
  return std::sqrt(sum / static_cast<double>(t.size()));
}

std::string kernelOf(const OnnxBuilder& model, const Shape& input, compute::Precision precision) {
  const auto graph = nn::parseOnnx(model.bytes(), "test");
  EXPECT_TRUE(graph);
  compute::CompileOptions options;
  options.precision = precision;
  const auto executable = (*compute::openDevice("cpu"))->compile(*graph, {{"x", input}}, options);
  EXPECT_TRUE(executable);
  for (const auto& step : (*executable)->report().steps)
    if (step.op == "Conv") return step.kernel;
  return "none";
}

bool hasBf16() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512bf16") != 0;
#else
  return false;
#endif
}

class WinogradConv : public testing::TestWithParam<std::tuple<ConvCase, Stored>> {
 protected:
  void SetUp() override {
    if (stored() != Stored::floats && !hasBf16()) GTEST_SKIP() << "this processor has no bf16 arithmetic";
  }

  static const ConvCase& convCase() { return std::get<0>(GetParam()); }
  static Stored stored() { return std::get<1>(GetParam()); }
  static compute::Precision precision() {
    return stored() == Stored::floats ? compute::Precision::fp32 : compute::Precision::bf16;
  }
  static Tensor asStored(Tensor t) { return stored() == Stored::floats ? std::move(t) : halves(std::move(t)); }

  /// activation(conv(x) - r). Outputs of a network are floats: for bfloat16 another operator gives them.
  static OnnxBuilder model(const ConvCase& c, const Shape& input, const Tensor& weights, const Tensor& bias) {
    OnnxBuilder b;
    std::vector<std::string> inputs{b.input("x", input), b.constant(weights)};
    if (c.bias) inputs.push_back(b.constant(bias));
    std::string y = b.node("Conv", inputs).ints("pads", c.pads);
    if (c.residual) y = b.node("Add", {y, b.node("Neg", {b.input("r", outputShape(c))})});
    if (c.activation == "LeakyRelu")
      y = b.node("LeakyRelu", {y}).real("alpha", 0.5F);
    else if (!c.activation.empty())
      y = b.node(c.activation, {y});
    if (stored() == Stored::halves) y = b.node("MaxPool", {y}).ints("kernel_shape", {1, 1, 1});
    b.output(y, 5);
    return b;
  }
  static Shape outputShape(const ConvCase& c) {
    Shape shape{c.input[0], c.outputs};
    for (size_t a = 0; a < 3; ++a) shape.push_back(c.input[2 + a] + c.pads[a] + c.pads[3 + a] - 2);
    return shape;
  }
  static Shape weightShape(const ConvCase& c) { return {c.outputs, c.input[1], 3, 3, 3}; }

  static std::vector<nn::NamedTensor> inputs(const ConvCase& c, const Tensor& x, const Tensor& r) {
    std::vector<nn::NamedTensor> all{{"x", x}};
    if (c.residual) all.push_back({"r", r});
    return all;
  }
  static Tensor run(const OnnxBuilder& model, const std::vector<nn::NamedTensor>& inputs) {
    compute::CompileOptions options;
    options.precision = precision();
    return resultOf(runModel(model, "cpu", inputs, options));
  }
  static Tensor reference(const OnnxBuilder& model, const std::vector<nn::NamedTensor>& inputs) {
    return resultOf(runModel(model, "reference", inputs));
  }

 private:
  static Tensor resultOf(const Expected<std::vector<Tensor>>& outputs) {
    EXPECT_TRUE(outputs) << outputs.error().message;
    return outputs ? outputs->front() : Tensor{};
  }
};

// Integers up to 3, and weights of 8, 16 and 24, of which every half of a half of a half is an integer. Sums of inputs
// are up to 24, factors up to 81, so bfloat16 holds both; sums of 131 channels are up to 254664, of 27 of them up to
// 6875928: below 2^24. Only a result in bfloat16 is rounded.
TEST_P(WinogradConv, IsExactWhereEverySumIs) {
  const ConvCase& c = convCase();
  const Tensor x = integers(c.input, 1, 3), r = integers(outputShape(c), 2, 3);
  const OnnxBuilder m = model(c, c.input, integers(weightShape(c), 3, 3, 8), integers({c.outputs}, 4, 9));
  Tensor expected = reference(m, inputs(c, x, r));
  if (stored() == Stored::halves) expected = halves(std::move(expected));
  const Tensor actual = run(m, inputs(c, x, r));
  ASSERT_EQ(actual.shape, expected.shape);
  for (size_t i = 0; i < expected.size(); ++i) ASSERT_EQ(actual.floats()[i], expected.floats()[i]) << "at " << i;
}

// The head of conv_winograd.h has what may be lost at worst, and what where signs are random, as they are here. Float:
// 2.2 times the error of a plain sum, sqrt(131) 2^-24 2.2 = 1.5e-6 of a typical sum; 1e-5 is asked of every operator.
// bfloat16: 1.4 * 2^-8 of a typical sum in the root mean square, here given 2 * 2^-8; 6 times that has one of 5e8.
TEST_P(WinogradConv, IsNearTheReference) {
  const ConvCase& c = convCase();
  const Tensor x = asStored(randomTensor(c.input, 1)), r = asStored(randomTensor(outputShape(c), 2));
  const OnnxBuilder m = model(c, c.input, randomTensor(weightShape(c), 3), randomTensor({c.outputs}, 4));
  const Tensor expected = reference(m, inputs(c, x, r)), actual = run(m, inputs(c, x, r));
  Tensor errors = actual;
  double largest = 0, difference = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    errors.floats()[i] -= expected.floats()[i];
    largest = std::max(largest, std::fabs(static_cast<double>(expected.floats()[i])));
    difference = std::max(difference, std::fabs(static_cast<double>(errors.floats()[i])));
  }
  if (stored() == Stored::floats) {
    EXPECT_LE(difference, 1e-5 * largest);
  } else {
    const double bound = 2 * 0x1p-8 * rootMeanSquare(expected);
    EXPECT_LE(rootMeanSquare(errors), bound);
    EXPECT_LE(difference, 6 * bound);
  }
}

TEST_P(WinogradConv, GivesTheSameBitsWithAnyNumberOfThreads) {
  const ConvCase& c = convCase();
  const Tensor x = randomTensor(c.input, 1), r = randomTensor(outputShape(c), 2);
  const OnnxBuilder m = model(c, c.input, randomTensor(weightShape(c), 3), randomTensor({c.outputs}, 4));
  const int threads = omp_get_max_threads();
  omp_set_num_threads(1);
  const Tensor one = run(m, inputs(c, x, r));
  for (const int n : {2, 3, 7}) {
    omp_set_num_threads(n);
    EXPECT_TRUE(run(m, inputs(c, x, r)).data == one.data) << n << " threads";
  }
  omp_set_num_threads(threads);
}

TEST_P(WinogradConv, GivesForABatchWhatItGivesOneByOne) {
  ConvCase c = convCase();
  c.residual = false;
  c.input[0] = 3;
  const Tensor weights = randomTensor(weightShape(c), 3), bias = randomTensor({c.outputs}, 4);
  const Tensor images = randomTensor(c.input, 1);
  const Tensor together = run(model(c, c.input, weights, bias), {{"x", images}});
  c.input[0] = 1;
  const size_t voxels = images.size() / 3, results = together.size() / 3;
  for (size_t n = 0; n < 3; ++n) {
    Tensor image = Tensor::zeros(c.input);
    std::copy_n(images.floats().begin() + static_cast<int64_t>(n * voxels), voxels, image.floats().begin());
    const Tensor alone = run(model(c, c.input, weights, bias), {{"x", image}});
    EXPECT_TRUE(std::equal(alone.floats().begin(), alone.floats().end(),
                           together.floats().begin() + static_cast<int64_t>(n * results)))
        << "image " << n;
  }
}

TEST_P(WinogradConv, IsChosen) {
  if (stored() != Stored::floats && dnnl::get_effective_cpu_isa() > dnnl::cpu_isa::avx512_core_bf16)
    GTEST_SKIP() << "this processor multiplies bfloat16 on matrices";
  ConvCase c = convCase();
  c.residual = false;
  const OnnxBuilder m = model(c, c.input, randomTensor(weightShape(c), 3), randomTensor({c.outputs}, 4));
  EXPECT_THAT(kernelOf(m, c.input, precision()), testing::StartsWith("winograd"));
}

std::string caseName(const testing::TestParamInfo<std::tuple<ConvCase, Stored>>& tested) {
  const Stored stored = std::get<1>(tested.param);
  const char* name = stored == Stored::floats ? "Floats" : stored == Stored::halves ? "Halves" : "HalvesGivingFloats";
  return std::get<0>(tested.param).name + "In" + name;
}

INSTANTIATE_TEST_SUITE_P(Every, WinogradConv,
                         testing::Combine(testing::ValuesIn(cases()),
                                          testing::Values(Stored::floats, Stored::halves, Stored::halvesGivingFloats)),
                         caseName);

struct OtherCase {
  std::string name;
  Shape input, weights;
  Ints strides = {1, 1, 1}, dilations = {1, 1, 1};
  int64_t group = 1;
};

TEST(WinogradChoice, LeavesToOthersWhatItCannotDoOrDoesNotPay) {
  const Shape image{1, 32, 24, 24, 24};
  const std::vector<OtherCase> others{
      {"another kernel", image, {32, 32, 3, 3, 1}},
      {"strides", image, {32, 32, 3, 3, 3}, {2, 2, 2}},
      {"one stride", image, {32, 32, 3, 3, 3}, {1, 1, 2}},
      {"dilations", image, {32, 32, 3, 3, 3}, {1, 1, 1}, {2, 2, 2}},
      {"groups", image, {32, 16, 3, 3, 3}, {1, 1, 1}, {1, 1, 1}, 2},
      {"one channel", {1, 1, 24, 24, 24}, {32, 1, 3, 3, 3}},
      {"few channels", {1, 15, 24, 24, 24}, {32, 15, 3, 3, 3}},
      {"few voxels", {1, 32, 4, 4, 4}, {32, 32, 3, 3, 3}},
      {"a plane", {1, 32, 1, 64, 64}, {32, 32, 3, 3, 3}},
      {"two dimensions", {1, 32, 64, 64}, {32, 32, 3, 3}},
  };
  std::vector<compute::Precision> precisions{compute::Precision::fp32};
  if (hasBf16()) precisions.push_back(compute::Precision::bf16);
  for (const OtherCase& c : others) {
    OnnxBuilder b;
    const size_t axes = c.input.size() - 2;
    auto conv = b.node("Conv", {b.input("x", c.input), b.constant(randomTensor(c.weights, 1))});
    conv.integer("group", c.group)
        .ints("strides", Ints(c.strides.begin(), c.strides.begin() + static_cast<int64_t>(axes)))
        .ints("dilations", Ints(c.dilations.begin(), c.dilations.begin() + static_cast<int64_t>(axes)))
        .ints("pads", Ints(2 * axes, 1));
    b.output(conv, static_cast<int64_t>(c.input.size()));
    for (const auto precision : precisions)
      EXPECT_THAT(kernelOf(b, c.input, precision), testing::StartsWith("oneDNN")) << c.name;
  }
}

// Of 12 tiles in a row, beginning in the padding and ending in it, and their products with 37 channels.
std::vector<float> everyLoop(const nn::cpu::WinogradKernels<float>& kernels, int64_t columns) {
  constexpr int64_t kChannels = 37, kTiles = 12, kSize = 23, kStride = kTiles * kChannels + 16;
  const Tensor rows = randomTensor({8, kSize, kChannels}, 1), u = randomTensor({kChannels, columns}, 2);
  nn::cpu::WinogradRow<float> row{{}, {}, kSize, kChannels, -1, kTiles};
  for (size_t y = 0; y < 4; ++y) {
    row.near[y] = rows.floats().data() + y * kSize * kChannels;
    row.far[y] = row.near[y] + 4 * kSize * kChannels;
  }
  std::vector<float> v(16 * kStride), m(static_cast<size_t>(16 * kTiles * columns));
  std::vector<float> y(static_cast<size_t>(8 * kTiles * columns));
  for (int z = 0; z < 4; ++z) {
    kernels.transformInput(row, z == 1, v.data(), kStride, kChannels);
    for (int64_t p = 0; p < 16; ++p)
      kernels.multiply(v.data() + p * kStride, kTiles, kChannels, u.floats().data(), columns,
                       m.data() + p * kTiles * columns);
    kernels.transformOutput(m.data(), kTiles * columns, kTiles, columns, z, u.floats().data(), y.data(), columns);
  }
  return y;
}

TEST(WinogradKernels, GiveTheSameBitsWhateverTheWidthOfVectors) {
#if defined(__x86_64__)
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512vl"))
    GTEST_SKIP() << "this processor has no AVX-512";
  for (const int64_t columns : {8, 16}) {
    const std::vector<float> narrow = everyLoop(nn::cpu::winogradKernels256(), columns);
    EXPECT_TRUE(narrow == everyLoop(nn::cpu::winogradKernels512(), columns)) << columns << " columns";
    EXPECT_TRUE(std::any_of(narrow.begin(), narrow.end(), [](float f) { return f != 0; }));
  }
#else
  GTEST_SKIP() << "this processor has vectors of one width only";
#endif
}

}  // namespace
}  // namespace lynceus::test
