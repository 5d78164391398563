// Gemm with factors, on every backend.
#include <limits>
#include <optional>

#include <gmock/gmock.h>

#include "tests/unit/nn/run_model.h"

namespace lynceus::test {
namespace {

using Floats = std::vector<float>;

struct GemmCase {
  nn::Shape a, b;
  std::optional<nn::Shape> c;
  int64_t transA = 0, transB = 0;
};

enum class Known { b, a, none };  ///< which operand is a constant

OnnxBuilder gemm(const GemmCase& g, float alpha, float beta, Known known, const char* activation) {
  OnnxBuilder b;
  const std::string x = b.input("x", known == Known::a ? g.b : g.a);
  const std::string first = known == Known::a ? b.constant(randomTensor(g.a, 2)) : x;
  const std::string second = known == Known::a   ? x
                             : known == Known::b ? b.constant(randomTensor(g.b, 3))
                                                 : b.input("w", g.b);
  std::vector<std::string> inputs{first, second};
  if (g.c) inputs.push_back(b.constant(randomTensor(*g.c, 4)));
  std::string y = b.node("Gemm", inputs)
                      .integer("transA", g.transA)
                      .integer("transB", g.transB)
                      .real("alpha", alpha)
                      .real("beta", beta);
  if (activation) y = b.node(activation, {y});
  b.output(y, 2);
  return b;
}

// Sums of 6 products of numbers up to 1, times 2, plus 3: some ten roundings of 2^-24 of 15.
TEST(Gemm, WithFactorsAgreesWithTheReferenceOnEveryBackend) {
  const GemmCase cases[] = {{{4, 6}, {6, 3}, nn::Shape{3}},          {{4, 6}, {6, 3}, std::nullopt},
                            {{6, 4}, {3, 6}, nn::Shape{4, 3}, 1, 1}, {{4, 6}, {6, 3}, nn::Shape{4, 1}},
                            {{3, 6}, {6, 3}, nn::Shape{3, 1}},       {{4, 6}, {6, 3}, nn::Shape{}},
                            {{4, 6}, {3, 6}, nn::Shape{1, 3}, 0, 1}};
  for (const GemmCase& g : cases)
    for (const auto& [alpha, beta] : {std::pair{2.0F, 3.0F}, {0.5F, 1.0F}, {1.0F, -0.25F}, {0.0F, 2.0F}, {-1.0F, 0.0F}})
      for (const Known known : {Known::b, Known::a, Known::none})
        for (const char* activation : {static_cast<const char*>(nullptr), "Relu"}) {
          const OnnxBuilder b = gemm(g, alpha, beta, known, activation);
          std::vector<nn::NamedTensor> inputs{{"x", randomTensor(known == Known::a ? g.b : g.a, 5)}};
          if (known == Known::none) inputs.push_back({"w", randomTensor(g.b, 6)});
          const auto plain = runModel(b, "reference", inputs), ours = runModel(b, "cpu", inputs);
          ASSERT_TRUE(plain && ours);
          for (size_t i = 0; i < plain->front().floats().size(); ++i)
            ASSERT_NEAR(ours->front().floats()[i], plain->front().floats()[i], 1e-5) << alpha << " " << beta;
        }
}

// As ONNX Runtime and BLAS have it: with a factor of 0 what C holds does not count.
TEST(Gemm, WithBetaZeroDoesNotReadC) {
  for (const char* device : {"reference", "cpu"}) {
    OnnxBuilder b;
    const std::string unit = b.constant({{2, 2}, Floats{1, 0, 0, 1}});
    const std::string c = b.constant({{2}, Floats{NAN, std::numeric_limits<float>::infinity()}});
    b.output(b.node("Gemm", {b.input("x", {2, 2}), unit, c}).real("alpha", 2).real("beta", 0), 2);
    EXPECT_THAT(runOne(b, device, {{2, 2}, Floats{1, 2, 3, 4}}).floats(), testing::ElementsAre(2, 4, 6, 8)) << device;
  }
}

TEST(Gemm, WithAFactorRunsInOneDnn) {
  const OnnxBuilder b = gemm({{4, 6}, {6, 3}, nn::Shape{3}}, 0.5F, 2, Known::b, nullptr);
  const auto executable = (*compute::openDevice("cpu"))->compile(*nn::parseOnnx(b.bytes(), "test"), {{"x", {4, 6}}});
  ASSERT_TRUE(executable) << executable.error().message;
  EXPECT_THAT((*executable)->report().steps.front().kernel, testing::Not(testing::HasSubstr("reference")));
}

}  // namespace
}  // namespace lynceus::test
