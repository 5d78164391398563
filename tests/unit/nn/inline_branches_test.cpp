// If nodes, as exporters write them where a step depends on a size.
#include <gmock/gmock.h>

#include "tests/unit/nn/run_model.h"

namespace lynceus::test {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kDevices[] = {"cpu", "reference"};

/// A branch with one node, which reads a value of the graph around it.
OnnxBuilder branchOf(const std::string& op, const std::vector<std::string>& inputs) {
  OnnxBuilder branch;
  branch.output(branch.node(op, inputs), 5);
  return branch;
}

// Whether dimension `axis` of x is 1, computed in the graph.
std::string isOne(OnnxBuilder& b, const std::string& x, int64_t axis) {
  const std::string size = b.node("Gather", {b.node("Shape", {x}), b.constant({{}, std::vector<int64_t>{axis}})});
  return b.node("Equal", {size, b.constant({{}, std::vector<int64_t>{1}})});
}

// torch.squeeze(x, 2) where the exporter does not know the size.
OnnxBuilder squeezeIfOne() {
  OnnxBuilder b;
  const std::string x = b.input("x", {1, -1, -1, 2});
  const std::string condition = isOne(b, x, 2), axes = b.ints({2});
  const std::string y = b.node("If", {condition})
                            .branch("then_branch", branchOf("Squeeze", {x, axes}))
                            .branch("else_branch", branchOf("Identity", {x}));
  b.output(b.node("Relu", {y}), 4);
  return b;
}

Expected<std::vector<nn::Tensor>> runOn(const OnnxBuilder& b, const nn::Tensor& x, const char* device = "reference") {
  return runModel(b, device, {{"x", x}});
}

TEST(InlineBranches, TakeTheBranchThatTheSizesChoose) {
  for (const char* device : kDevices) {
    const nn::Tensor squeezed = runOne(squeezeIfOne(), device, {{1, 2, 1, 2}, std::vector<float>{1, -2, 3, 4}});
    EXPECT_THAT(squeezed.shape, ElementsAre(1, 2, 2));
    EXPECT_THAT(squeezed.floats(), ElementsAre(1, 0, 3, 4));
    // Squeezing an axis of two is impossible, but nobody asks for it.
    const nn::Tensor kept = runOne(squeezeIfOne(), device, {{1, 1, 2, 2}, std::vector<float>{1, -2, 3, 4}});
    EXPECT_THAT(kept.shape, ElementsAre(1, 1, 2, 2));
    EXPECT_THAT(kept.floats(), ElementsAre(1, 0, 3, 4));
  }
}

TEST(InlineBranches, IgnoreUnknownOperatorsOfTheBranchNotTaken) {
  OnnxBuilder b;
  const std::string x = b.input("x", {1, 1});
  const std::string condition = isOne(b, x, 0);
  b.output(b.node("If", {condition})
               .branch("then_branch", branchOf("Neg", {x}))
               .branch("else_branch", branchOf("Unheard", {x})),
           2);
  EXPECT_THAT(runOne(b, "cpu", {{1, 1}, std::vector<float>{3}}).floats(), ElementsAre(-3));
}

TEST(InlineBranches, RefuseTheTakenBranchByItsOwnNode) {
  OnnxBuilder b;
  const std::string x = b.input("x", {1, 1});
  const std::string condition = isOne(b, x, 0);
  b.output(b.node("If", {condition})
               .branch("then_branch", branchOf("Unheard", {x}))
               .branch("else_branch", branchOf("Neg", {x})),
           2);
  const auto outputs = runOn(b, {{1, 1}, std::vector<float>{3}});
  ASSERT_FALSE(outputs);
  EXPECT_THAT(outputs.error().message, HasSubstr("Unheard (node \"Unheard_0\")"));
}

TEST(InlineBranches, KeepNamesApartAndReadAllGraphsAround) {
  // Both branches, and a branch within one, call their constants and nodes the same.
  const auto addConstant = [](const std::string& to, float value) {
    OnnxBuilder branch;
    branch.output(branch.node("Add", {to, branch.constant({{1}, std::vector<float>{value}})}), 1);
    return branch;
  };
  OnnxBuilder outer;
  const std::string x = outer.input("x", {1, 2});
  const std::string one = isOne(outer, x, 0), two = isOne(outer, x, 1);
  OnnxBuilder branch;
  const std::string scaled = branch.node("Mul", {x, branch.constant({{1}, std::vector<float>{10}})});
  branch.output(branch.node("If", {two})
                    .branch("then_branch", addConstant(scaled, 100))
                    .branch("else_branch", addConstant(scaled, 200)),
                2);
  outer.output(outer.node("If", {one}).branch("then_branch", branch).branch("else_branch", addConstant(x, 300)), 2);
  for (const char* device : kDevices)
    EXPECT_THAT(runOne(outer, device, {{1, 2}, std::vector<float>{1, 2}}).floats(), ElementsAre(210, 220));
}

// The largest value of the image decides.
OnnxBuilder brightnessDecides(const std::string& thenOp) {
  OnnxBuilder b;
  const std::string x = b.input("x", {1, 2});
  const std::string most = b.node("ReduceMax", {x}).integer("keepdims", 0);
  const std::string bright = b.node("Greater", {most, b.constant({{}, std::vector<float>{5}})});
  b.output(b.node("If", {bright})
               .branch("then_branch", branchOf(thenOp, {x}))
               .branch("else_branch", branchOf("Identity", {x})),
           2);
  return b;
}

TEST(InlineBranches, ChooseByTheImageBetweenResultsOfOneShape) {
  for (const char* device : kDevices) {
    const OnnxBuilder b = brightnessDecides("Neg");
    EXPECT_THAT(runOne(b, device, {{1, 2}, std::vector<float>{1, 9}}).floats(), ElementsAre(-1, -9));
    EXPECT_THAT(runOne(b, device, {{1, 2}, std::vector<float>{1, 2}}).floats(), ElementsAre(1, 2));
  }
}

TEST(InlineBranches, RefuseAShapeThatDependsOnTheImage) {
  const auto outputs = runOn(brightnessDecides("Transpose"), {{1, 2}, std::vector<float>{1, 9}});
  ASSERT_FALSE(outputs);
  EXPECT_THAT(outputs.error().message, AllOf(HasSubstr("(If)"), HasSubstr("depends on the image"),
                                             HasSubstr("export the network by tracing with fixed shapes")));
}

std::string importError(const OnnxBuilder& b) {
  const auto graph = nn::parseOnnx(b.bytes(), "bad.onnx");
  return graph ? "" : graph.error().message;
}

TEST(InlineBranches, SayWhatIsWrongWithAnIf) {
  const auto broken = [](const auto& change) {
    OnnxBuilder b = squeezeIfOne();
    for (auto& node : *b.graph().mutable_node())
      if (node.op_type() == "If") change(node);
    return importError(b);
  };
  EXPECT_THAT(broken([](auto& node) { node.mutable_attribute()->RemoveLast(); }),
              AllOf(HasSubstr("bad.onnx: node \"If_"), HasSubstr("its else_branch is missing")));
  EXPECT_THAT(broken([](auto& node) { node.mutable_attribute(0)->set_g("\x0a\x7f"); }),
              HasSubstr("its then_branch is missing or damaged"));
  EXPECT_THAT(broken([](auto& node) { node.mutable_attribute(0)->set_g(""); }),
              HasSubstr("its then_branch gives 0 of 1 outputs"));
  EXPECT_THAT(broken([](auto& node) { node.clear_input(); }), HasSubstr("has 0 inputs instead of its condition"));
}

TEST(InlineBranches, RefuseToNestWithoutEnd) {
  OnnxBuilder b = branchOf("Identity", {"x"});
  for (int level = 0; level < 17; ++level) {
    OnnxBuilder around;
    around.output(around.node("If", {"c"}).branch("then_branch", b).branch("else_branch", branchOf("Identity", {"x"})),
                  1);
    b = around;
  }
  EXPECT_THAT(importError(b), HasSubstr("is nested more than 16 deep"));
}

}  // namespace
}  // namespace lynceus::test
