// The oracle itself, against numbers worked out by hand.
#include <functional>

#include "tests/unit/nn/run_model.h"

namespace lynceus::test {
namespace {

using Floats = std::vector<float>;

Floats reference(
    const std::string& op, const nn::Tensor& x, const std::vector<nn::Tensor>& constants,
    const std::function<void(OnnxBuilder::NodeBuilder&)>& attributes = [](auto&) {}) {
  OnnxBuilder b;
  std::vector<std::string> inputs{b.input("x", x.shape)};
  for (const nn::Tensor& t : constants) inputs.push_back(b.constant(t));
  auto node = b.node(op, inputs);
  attributes(node);
  b.output(node, x.shape.size());
  return runOne(b, "reference", x).floats();
}

nn::Tensor row(const Floats& values) { return {{1, 1, static_cast<int64_t>(values.size())}, values}; }

TEST(ReferenceConv, CorrelatesWithoutFlippingTheKernel) {
  const auto y = reference("Conv", row({1, 2, 3, 4}), {row({1, 0, -1}), {{1}, Floats{10}}}, [](auto& n) {
    n.ints("pads", {1, 1});
  });
  EXPECT_EQ(y, (Floats{10 - 2, 10 + 1 - 3, 10 + 2 - 4, 10 + 3}));
}

TEST(ReferenceConv, SkipsVoxelsByStrideAndDilation) {
  const auto y = reference("Conv", row({1, 2, 3, 4, 5, 6}), {row({1, 10})},
                           [](auto& n) { n.ints("strides", {2}).ints("dilations", {3}); });
  EXPECT_EQ(y, (Floats{1 + 40, 3 + 60}));
}

TEST(ReferenceConvTranspose, SpreadsEachVoxelOverItsWindow) {
  const auto y = reference("ConvTranspose", row({1, 2}), {row({1, 10, 100})}, [](auto& n) { n.ints("strides", {2}); });
  EXPECT_EQ(y, (Floats{1, 10, 100 + 2, 20, 200}));
}

TEST(ReferenceMaxPool, LooksAtTheVoxelsInsideOnly) {
  const auto y = reference("MaxPool", row({-3, -1, -2}), {}, [](auto& n) {
    n.ints("kernel_shape", {2}).ints("pads", {1, 0});
  });
  EXPECT_EQ(y, (Floats{-3, -1, -1}));
}

TEST(ReferenceResize, NearestRepeatsAndLinearInterpolates) {
  const nn::Tensor none{{0}, Floats{}}, twice{{3}, Floats{1, 1, 2}};
  EXPECT_EQ(reference("Resize", row({1, 3}), {none, twice},
                      [](auto& n) {
                        n.text("mode", "nearest")
                            .text("coordinate_transformation_mode", "asymmetric")
                            .text("nearest_mode", "floor");
                      }),
            (Floats{1, 1, 3, 3}));
  EXPECT_EQ(reference("Resize", row({1, 3}), {none, twice}, [](auto& n) { n.text("mode", "linear"); }),
            (Floats{1, 1.5F, 2.5F, 3}));
}

TEST(ReferenceInstanceNormalization, GivesMeanZeroAndVarianceOne) {
  const auto y = reference("InstanceNormalization", row({1, 3}), {{{1}, Floats{2}}, {{1}, Floats{5}}},
                           [](auto& n) { n.real("epsilon", 0); });
  EXPECT_EQ(y, (Floats{3, 7}));
}

TEST(ReferenceBatchNormalization, UsesTheStoredMeanAndVariance) {
  const auto y = reference("BatchNormalization", row({1, 3}),
                           {{{1}, Floats{2}}, {{1}, Floats{5}}, {{1}, Floats{1}}, {{1}, Floats{4}}},
                           [](auto& n) { n.real("epsilon", 0); });
  EXPECT_EQ(y, (Floats{5, 7}));
}

TEST(ReferenceGemm, TransposesScalesAndAdds) {
  const auto y = reference("Gemm", {{1, 2}, Floats{1, 2}}, {{{2, 2}, Floats{1, 10, 100, 1000}}, {{2}, Floats{4, 6}}},
                           [](auto& n) { n.integer("transB", 1).real("alpha", 2).real("beta", 0.5F); });
  EXPECT_EQ(y, (Floats{2 * 21 + 2, 2 * 2100 + 3}));
}

TEST(ReferenceSoftmax, SumsToOne) {
  const auto y = reference("Softmax", row({0, 0, 0, 0}), {});
  EXPECT_EQ(y, Floats(4, 0.25F));
}

TEST(ReferenceSlice, CountsFromTheEndAndBackwards) {
  const auto y = reference("Slice", row({0, 1, 2, 3, 4}),
                           {{{1}, std::vector<int64_t>{-1}},
                            {{1}, std::vector<int64_t>{0}},
                            {{1}, std::vector<int64_t>{2}},
                            {{1}, std::vector<int64_t>{-2}}});
  EXPECT_EQ(y, (Floats{4, 2}));
}

TEST(ReferenceGlobalAveragePool, IsTheMean) {
  EXPECT_EQ(reference("GlobalAveragePool", row({1, 2, 6}), {}), Floats{3});
}

TEST(ReferenceActivations, FollowTheirDefinitions) {
  EXPECT_EQ(reference("Relu", row({-1, 2}), {}), (Floats{0, 2}));
  EXPECT_EQ(reference("LeakyRelu", row({-1, 2}), {}, [](auto& n) { n.real("alpha", 0.5F); }), (Floats{-0.5F, 2}));
  EXPECT_EQ(reference("Sigmoid", row({0}), {}), Floats{0.5F});
  EXPECT_EQ(reference("Clip", row({-2, 0, 2}), {{{}, Floats{-1}}, {{}, Floats{1}}}), (Floats{-1, 0, 1}));
}

}  // namespace
}  // namespace lynceus::test
