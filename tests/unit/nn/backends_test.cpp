// Every backend against the reference, on generated cases, within a bound that follows from the arithmetic.
#include <cmath>
#include <functional>
#include <limits>

#include "tests/unit/nn/run_model.h"

namespace lynceus::test {
namespace {

using nn::Shape;
using Ints = std::vector<int64_t>;

constexpr double kEpsilon = std::numeric_limits<float>::epsilon();

/// How far a float32 result may be from the reference's: roundings * epsilon * magnitude.
enum class Magnitude {
  sumOfTerms,  ///< the same network on absolute values: for sums of products, n terms give at most n + 2 roundings
  output,      ///< |result| + the largest |result|: for functions of single numbers
};

struct BackendCase {
  std::string name;
  Shape input;
  std::vector<nn::Tensor> constants;  ///< inputs 1, 2, …
  std::string op;
  std::function<void(OnnxBuilder::NodeBuilder&)> attributes;
  Magnitude magnitude;
  double roundings;
};

std::ostream& operator<<(std::ostream& out, const BackendCase& c) { return out << c.name; }

nn::Tensor absolute(nn::Tensor t) {
  for (float& v : t.floats()) v = std::fabs(v);
  return t;
}

OnnxBuilder build(const BackendCase& c, bool absoluteValues) {
  OnnxBuilder b;
  std::vector<std::string> inputs{b.input("x", c.input)};
  for (const nn::Tensor& t : c.constants) inputs.push_back(b.constant(absoluteValues && t.isFloat() ? absolute(t) : t));
  auto node = b.node(c.op, inputs);
  c.attributes(node);
  b.output(node, 5);
  return b;
}

std::vector<BackendCase> convolutionCases() {
  std::mt19937 random(20);
  const auto pick = [&](int64_t low, int64_t high) {
    return low + static_cast<int64_t>(random() % static_cast<unsigned>(high - low + 1));
  };
  std::vector<BackendCase> cases;
  for (int i = 0; i < 40; ++i) {
    const bool transposed = i % 3 == 2;
    const int64_t group = i % 4 == 3 ? pick(2, 4) : 1, in = group * pick(1, 9), out = group * pick(1, 9);
    const Ints kernel{pick(1, 3), pick(1, 4), pick(1, 3)};
    const Ints stride{pick(1, 2), pick(1, 3), pick(1, 2)}, dilation{pick(1, 2), 1, pick(1, 2)};
    Ints pads;
    for (int side = 0; side < 2; ++side)
      for (const int64_t k : kernel) pads.push_back(pick(0, k - 1));
    const Shape weights = transposed ? Shape{in, out / group, kernel[0], kernel[1], kernel[2]}
                                     : Shape{out, in / group, kernel[0], kernel[1], kernel[2]};
    const auto terms = static_cast<double>(in / group * kernel[0] * kernel[1] * kernel[2] + 1);
    const auto seed = static_cast<unsigned>(i);
    cases.push_back({(transposed ? "ConvTranspose" : "Conv") + std::to_string(i),
                     {pick(1, 2), in, pick(5, 9), pick(5, 9), pick(5, 17)},
                     {randomTensor(weights, seed), randomTensor({out}, seed + 1)},
                     transposed ? "ConvTranspose" : "Conv",
                     [=](OnnxBuilder::NodeBuilder& n) {
                       n.ints("strides", stride).ints("dilations", dilation).ints("pads", pads).integer("group", group);
                     },
                     Magnitude::sumOfTerms,
                     terms + 2});
  }
  return cases;
}

std::vector<BackendCase> otherCases() {
  const auto none = [](OnnxBuilder::NodeBuilder&) {};
  const auto window = [](OnnxBuilder::NodeBuilder& n) {
    n.ints("kernel_shape", {3, 2, 3}).ints("strides", {2, 2, 1}).ints("pads", {1, 0, 1, 1, 1, 0});
  };
  const Shape x{2, 17, 7, 6, 9};
  std::vector<BackendCase> cases{
      {"MaxPool", x, {}, "MaxPool", window, Magnitude::output, 0},
      {"AveragePool", x, {}, "AveragePool", window, Magnitude::sumOfTerms, 18 + 2},
      {"GlobalAveragePool", x, {}, "GlobalAveragePool", none, Magnitude::sumOfTerms, 1},  // added up in double
      {"Add", x, {randomTensor(x, 3)}, "Add", none, Magnitude::sumOfTerms, 1},
      {"Mul", x, {randomTensor({17, 1, 1, 1}, 3)}, "Mul", none, Magnitude::output, 1},
      {"Concat",
       x,
       {randomTensor({2, 3, 7, 6, 9}, 3)},
       "Concat",
       [](OnnxBuilder::NodeBuilder& n) { n.integer("axis", 1); },
       Magnitude::output,
       0},
      {"ResizeNearest",
       x,
       {nn::Tensor{{0}, std::vector<float>{}}, nn::Tensor{{5}, std::vector<float>{1, 1, 2, 2, 2}}},
       "Resize",
       [](OnnxBuilder::NodeBuilder& n) { n.text("mode", "nearest"); },
       Magnitude::output,
       0},
      // Three interpolations of two terms each: 8 products of weights and a sum of 8.
      {"ResizeLinear",
       x,
       {nn::Tensor{{0}, std::vector<float>{}}, nn::Tensor{{5}, std::vector<float>{1, 1, 2, 1.5F, 2}}},
       "Resize",
       [](OnnxBuilder::NodeBuilder& n) { n.text("mode", "linear"); },
       Magnitude::sumOfTerms,
       16},
      // y = x * a + b instead of (x - mean) * a + bias: cancellation costs a few ulps of the largest value.
      {"InstanceNormalization",
       x,
       {randomTensor({17}, 4), randomTensor({17}, 5)},
       "InstanceNormalization",
       none,
       Magnitude::output,
       8},
      {"BatchNormalization",
       x,
       {randomTensor({17}, 4), randomTensor({17}, 5), randomTensor({17}, 6), randomTensor({17}, 7, 0.5F, 1)},
       "BatchNormalization",
       none,
       Magnitude::output,
       8},
      {"Gemm", {5, 64}, {randomTensor({64, 9}, 8), randomTensor({9}, 9)}, "Gemm", none, Magnitude::sumOfTerms, 64 + 3},
      {"Softmax", x, {}, "Softmax", [](OnnxBuilder::NodeBuilder& n) { n.integer("axis", 1); }, Magnitude::output, 16},
      {"Flatten", x, {}, "Flatten", none, Magnitude::output, 0},
      {"Transpose", x, {}, "Transpose", none, Magnitude::output, 0},
  };
  // oneDNN evaluates exp by a polynomial: 8 ulps of the largest result cover it and what follows.
  for (const char* op : {"Relu", "LeakyRelu", "Sigmoid", "Exp", "Tanh"})
    cases.push_back({op, x, {}, op, none, Magnitude::output, 8});
  return cases;
}

class Backend : public testing::TestWithParam<std::tuple<const char*, BackendCase>> {};

TEST_P(Backend, AgreesWithTheReferenceUpToRounding) {
  const auto& [device, c] = GetParam();
  const nn::Tensor x = randomTensor(c.input, 77);
  const nn::Tensor expected = runOne(build(c, false), "reference", x), actual = runOne(build(c, false), device, x);
  ASSERT_EQ(actual.shape, expected.shape);
  double largest = 0;
  for (const float v : expected.floats()) largest = std::max(largest, std::fabs(static_cast<double>(v)));
  const nn::Tensor terms =
      c.magnitude == Magnitude::sumOfTerms ? runOne(build(c, true), "reference", absolute(x)) : expected;
  for (size_t i = 0; i < expected.floats().size(); ++i) {
    const double magnitude = c.magnitude == Magnitude::output ? largest : terms.floats()[i];
    ASSERT_NEAR(actual.floats()[i], expected.floats()[i], c.roundings * kEpsilon * magnitude) << "at " << i;
  }
}

// A backend that is new here gets every case.
const auto kBackends = testing::Values("cpu");

std::string caseName(const testing::TestParamInfo<Backend::ParamType>& info) {
  return std::string(std::get<0>(info.param)) + "_" + std::get<1>(info.param).name;
}

INSTANTIATE_TEST_SUITE_P(Convolutions, Backend, testing::Combine(kBackends, testing::ValuesIn(convolutionCases())),
                         caseName);
INSTANTIATE_TEST_SUITE_P(Others, Backend, testing::Combine(kBackends, testing::ValuesIn(otherCases())), caseName);

}  // namespace
}  // namespace lynceus::test
