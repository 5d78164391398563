// What callers may rely on: the same bits again, the shapes that were compiled, fusion without a change of meaning.
#include <cmath>

#include <gmock/gmock.h>
#include <omp.h>

#include "tests/support/networks.h"
#include "tests/unit/nn/run_model.h"

namespace lynceus::test {
namespace {

const nn::Shape kImage{2, 1, 32, 24, 32};

std::unique_ptr<compute::Executable> compileUNet(const char* device) {
  const auto graph = nn::parseOnnx(residualUNet(8, {-1, 1, -1, -1, -1}).bytes(), "unet");
  auto executable = (*compute::openDevice(device))->compile(*graph, {{"image", kImage}});
  EXPECT_TRUE(executable) << executable.error().message;
  return std::move(*executable);
}

TEST(Executable, GivesTheSameBitsEveryTime) {
  const auto executable = compileUNet("cpu");
  const auto first = executable->run({randomTensor(kImage, 1)});
  ASSERT_TRUE(executable->run({randomTensor(kImage, 2)}));  // leaves other numbers in every buffer
  const auto again = executable->run({randomTensor(kImage, 1)});
  const auto fresh = compileUNet("cpu")->run({randomTensor(kImage, 1)});
  ASSERT_TRUE(first && again && fresh);
  for (size_t k = 0; k < first->size(); ++k) {
    EXPECT_EQ((*first)[k].floats(), (*again)[k].floats());
    EXPECT_EQ((*first)[k].floats(), (*fresh)[k].floats());
  }
}

TEST(Executable, GivesTheSameBitsWithAnyNumberOfThreads) {
  const int threads = omp_get_max_threads();
  std::vector<std::vector<nn::Tensor>> results;
  for (const int n : {1, 2, 3}) {
    omp_set_num_threads(n);
    auto result = compileUNet("cpu")->run({randomTensor(kImage, 1)});
    if (result) results.push_back(std::move(*result));
  }
  omp_set_num_threads(threads);
  ASSERT_EQ(results.size(), 3U);
  for (const size_t i : {1, 2})
    for (size_t k = 0; k < results[0].size(); ++k) EXPECT_EQ(results[0][k].floats(), results[i][k].floats());
}

TEST(Executable, FusionKeepsTheResultOfTheGraph) {
  const auto image = randomTensor(kImage, 3);
  const auto fused = compileUNet("cpu")->run({image}), plain = compileUNet("reference")->run({image});
  ASSERT_TRUE(fused && plain);
  ASSERT_EQ(fused->size(), 2U);
  for (size_t k = 0; k < fused->size(); ++k) {
    float largest = 0, difference = 0;
    for (size_t i = 0; i < (*plain)[k].floats().size(); ++i) {
      largest = std::max(largest, std::fabs((*plain)[k].floats()[i]));
      difference = std::max(difference, std::fabs((*plain)[k].floats()[i] - (*fused)[k].floats()[i]));
    }
    EXPECT_LE(difference, 1e-5F * largest);
  }
}

TEST(Executable, RefusesTensorsItWasNotCompiledFor) {
  const auto executable = compileUNet("cpu");
  const auto result = executable->run({randomTensor({1, 1, 8, 8, 8}, 1)});
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, testing::HasSubstr("\"image\""));
  EXPECT_FALSE(executable->run({}));
}

// A block whose input is both what the convolution reads and what is added to its result.
TEST(Executable, DoesNotOverwriteAnInputThatTheSameStepReads) {
  OnnxBuilder b;
  const std::string x = b.node("Relu", {b.input("x", {1, 4, 6, 6, 6})});
  const std::string y = b.node("Conv", {x, b.weights({4, 4, 3, 3, 3}, 1)}).ints("pads", {1, 1, 1, 1, 1, 1});
  b.output(b.node("Add", {y, x}), 5);
  const auto image = randomTensor({1, 4, 6, 6, 6}, 2);
  const auto fused = runOne(b, "cpu", image), plain = runOne(b, "reference", image);
  for (size_t i = 0; i < plain.floats().size(); ++i) ASSERT_NEAR(fused.floats()[i], plain.floats()[i], 1e-5);
}

TEST(Executable, LeavesOutWhatNobodyReads) {
  OnnxBuilder b;
  const OnnxBuilder::NodeBuilder pool = b.node("MaxPool", {b.input("x", {1, 2, 4, 4, 4})}, 2);
  b.output(OnnxBuilder::NodeBuilder(pool).ints("kernel_shape", {2, 2, 2}), 5);
  const auto executable =
      (*compute::openDevice("cpu"))->compile(*nn::parseOnnx(b.bytes(), "test"), {{"x", {1, 2, 4, 4, 4}}});
  ASSERT_TRUE(executable) << executable.error().message;
  for (const auto& step : (*executable)->report().steps)
    EXPECT_THAT(step.kernel, testing::Not(testing::HasSubstr("reference"))) << step.op << " computes indices";
}

TEST(Executable, ReturnsInputsAndConstantsThatAreOutputs) {
  OnnxBuilder b;
  const std::string x = b.input("x", {1, 2, 3, 3, 3});
  b.output(x, 5);
  b.output(b.constant({{2}, std::vector<float>{4, 5}}), 1);
  b.output(b.node("Relu", {x}), 5);
  for (const char* device : {"cpu", "reference"}) {
    const auto image = randomTensor({1, 2, 3, 3, 3}, 2);
    const auto outputs = runModel(b, device, {{"x", image}});
    ASSERT_TRUE(outputs) << outputs.error().message;
    EXPECT_EQ((*outputs)[0].floats(), image.floats());
    EXPECT_EQ((*outputs)[1].floats(), (std::vector<float>{4, 5}));
  }
}

void expectLikeTheReference(const OnnxBuilder& model, const nn::Tensor& x) {
  const auto ours = runModel(model, "cpu", {{"x", x}}), plain = runModel(model, "reference", {{"x", x}});
  ASSERT_TRUE(ours) << ours.error().message;
  ASSERT_TRUE(plain) << plain.error().message;
  ASSERT_EQ(ours->front().shape, plain->front().shape);
  if (!plain->front().isFloat()) {
    EXPECT_EQ(ours->front().ints(), plain->front().ints());
    return;
  }
  for (size_t i = 0; i < plain->front().floats().size(); ++i)
    ASSERT_NEAR(ours->front().floats()[i], plain->front().floats()[i], 1e-5);
}

// Folding the normalisation makes new weights: the file has taken the name that they would get.
TEST(Executable, DoesNotTakeNamesOfTheFileForItsOwnConstants) {
  OnnxBuilder b;
  const std::string x = b.input("x", {1, 8, 4, 4, 4});
  const std::string conv = b.node("Conv", {x, b.weights({64, 8, 1, 1, 1}, 1)});
  std::vector<std::string> inputs{conv};
  for (unsigned i = 0; i < 4; ++i) inputs.push_back(b.constant(randomTensor({64}, i, 0.5F, 1)));
  const std::string wide = b.node("BatchNormalization", inputs);
  b.weights({1, 8, 1, 1, 1}, 2);
  b.graph().mutable_initializer()->rbegin()->set_name(conv + "/folded_weights");
  const std::string narrow = b.node("Conv", {x, conv + "/folded_weights"});
  b.output(b.node("Add", {wide, narrow}), 5);
  expectLikeTheReference(b, randomTensor({1, 8, 4, 4, 4}, 3));
}

TEST(Executable, IgnoresWhatAFileSaysInTheNameOfItsPasses) {
  OnnxBuilder b;
  const std::string x = b.input("x", {2, 3, 4});
  b.output(b.node("MatMul", {x, b.weights({4, 5}, 1)})
               .ints("lynceus.transpose_a", {1000000})
               .ints("transpose_a", {1000000})
               .text("lynceus.fused_activation", "Exp"),
           3);
  expectLikeTheReference(b, randomTensor({2, 3, 4}, 3));
}

TEST(Executable, KeepsAnActivationOfIntegersApart) {
  OnnxBuilder b;
  const std::string largest = b.node("ArgMax", {b.input("x", {3, 4})}).integer("axis", 1);
  const std::string shifted = b.node("Add", {largest, b.ints({-2})});
  b.output(b.node("Relu", {shifted}), 2);
  expectLikeTheReference(b, randomTensor({3, 4}, 1));
}

// 2^28 numbers of work are folded; what is left are nodes whose inputs are constants.
TEST(Executable, RunsNodesOfConstantsThatAreTooManyToFold) {
  OnnxBuilder b;
  const std::string many = b.node("ConstantOfShape", {b.ints({1, 1, 1 << 9, 1 << 9, 1 << 9})})
                               .tensor("value", {{1}, std::vector<float>{-2}});
  const std::string small =
      b.node("MaxPool", {b.node("Relu", {many})}).ints("kernel_shape", {64, 64, 64}).ints("strides", {64, 64, 64});
  b.output(b.node("Add", {b.input("x", {1, 1, 8, 8, 8}), small}), 5);
  const auto outputs = runModel(b, "cpu", {{"x", nn::Tensor::zeros({1, 1, 8, 8, 8})}});
  ASSERT_TRUE(outputs) << outputs.error().message;
  for (const float v : outputs->front().floats()) ASSERT_EQ(v, 0);
}

}  // namespace
}  // namespace lynceus::test
