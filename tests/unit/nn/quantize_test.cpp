// Quantised networks: what runs on integers against the reference, which computes QuantizeLinear and DequantizeLinear
// in float; and how a float network becomes one.
//
// With scales that are powers of two both agree to the bit at any depth (tests/support/networks/quantized.h). With
// other scales a sum within rounding of a tie may go to the other neighbour: one step.
#include <cmath>
#include <functional>

#include <gmock/gmock.h>
#include <omp.h>

#include "core/nn/magnitude_histogram.h"
#include "core/nn/quantize.h"
#include "tests/support/networks/quantized.h"
#include "tests/unit/nn/run_model.h"

namespace lynceus::test {
namespace {

using nn::Shape;
using nn::Tensor;
using nn::Type;
using Ints = std::vector<int64_t>;
using testing::HasSubstr;

struct NetworkCase {
  const char* name;
  OnnxBuilder (*build)(const Shape&);
  std::map<std::string, int> integerSteps;  ///< how many of each operator run on integers
};

std::ostream& operator<<(std::ostream& out, const NetworkCase& c) { return out << c.name; }

const NetworkCase kNetworks[] = {
    {"Chain", quantizedChain, {{"lynceus.IntegerConv", 6}}},
    {"ResidualBlocks", quantizedResidualBlocks, {{"lynceus.IntegerConv", 6}}},
    {"UNet",
     quantizedUNet,
     {{"lynceus.IntegerConv", 5}, {"lynceus.IntegerConvTranspose", 1}, {"lynceus.IntegerAdd", 1}}}};

class QuantizedNetwork : public testing::TestWithParam<NetworkCase> {};

TEST_P(QuantizedNetwork, GivesTheReferencesBitsOnIntegers) {
  for (const int64_t channels : {1, 5}) {
    const Shape shape{2, channels, 8, 12, 16};
    const OnnxBuilder model = GetParam().build(shape);
    const Tensor x = randomTensor(shape, 5);
    EXPECT_EQ(runOne(model, "cpu", x).floats(), runOne(model, "reference", x).floats());
  }
}

TEST_P(QuantizedNetwork, GivesTheSameBitsForAnyNumberOfThreadsAndAnyBatch) {
  const Shape three{3, 1, 8, 12, 16}, one{1, 1, 8, 12, 16};
  const OnnxBuilder model = GetParam().build({-1, 1, 8, 12, 16});
  const Tensor x = randomTensor(three, 6);
  const int threads = omp_get_max_threads();
  const std::vector<float> together = runOne(model, "cpu", x).floats();
  omp_set_num_threads(1);
  EXPECT_EQ(runOne(model, "cpu", x).floats(), together);
  omp_set_num_threads(threads);
  std::vector<float> alone;
  for (int64_t n = 0; n < 3; ++n) {
    const auto count = nn::elementCount(one);
    const auto first = x.floats().begin() + n * count;
    const std::vector<float> y = runOne(model, "cpu", {one, std::vector<float>(first, first + count)}).floats();
    alone.insert(alone.end(), y.begin(), y.end());
  }
  EXPECT_EQ(alone, together);
}

bool hasInt8() { return __builtin_cpu_supports("avx512vnni") != 0; }

TEST_P(QuantizedNetwork, RunsOnIntegersWhereTheProcessorCan) {
  if (!hasInt8()) GTEST_SKIP() << "this processor has no instructions for 8-bit networks";
  const Shape shape{1, 1, 8, 12, 16};
  const auto graph = nn::parseOnnx(GetParam().build(shape).bytes(), "test");
  const auto executable = (*compute::openDevice("cpu"))->compile(*graph, {{"x", shape}});
  ASSERT_TRUE(executable) << executable.error().message;
  std::map<std::string, int> steps;
  int quantizations = 0;
  for (const auto& step : (*executable)->report().steps) {
    if (step.op.rfind("lynceus.Integer", 0) == 0) ++steps[step.op];
    if (step.op == "QuantizeLinear" || step.op == "DequantizeLinear") ++quantizations;
  }
  EXPECT_EQ(steps, GetParam().integerSteps);
  EXPECT_EQ(quantizations, 1);  // of the network's input
}

INSTANTIATE_TEST_SUITE_P(All, QuantizedNetwork, testing::ValuesIn(kNetworks),
                         [](const testing::TestParamInfo<NetworkCase>& c) { return std::string(c.param.name); });

TEST(QuantizedConvolution, IsWithinOneStepOfTheReferenceForAnyScale) {
  for (const char* activation : {"", "Relu", "Sigmoid"})
    for (const Type type : {Type::i8, Type::u8}) {
      QuantizedBuilder q(false, {1, 9, 7, 8, 9});
      std::string y = q.conv3(q.input(), 9, 21);
      if (*activation) y = q.b.node(activation, {y});
      q.b.output(q.quantize(y, -6, type), 5);
      const Tensor x = randomTensor({1, 9, 7, 8, 9}, 8);
      const Tensor expected = runOne(q.b, "reference", x), actual = runOne(q.b, "cpu", x);
      for (size_t i = 0; i < expected.size(); ++i)
        ASSERT_LE(std::fabs(expected.floats()[i] - actual.floats()[i]), 1.001F * q.lastScale())
            << activation << " at " << i;
    }
}

TEST(QuantizedConvolution, WithAZeroPointRunsInFloat) {
  OnnxBuilder b;
  const std::string x = b.input("x", {1, 3, 6, 6, 6}), s = b.constant({{}, std::vector<float>{0.0078125F}});
  const std::string z = b.constant({{}, std::vector<uint8_t>{128}});
  const std::string q = b.node("DequantizeLinear", {b.node("QuantizeLinear", {x, s, z}).output(), s, z});
  b.output(b.node("Conv", {q, b.weights({4, 3, 3, 3, 3}, 3)}).ints("pads", Ints(6, 1)), 5);
  const Tensor input = randomTensor({1, 3, 6, 6, 6}, 9);
  const Tensor expected = runOne(b, "reference", input), actual = runOne(b, "cpu", input);
  for (size_t i = 0; i < expected.size(); ++i) ASSERT_NEAR(expected.floats()[i], actual.floats()[i], 1e-4F);
}

TEST(QuantizedConvolution, ThatOneDnnRefusesRunsInFloat) {
  QuantizedBuilder q(true, {1, 6, 4, 5, 6});
  const std::string w = q.convolve(q.input(), "ConvTranspose", {6, 4, 3, 3, 3}, {2, 2, 2}, {2, 2, 2, 0, 0, 0});
  OnnxBuilder::NodeBuilder(q.b.graph().mutable_node(q.b.graph().node_size() - 1)).ints("output_padding", {1, 1, 1});
  q.b.output(q.quantize(w, -6, Type::i8), 5);
  const Tensor x = randomTensor({1, 6, 4, 5, 6}, 8);
  EXPECT_EQ(runOne(q.b, "cpu", x).floats(), runOne(q.b, "reference", x).floats());
}

TEST(QuantizeLinear, RefusesBlocks) {
  OnnxBuilder b(21);
  const std::string x = b.input("x", {2, 4});
  const std::string q =
      b.node("QuantizeLinear", {x, b.constant(randomTensor({2, 2}, 1, 0.1F, 1))}).integer("block_size", 2);
  b.output(b.node("Cast", {q}).integer("to", OnnxBuilder::Proto::FLOAT), 2);
  const auto y = runModel(b, "reference", {{"x", randomTensor({2, 4}, 2)}});
  ASSERT_FALSE(y);
  EXPECT_THAT(y.error().message, HasSubstr("block_size 2"));
}

TEST(MagnitudeHistogram, ClipsAFewOutliersAndNoUniformNumbers) {
  std::vector<float> values = randomFloats(100000, 1);
  nn::MagnitudeHistogram uniform;
  ASSERT_TRUE(uniform.add(values));
  EXPECT_GT(uniform.bestThreshold(127), 0.99F);
  values.push_back(50);  // to keep it would cost a step of 50 / 127 for all others
  nn::MagnitudeHistogram outlier;
  ASSERT_TRUE(outlier.add(values));
  EXPECT_EQ(outlier.largest(), 50);
  // The least of 1e5 * (t / 127)^2 / 12 + (50 - t)^2 is at 33; the exact errors of rounding make it a little uneven.
  EXPECT_NEAR(outlier.bestThreshold(127), 33, 3.3);
}

TEST(MagnitudeHistogram, DoesNotDependOnTheOrder) {
  const std::vector<float> small = randomFloats(1000, 1, -0.001F, 0.001F), large = randomFloats(1000, 2, -300, 300);
  nn::MagnitudeHistogram a, b, c;
  a.add(small), a.add(large);
  b.add(large), b.add(small);
  c.add(small);
  nn::MagnitudeHistogram d;
  d.add(large);
  c.add(d);
  EXPECT_EQ(a.bestThreshold(255), b.bestThreshold(255));
  EXPECT_EQ(a.bestThreshold(255), c.bestThreshold(255));
}

TEST(MagnitudeHistogram, SaysThatANumberIsNotFinite) {
  EXPECT_FALSE(nn::MagnitudeHistogram().add(std::vector<float>{1, INFINITY}));
  EXPECT_FALSE(nn::MagnitudeHistogram().add(std::vector<float>{NAN}));
}

/// Conv, BatchNormalization, Relu, MaxPool, Concat with the unpooled, Conv.
OnnxBuilder floatNetwork(int opset = 17) {
  OnnxBuilder b(opset);
  b.model().set_producer_name("the exporter");
  const std::string x = b.input("x", {1, 2, 8, 8, 8});
  const std::string conv = b.node("Conv", {x, b.weights({8, 2, 3, 3, 3}, 1)}).ints("pads", Ints(6, 1));
  const std::string norm =
      b.node("BatchNormalization", {conv, b.constant(randomTensor({8}, 1, 0.5F, 1)), b.weights({8}, 2),
                                    b.weights({8}, 3), b.constant(randomTensor({8}, 4, 0.5F, 1.5F))});
  const std::string top = b.node("Relu", {norm});
  const std::string low = b.node("MaxPool", {top}).ints("kernel_shape", {2, 2, 2}).ints("strides", {2, 2, 2});
  const std::string up =
      b.node("ConvTranspose", {low, b.weights({8, 4, 2, 2, 2}, 5), b.weights({4}, 6)}).ints("strides", {2, 2, 2});
  const std::string both = b.node("Concat", {up, top}).integer("axis", 1);
  b.output(b.node("Conv", {both, b.weights({3, 12, 3, 3, 3}, 7), b.weights({3}, 8)}).ints("pads", Ints(6, 1)), 5);
  return b;
}

std::vector<nn::Sample> samples(int count) {
  std::vector<nn::Sample> all;
  for (int i = 0; i < count; ++i) all.push_back({randomTensor({1, 2, 8, 8, 8}, 50 + static_cast<unsigned>(i))});
  return all;
}

Expected<nn::QuantizedModel> quantized(const OnnxBuilder& b, const nn::QuantizeOptions& options = {}) {
  const auto device = compute::openDevice("cpu");
  return nn::quantizeModel(b.bytes(), "test.onnx", samples(4), **device, options);
}

TEST(QuantizeModel, MakesAFileThatComputesTheSameUpToTheStepsOfItsIntegers) {
  const auto model = quantized(floatNetwork());
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_EQ(model->convolutions, 3);
  EXPECT_EQ(model->floatConvolutions, 0);
  const auto device = compute::openDevice("reference");
  const auto errors = nn::compareQuantized(*model, samples(6), **device);
  ASSERT_TRUE(errors) << errors.error().message;
  ASSERT_EQ(errors->outputs.size(), 1);
  // Uniform rounding to 127 steps of a number that is uniform up to the clipping has an RMS error of 1 / 127 / 2 of its
  // own RMS; a few such roundings, of inputs and weights, follow one another.
  EXPECT_LT(errors->outputs[0].rms, 6.0 / 127);
  EXPECT_GT(errors->outputs[0].rms, 0);
  EXPECT_GT(errors->outputs[0].correlation, 0.998);
}

TEST(QuantizeModel, SharesScalesWhereIntegersPassThrough) {
  const auto model = quantized(floatNetwork());
  ASSERT_TRUE(model) << model.error().message;
  ASSERT_EQ(model->values.size(), 2);  // the input; and all that MaxPool and Concat join
  EXPECT_EQ(model->values[0].names, (std::vector<std::string>{"x"}));
  EXPECT_EQ(model->values[0].type, Type::i8);
  EXPECT_EQ(model->values[1].names.size(), 4);
  EXPECT_EQ(model->values[1].type, Type::i8);  // the transposed convolution may be negative
}

TEST(QuantizeModel, KeepsWhatItDoesNotChange) {
  const auto model = quantized(floatNetwork(12));
  ASSERT_TRUE(model) << model.error().message;
  nn::onnx::ModelProto file;
  ASSERT_TRUE(file.ParseFromString(model->onnx));
  EXPECT_EQ(file.producer_name(), "the exporter");
  EXPECT_EQ(file.opset_import(0).version(), 13);
  int batchNorms = 0;
  for (const auto& node : file.graph().node()) batchNorms += node.op_type() == "BatchNormalization" ? 1 : 0;
  EXPECT_EQ(batchNorms, 0);
  size_t floats = 0;
  for (const auto& tensor : file.graph().initializer())
    if (tensor.data_type() == OnnxBuilder::Proto::FLOAT) floats += tensor.raw_data().size() / sizeof(float);
  EXPECT_LT(floats, 64);  // scales and biases: the weights are integers
}

TEST(QuantizeModel, LeavesNodesFloatThatAreNamed) {
  const OnnxBuilder b = floatNetwork();
  const auto last = b.bytes();
  nn::onnx::ModelProto file;
  ASSERT_TRUE(file.ParseFromArray(last.data(), static_cast<int>(last.size())));
  const std::string name = file.graph().node(file.graph().node_size() - 1).name();
  const auto model = quantized(b, {{name}});
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_EQ(model->convolutions, 2);
  EXPECT_EQ(model->floatConvolutions, 1);
  const auto unknown = quantized(b, {{"no such node"}});
  ASSERT_FALSE(unknown);
  EXPECT_THAT(unknown.error().message, HasSubstr("no such node"));
}

// `models check` prints the names that the importer gives.
TEST(QuantizeModel, KnowsNodesByTheNamesThatTheImporterGives) {
  OnnxBuilder b = floatNetwork();
  for (auto& node : *b.graph().mutable_node()) node.set_name(node.op_type() == "Conv" ? "conv" : "");
  const auto graph = nn::parseOnnx(b.bytes(), "test");
  ASSERT_TRUE(graph) << graph.error().message;
  for (const nn::Node& node : graph->nodes) {
    if (node.op.rfind("Conv", 0) != 0) continue;  // Conv: "conv" and "conv#6"; ConvTranspose: "ConvTranspose#4"
    const auto model = quantized(b, {{node.name}});
    ASSERT_TRUE(model) << model.error().message;
    EXPECT_EQ(model->convolutions, 2) << node.name;
    EXPECT_EQ(model->floatConvolutions, 1) << node.name;
  }
}

TEST(QuantizeModel, RefusesAnOldOperatorThatMeansSomethingElseNow) {
  OnnxBuilder b(11);
  const std::string x = b.input("x", {1, 2, 8, 8, 8});
  const std::string conv = b.node("Conv", {x, b.weights({8, 2, 3, 3, 3}, 1)});
  b.output(b.node("Softmax", {conv}), 5);
  const auto model = quantized(b);
  ASSERT_FALSE(model);
  EXPECT_THAT(model.error().message, HasSubstr("Softmax"));
  EXPECT_THAT(model.error().message, HasSubstr("opset 13"));
}

TEST(QuantizeModel, RefusesBranches) {
  OnnxBuilder b, branch;
  const std::string x = b.input("x", {1, 2, 8, 8, 8});
  const std::string conv = b.node("Conv", {x, b.weights({8, 2, 3, 3, 3}, 1)});
  branch.output(branch.node("Relu", {conv}), 5);
  const std::string taken = b.constant({{}, std::vector<int64_t>{1}});
  b.output(b.node("If", {taken}).branch("then_branch", branch).branch("else_branch", branch), 5);
  const auto model = quantized(b);
  ASSERT_FALSE(model);
  EXPECT_THAT(model.error().message, HasSubstr("(If) has branches, whose values cannot be quantised"));
}

TEST(QuantizeModel, RefusesAQuantisedFile) {
  const auto model = quantized(floatNetwork());
  ASSERT_TRUE(model) << model.error().message;
  const auto device = compute::openDevice("cpu");
  const auto* bytes = reinterpret_cast<const std::byte*>(model->onnx.data());
  const auto again = nn::quantizeModel({bytes, model->onnx.size()}, "test.onnx", samples(1), **device);
  ASSERT_FALSE(again);
  EXPECT_THAT(again.error().message, HasSubstr("quantised already"));
}

}  // namespace
}  // namespace lynceus::test
