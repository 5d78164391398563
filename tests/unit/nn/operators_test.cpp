// The operators of the reference backend beyond convolution, against numbers worked out by hand, and what they refuse.
#include <functional>

#include <gmock/gmock.h>

#include "tests/unit/nn/run_model.h"

namespace lynceus::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Floats = std::vector<float>;
using Ints = std::vector<int64_t>;
using NodeBuilder = OnnxBuilder::NodeBuilder;

struct Use {
  std::string op;
  nn::Tensor x;
  std::vector<nn::Tensor> constants = {};
  std::function<void(NodeBuilder&)> attributes = [](NodeBuilder&) {};
  int opset = 17;
  bool integers = false;  // the operator computes integers
};

OnnxBuilder modelOf(const Use& use) {
  OnnxBuilder b(use.opset);
  std::vector<std::string> inputs{b.input("x", use.x.shape)};
  for (const nn::Tensor& t : use.constants) inputs.push_back(b.constant(t));
  NodeBuilder node = b.node(use.op, inputs);
  use.attributes(node);
  const std::string y = use.integers ? b.node("Cast", {node.output()}).integer("to", 1).output() : node.output();
  b.output(y, 0);
  b.graph().mutable_output(0)->mutable_type()->mutable_tensor_type()->clear_shape();
  return b;
}

Floats run(const Use& use) { return runOne(modelOf(use), "reference", use.x).floats(); }

std::string refusal(const Use& use) {
  const auto result = runModel(modelOf(use), "reference", {{"x", use.x}});
  return result ? "no error" : result.error().message;
}

nn::Tensor row(const Floats& values) { return {{static_cast<int64_t>(values.size())}, values}; }
nn::Tensor indices(const Ints& values) { return {{static_cast<int64_t>(values.size())}, values}; }
nn::Tensor one(int64_t value) { return {{}, Ints{value}}; }

const nn::Tensor kSquare{{2, 2}, Floats{1, 2, 3, 4}};

TEST(ReferenceReduce, SumsOverTheNamedAxes) {
  EXPECT_THAT(run({"ReduceSum", kSquare, {indices({0})}}), ElementsAre(4, 6));
  EXPECT_THAT(run({"ReduceMean", kSquare, {}, [](auto& n) { n.ints("axes", {-1}); }}), ElementsAre(1.5F, 3.5F));
  EXPECT_THAT(run({"ReduceProd", kSquare}), ElementsAre(24));
  EXPECT_THAT(run({"ReduceMax", kSquare, {indices({1})}, [](auto&) {}, 18}), ElementsAre(2, 4));
  EXPECT_THAT(run({"ReduceL2", row({3, 4})}), ElementsAre(5));
  EXPECT_THAT(run({"ReduceSumSquare", row({1, 2, 3})}), ElementsAre(14));
}

TEST(ReferenceReduce, LogSumExpDoesNotOverflow) {
  EXPECT_THAT(run({"ReduceLogSumExp", row({1000, 1000})}), ElementsAre(1000 + std::log(2.0F)));
}

TEST(ReferenceReduce, WithoutAxesTakesAllOrNone) {
  const auto noop = [](NodeBuilder& n) { n.integer("noop_with_empty_axes", 1); };
  EXPECT_THAT(run({"ReduceSumSquare", row({1, 2}), {}, noop, 18}), ElementsAre(1, 4));
}

TEST(ReferenceArgMax, TakesTheFirstOrLastOfEquals) {
  EXPECT_THAT(run({"ArgMax", row({1, 3, 3}), {}, [](auto&) {}, 17, true}), ElementsAre(1));
  const auto last = [](NodeBuilder& n) { n.integer("select_last_index", 1); };
  EXPECT_THAT(run({"ArgMax", row({1, 3, 3}), {}, last, 17, true}), ElementsAre(2));
}

TEST(ReferenceTopK, OrdersEqualsByIndex) {
  EXPECT_THAT(run({"TopK", row({1, 3, 2, 3}), {indices({3})}}), ElementsAre(3, 3, 2));
}

TEST(ReferenceCumSum, CountsForwardsAndBackwards) {
  EXPECT_THAT(run({"CumSum", row({1, 2, 3}), {one(0)}}), ElementsAre(1, 3, 6));
  const auto both = [](NodeBuilder& n) { n.integer("exclusive", 1).integer("reverse", 1); };
  EXPECT_THAT(run({"CumSum", row({1, 2, 3}), {one(0)}, both}), ElementsAre(5, 3, 0));
}

TEST(ReferenceGroupNormalization, HasParametersForEachGroupOrChannel) {
  const nn::Tensor x{{1, 4, 1}, Floats{1, 3, 10, 30}};
  const auto groups = [](NodeBuilder& n) { n.integer("num_groups", 2).real("epsilon", 0); };
  EXPECT_THAT(run({"GroupNormalization", x, {row({2, 3}), row({5, 7})}, groups, 18}), ElementsAre(3, 7, 4, 10));
  EXPECT_THAT(run({"GroupNormalization", x, {row({1, 2, 3, 4}), row({0, 0, 0, 1})}, groups, 21}),
              ElementsAre(-1, 2, -3, 5));
}

TEST(ReferenceLayerNormalization, GivesEachRowMeanZeroAndVarianceOne) {
  const nn::Tensor x{{2, 2}, Floats{1, 3, 10, 30}};
  const auto exact = [](NodeBuilder& n) { n.real("epsilon", 0); };
  EXPECT_THAT(run({"LayerNormalization", x, {row({2, 4}), row({0, 1})}, exact}), ElementsAre(-2, 5, -2, 5));
}

TEST(ReferenceEinsum, MultipliesSumsAndTakesDiagonals) {
  const auto equation = [](const char* text) { return [text](NodeBuilder& n) { n.text("equation", text); }; };
  EXPECT_THAT(run({"Einsum", kSquare, {kSquare}, equation("ij,jk->ik")}), ElementsAre(7, 10, 15, 22));
  EXPECT_THAT(run({"Einsum", kSquare, {}, equation("ii->i")}), ElementsAre(1, 4));
  EXPECT_THAT(run({"Einsum", kSquare, {}, equation("ii")}), ElementsAre(5));
  EXPECT_THAT(run({"Einsum", kSquare, {}, equation("ji")}), ElementsAre(1, 3, 2, 4));
  EXPECT_THAT(run({"Einsum", {{2, 1, 2}, Floats{1, 2, 3, 4}}, {kSquare}, equation("...ij,jk->...ik")}),
              ElementsAre(7, 10, 15, 22));
}

TEST(ReferenceGridSample, InterpolatesAndPads) {
  const nn::Tensor image{{1, 1, 1, 4}, Floats{1, 2, 3, 4}};
  const auto sample = [&](float x, const char* padding, const char* mode) {
    return run({"GridSample", image, {{{1, 1, 1, 2}, Floats{x, 0}}}, [=](NodeBuilder& n) {
                  n.text("padding_mode", padding).text("mode", mode);
                }});
  };
  EXPECT_THAT(sample(0, "zeros", "bilinear"), ElementsAre(2.5F));
  EXPECT_THAT(sample(-1, "zeros", "bilinear"), ElementsAre(0.5F));
  EXPECT_THAT(sample(-1, "border", "bilinear"), ElementsAre(1));
  EXPECT_THAT(sample(1.75F, "reflection", "nearest"), ElementsAre(3));
  EXPECT_THAT(sample(1e30F, "zeros", "bilinear"), ElementsAre(0));
}

TEST(ReferencePad, ReflectsRepeatsWrapsAndCuts) {
  const auto pad = [](const char* mode, int64_t before, int64_t after) {
    return run({"Pad", row({1, 2, 3}), {indices({before, after})}, [=](NodeBuilder& n) { n.text("mode", mode); }, 19});
  };
  EXPECT_THAT(pad("reflect", 2, 1), ElementsAre(3, 2, 1, 2, 3, 2));
  EXPECT_THAT(pad("edge", 1, 2), ElementsAre(1, 1, 2, 3, 3, 3));
  EXPECT_THAT(pad("wrap", 1, 4), ElementsAre(3, 1, 2, 3, 1, 2, 3, 1));
  EXPECT_THAT(pad("constant", -1, 1), ElementsAre(2, 3, 0));
}

TEST(ReferenceScatter, WritesWhereTheIndicesSay) {
  EXPECT_THAT(run({"ScatterElements", row({1, 2, 3}), {indices({2, 0}), row({30, 10})}}), ElementsAre(10, 2, 30));
  EXPECT_THAT(run({"ScatterND", kSquare, {{{1, 1}, Ints{-1}}, {{1, 2}, Floats{7, 8}}}}), ElementsAre(1, 2, 7, 8));
  EXPECT_THAT(run({"GatherND", kSquare, {{{2, 2}, Ints{0, 1, 1, 0}}}}), ElementsAre(2, 3));
}

TEST(ReferenceMaxPool, GivesTheIndexInTheWholeInput) {
  OnnxBuilder b;
  const std::string x = b.input("x", {2, 1, 2, 2});
  const NodeBuilder pool = b.node("MaxPool", {x}, 2).ints("kernel_shape", {2, 2});
  b.output(b.node("Cast", {pool.output(1)}).integer("to", 1), 4);
  EXPECT_THAT(runOne(b, "reference", {{2, 1, 2, 2}, Floats{1, 4, 2, 3, 1, 2, 9, 3}}).floats(), ElementsAre(1, 6));
}

TEST(ReferenceResize, KeepsTheMeanWhenItShrinksWithAntialias) {
  const nn::Tensor none{{0}, Floats{}};
  const auto y = run({"Resize",
                      row({0, 0, 4, 0, 0, 0}),
                      {none, row({0.5F})},
                      [](NodeBuilder& n) { n.text("mode", "linear").integer("antialias", 1); },
                      18});
  EXPECT_THAT(y, ElementsAre(0.5F, 1.5F, 0));
}

TEST(ReferenceActivations, RoundHalfToEvenAndFollowTheirParameters) {
  EXPECT_THAT(run({"Round", row({0.5F, 1.5F, -2.5F})}), ElementsAre(0, 2, -2));
  EXPECT_THAT(run({"Celu", row({-1, 2}), {}, [](auto& n) { n.real("alpha", 2); }}),
              ElementsAre(2 * std::expm1(-0.5F), 2));
  EXPECT_THAT(run({"HardSwish", row({-4, 3, 1})}), ElementsAre(0, 3, testing::FloatEq(2.0F / 3)));
}

TEST(ReferenceMod, HasTheSignOfTheDivisorForIntegers) {
  OnnxBuilder b;
  const std::string x = b.node("Cast", {b.input("x", {3})}).integer("to", 7);
  b.output(b.node("Cast", {b.node("Mod", {x, b.constant(indices({3}))}).output()}).integer("to", 1), 1);
  EXPECT_THAT(runOne(b, "reference", row({-4, 4, -3})).floats(), ElementsAre(2, 1, 0));
}

TEST(Refusals, NameTheNodeAndWhatDoesNotFit) {
  constexpr int64_t kHuge = int64_t{1} << 60;
  EXPECT_THAT(refusal({"ReduceSum", kSquare, {indices({2})}}), HasSubstr("axis 2 of an input of shape 2x2"));
  EXPECT_THAT(refusal({"Tile", row({1, 2}), {indices({kHuge})}}), HasSubstr("copies along axis 0"));
  EXPECT_THAT(refusal({"Expand", row({1}), {indices({kHuge})}}), HasSubstr("too large"));
  EXPECT_THAT(refusal({"Pad", row({1}), {indices({kHuge, 0})}}), HasSubstr("pads"));
  EXPECT_THAT(refusal({"Pad", row({1}), {indices({1, 0})}, [](auto& n) { n.text("mode", "reflect"); }}),
              HasSubstr("mode reflect"));
  EXPECT_THAT(refusal({"Gather", row({1}), {indices({1})}}), HasSubstr("index 1"));
  EXPECT_THAT(refusal({"GatherND", kSquare, {{{1, 3}, Ints{0, 0, 0}}}}), HasSubstr("indices of shape 1x3"));
  EXPECT_THAT(refusal({"ScatterElements", row({1}), {indices({0}), row({1, 2})}}), HasSubstr("updates of shape 2"));
  EXPECT_THAT(refusal({"TopK", row({1}), {indices({2})}}), HasSubstr("the 2 largest"));
  EXPECT_THAT(refusal({"GroupNormalization",
                       {{1, 3, 1}, Floats(3)},
                       {row({1}), row({1})},
                       [](auto& n) { n.integer("num_groups", 2); },
                       21}),
              HasSubstr("2 groups do not divide 3 channels"));
  EXPECT_THAT(refusal({"LRN", {{1, 3, 1}, Floats(3)}, {}, [&](auto& n) { n.integer("size", kHuge); }}),
              HasSubstr("size is"));
  EXPECT_THAT(refusal({"DepthToSpace", {{1, 4, 1, 1}, Floats(4)}, {}, [&](auto& n) { n.integer("blocksize", kHuge); }}),
              HasSubstr("blocks of"));
  EXPECT_THAT(refusal({"Resize", row({1, 2}), {row({}), row({}), indices({kHuge})}}), HasSubstr("the size of axis 0"));
  EXPECT_THAT(refusal({"NonZero", row({1}), {}, [](auto&) {}, 17, true}), HasSubstr("end the network before it"));
}

TEST(Refusals, OfEinsumNameTheTerm) {
  const auto equation = [](const char* text) { return [text](NodeBuilder& n) { n.text("equation", text); }; };
  for (const char* bad : {"", "i", "ijk->i", "ij->k", "ij->ii", "i1->i", "ij,ij->i", "..->i", "......->i", "i->i->"})
    EXPECT_THAT(refusal({"Einsum", kSquare, {}, equation(bad)}), HasSubstr("Einsum_")) << bad;
  EXPECT_EQ(refusal({"Einsum", kSquare, {}, equation("...->...")}), "no error");
}

// Constants that would take hours to multiply stay in the graph; compiling it is quick.
TEST(Folding, StopsWhereItsWorkWouldBeUnbounded) {
  OnnxBuilder b;
  const std::string x = b.input("x", {1});
  const std::string ones = b.node("ConstantOfShape", {b.ints({4096, 4096})});
  std::string product = ones;
  for (int i = 0; i < 50; ++i) product = b.node("MatMul", {product, ones});
  b.output(b.node("Add", {x, b.node("ReduceSum", {product}).output()}), 2);
  const auto graph = nn::parseOnnx(b.bytes(), "test");
  ASSERT_TRUE(graph);
  EXPECT_TRUE((*compute::openDevice("reference"))->compile(*graph, {{"x", {1}}}));
}

TEST(Folding, ComputesTheShapesThatExportersWrite) {
  OnnxBuilder b;
  const std::string x = b.input("x", {2, 3, 4});
  const std::string shape = b.node("Shape", {x});
  const std::string small = b.node("Less", {shape, b.constant(one(3))});
  const std::string sizes = b.node("Where", {small, shape, b.constant(indices({6, 6, 1}))});
  const std::string all = b.node("ReduceProd", {sizes}).integer("keepdims", 0);
  const std::string count = b.node("Div", {all, b.constant(one(1))});
  const std::string last = b.node("Unsqueeze", {count, b.ints({0})});
  const std::string target = b.node("Concat", {b.ints({2}), last}).integer("axis", 0);
  b.output(b.node("Reshape", {x, target}), 2);
  EXPECT_EQ(runOne(b, "reference", {{2, 3, 4}, Floats(24)}).shape, (nn::Shape{2, 12}));
}

}  // namespace
}  // namespace lynceus::test
