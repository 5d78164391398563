// What becomes part of a matrix product: results stay, the nodes go.
#include <limits>

#include <gmock/gmock.h>

#include "tests/unit/nn/run_model.h"

namespace lynceus::test {
namespace {

using Ints = std::vector<int64_t>;

std::vector<std::string> stepsOf(const OnnxBuilder& model, const nn::Shape& x) {
  const auto graph = nn::parseOnnx(model.bytes(), "test");
  auto executable = (*compute::openDevice("cpu"))->compile(*graph, {{"x", x}});
  std::vector<std::string> ops;
  if (executable)
    for (const auto& step : (*executable)->report().steps) ops.push_back(step.op);
  return ops;
}

// Sums of up to 64 products of numbers up to 1, twice over: 200 roundings relative to the largest result cover them.
void expectLikeTheReference(const OnnxBuilder& model, const nn::Tensor& x) {
  const nn::Tensor expected = runOne(model, "reference", x), actual = runOne(model, "cpu", x);
  ASSERT_EQ(actual.shape, expected.shape);
  float largest = 0;
  for (const float v : expected.floats()) largest = std::max(largest, std::fabs(v));
  for (size_t i = 0; i < expected.size(); ++i)
    ASSERT_NEAR(actual.floats()[i], expected.floats()[i], 200 * std::numeric_limits<float>::epsilon() * largest);
}

TEST(MatMulPasses, ALinearLayerIsOneStep) {
  OnnxBuilder b(20);
  const std::string x = b.input("x", {2, 9, 32});
  const std::string product = b.node("MatMul", {x, b.weights({32, 48}, 1)});
  const std::string sum = b.node("Add", {b.weights({48}, 2), product});
  b.output(b.node("Gelu", {sum}), 3);
  EXPECT_THAT(stepsOf(b, {2, 9, 32}), testing::ElementsAre("MatMul"));
  expectLikeTheReference(b, randomTensor({2, 9, 32}, 3));
}

TEST(MatMulPasses, AnAddThatIsNoBiasStays) {
  OnnxBuilder b;
  const std::string x = b.input("x", {2, 9, 32});
  const std::string product = b.node("MatMul", {x, b.weights({32, 9}, 1)});
  b.output(b.node("Add", {product, b.weights({9, 1}, 2)}), 3);
  EXPECT_THAT(stepsOf(b, {2, 9, 32}), testing::ElementsAre("MatMul", "Add"));
  expectLikeTheReference(b, randomTensor({2, 9, 32}, 3));
}

TEST(MatMulPasses, AttentionReadsHeadsWhereTheyLie) {
  OnnxBuilder b;
  const std::string x = b.input("x", {2, 11, 3, 16});
  const std::string query = b.node("Transpose", {x}).ints("perm", {0, 2, 1, 3});
  const std::string key = b.node("Transpose", {x}).ints("perm", {0, 2, 3, 1});
  b.output(b.node("MatMul", {query, key}), 4);
  EXPECT_THAT(stepsOf(b, {2, 11, 3, 16}), testing::ElementsAre("MatMul"));
  expectLikeTheReference(b, randomTensor({2, 11, 3, 16}, 3));
}

TEST(MatMulPasses, AnEinsumThatIsAProductOfMatricesBecomesOne) {
  const std::pair<const char*, nn::Shape> cases[] = {
      {"bhid,bhjd->bhij", {2, 3, 7, 8}}, {"bhid, bhdj -> bihj", {2, 3, 7, 8}}, {"ab,bc->ca", {9, 16}}};
  for (const auto& [equation, shape] : cases) {
    SCOPED_TRACE(equation);
    OnnxBuilder b;
    const std::string x = b.input("x", shape);
    nn::Shape other = shape;
    other.back() = 5;
    if (std::string(equation).find("jd") != std::string::npos)
      other = {2, 3, 5, 8};
    else
      other[other.size() - 2] = shape.back();
    b.output(b.node("Einsum", {x, b.constant(randomTensor(other, 4))}).text("equation", equation), shape.size());
    EXPECT_THAT(stepsOf(b, shape), testing::Contains("MatMul"));
    EXPECT_THAT(stepsOf(b, shape), testing::Not(testing::Contains("Einsum")));
    expectLikeTheReference(b, randomTensor(shape, 3));
  }
}

TEST(MatMulPasses, AnotherEinsumStays) {
  OnnxBuilder b;
  const std::string x = b.input("x", {4, 4});
  b.output(b.node("Einsum", {x, b.constant(randomTensor({4, 4}, 4))}).text("equation", "ab,ab->a"), 1);
  EXPECT_THAT(stepsOf(b, {4, 4}), testing::Contains("Einsum"));
  expectLikeTheReference(b, randomTensor({4, 4}, 3));
}

}  // namespace
}  // namespace lynceus::test
