// Exporters write normalisations and Gelu in many small operators; the cpu runs each as one.
#include <algorithm>
#include <cmath>

#include "tests/unit/nn/run_model.h"

namespace lynceus::test {
namespace {

std::vector<std::string> operatorsOf(const OnnxBuilder& model, const nn::Shape& x) {
  const auto graph = nn::parseOnnx(model.bytes(), "test");
  const auto executable = (*compute::openDevice("cpu"))->compile(*graph, {{"x", x}});
  EXPECT_TRUE(executable) << executable.error().message;
  if (!executable) return {};
  std::vector<std::string> names;
  for (const auto& step : (*executable)->report().steps)
    if (step.op != "lynceus.Reorder") names.push_back(step.op);
  return names;
}

// One operator on the cpu, and the reference's result of the many. 16 roundings of numbers of the size of the largest.
void expectOne(const OnnxBuilder& model, const nn::Shape& shape, const std::vector<std::string>& operators) {
  EXPECT_EQ(operatorsOf(model, shape), operators);
  const nn::Tensor x = randomTensor(shape, 5, -2, 3);
  const nn::Tensor expected = runOne(model, "reference", x), actual = runOne(model, "cpu", x);
  float largest = 0;
  for (const float v : expected.floats()) largest = std::max(largest, std::fabs(v));
  for (size_t i = 0; i < expected.size(); ++i)
    ASSERT_NEAR(actual.floats()[i], expected.floats()[i], 16 * 1.2e-7F * largest) << "at " << i;
}

std::string groupNorm(OnnxBuilder& b, const std::string& x, int64_t channels, int64_t groups) {
  const std::string rows = b.node("Reshape", {x, b.ints({0, groups, -1})});
  const std::string normal =
      b.node("InstanceNormalization", {rows, b.constant(randomTensor({groups}, 1, 0.5F, 2)), b.weights({groups}, 2)})
          .real("epsilon", 1e-5F);
  const std::string back = b.node("Reshape", {normal, (std::string)b.node("Shape", {x})});
  const std::string scaled = b.node("Mul", {back, b.constant(randomTensor({channels, 1, 1, 1}, 3))});
  return b.node("Add", {b.constant(randomTensor({1, channels, 1, 1, 1}, 4)), scaled});
}

TEST(Recognise, GroupNormAsTorchWritesItWithTheReluBehindIt) {
  OnnxBuilder b;
  const nn::Shape shape{2, 12, 5, 4, 7};
  b.output(b.node("Relu", {groupNorm(b, b.input("x", shape), 12, 4)}), 5);
  expectOne(b, shape, {"lynceus.GroupNorm"});
}

TEST(Recognise, GroupNormalizationOfBothOpsets) {
  const nn::Shape shape{2, 12, 5, 4, 7};
  for (const int opset : {18, 21}) {
    OnnxBuilder b(opset);
    const int64_t parameters = opset == 18 ? 4 : 12;
    b.output(b.node("GroupNormalization",
                    {b.input("x", shape), b.constant(randomTensor({parameters}, 1)), b.weights({parameters}, 2)})
                 .integer("num_groups", 4)
                 .output(),
             5);
    expectOne(b, shape, {"lynceus.GroupNorm"});
  }
}

// The value between is read by somebody else, so it has to exist.
TEST(Recognise, KeepsAGroupNormWhoseUnscaledResultIsNeeded) {
  OnnxBuilder b;
  const nn::Shape shape{1, 6, 3, 4, 5};
  const std::string x = b.input("x", shape);
  const std::string normal = b.node("InstanceNormalization", {x, b.constant(randomTensor({6}, 1)), b.weights({6}, 2)});
  const std::string scaled = b.node("Mul", {normal, b.constant(randomTensor({6, 1, 1, 1}, 3))});
  b.output(b.node("Sub", {scaled, normal}), 5);
  expectOne(b, shape, {"lynceus.GroupNorm", "Mul", "Sub"});
}

TEST(Recognise, DoesNotTakeAConstantAlongTheRowsForOneOfChannels) {
  OnnxBuilder b;
  const nn::Shape shape{1, 6, 3, 4, 6};
  const std::string normal =
      b.node("InstanceNormalization", {b.input("x", shape), b.constant(randomTensor({6}, 1)), b.weights({6}, 2)});
  b.output(b.node("Mul", {normal, b.constant(randomTensor({6}, 3))}), 5);
  expectOne(b, shape, {"lynceus.GroupNorm", "Mul"});
}

TEST(Recognise, LayerNormSpelledOut) {
  OnnxBuilder b(13);
  const nn::Shape shape{2, 9, 24};
  const std::string x = b.input("x", shape);
  const auto mean = [&](const std::string& v) {
    return b.node("ReduceMean", {v}).ints("axes", {-1}).integer("keepdims", 1).output();
  };
  const std::string centred = b.node("Sub", {x, mean(x)});
  const std::string square = b.node("Pow", {centred, b.constant({{}, std::vector<float>{2}})});
  const std::string variance = b.node("Add", {mean(square), b.constant({{}, std::vector<float>{1e-5F}})});
  b.output(b.node("Div", {centred, (std::string)b.node("Sqrt", {variance})}), 3);
  expectOne(b, shape, {"LayerNormalization"});
}

// The last merging of a Swin transformer: wider than our kernel takes, and older than the operator.
TEST(Recognise, AWideLayerNormOfAnOldNetworkRuns) {
  OnnxBuilder b(13);
  const nn::Shape shape{2, 3, 3072};
  const std::string x = b.input("x", shape);
  const std::string mean = b.node("ReduceMean", {x}).ints("axes", {-1}).integer("keepdims", 1);
  const std::string centred = b.node("Sub", {x, mean});
  const std::string square = b.node("Mul", {centred, centred});
  const std::string meanSquare = b.node("ReduceMean", {square}).ints("axes", {-1}).integer("keepdims", 1);
  const std::string variance = b.node("Add", {meanSquare, b.constant({{}, std::vector<float>{1e-5F}})});
  b.output(b.node("Div", {centred, (std::string)b.node("Sqrt", {variance})}), 3);
  const auto tensor = randomTensor(shape, 1);
  const auto ours = runOne(b, "cpu", tensor), plain = runOne(b, "reference", tensor);
  for (size_t i = 0; i < plain.floats().size(); ++i) ASSERT_NEAR(ours.floats()[i], plain.floats()[i], 1e-5);
}

TEST(Recognise, GeluHoweverItsProductIsWritten) {
  const nn::Shape shape{2, 9, 24};
  for (const bool halfFirst : {true, false}) {
    OnnxBuilder b;
    const std::string x = b.input("x", shape), half = b.constant({{}, std::vector<float>{0.5F}});
    const std::string scaled = b.node("Div", {x, b.constant({{}, std::vector<float>{std::sqrt(2.0F)}})});
    const std::string sum =
        b.node("Add", {(std::string)b.node("Erf", {scaled}), b.constant({{}, std::vector<float>{1}})});
    const std::string inner = halfFirst ? b.node("Mul", {x, half}) : b.node("Mul", {x, sum});
    b.output(b.node("Mul", {inner, halfFirst ? sum : half}), 3);
    expectOne(b, shape, {"Gelu"});
  }
}

}  // namespace
}  // namespace lynceus::test
