// Windows of pooling that see nothing of the image, and padding that ONNX Runtime refuses.
#include <limits>

#include <gmock/gmock.h>

#include "tests/unit/nn/run_model.h"

namespace lynceus::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Floats = std::vector<float>;
using Ints = std::vector<int64_t>;

OnnxBuilder pool(const char* op, const nn::Shape& shape, const Ints& kernel, const Ints& pads, const Ints& dilations,
                 int64_t countPadding = 0) {
  OnnxBuilder b(19);
  OnnxBuilder::NodeBuilder node = b.node(op, {b.input("x", shape)});
  node.ints("kernel_shape", kernel).ints("pads", pads).ints("dilations", dilations);
  if (countPadding != 0) node.integer("count_include_pad", countPadding);
  b.output(node, shape.size());
  return b;
}

// With a dilation the two numbers of a window may lie on either side of the image. Results: ONNX Runtime 1.30.
TEST(Pooling, OfAWindowThatSeesNothingGivesWhatOnnxRuntimeGives) {
  const nn::Tensor x{{1, 1, 1, 1, 2}, Floats{1, 2}};
  constexpr float kLowest = std::numeric_limits<float>::lowest();
  for (const char* device : {"reference", "cpu"}) {
    SCOPED_TRACE(device);
    const auto run = [&](const char* op, int64_t countPadding) {
      return runOne(pool(op, x.shape, {1, 1, 2}, {0, 0, 1, 0, 0, 1}, {1, 1, 3}, countPadding), device, x).floats();
    };
    EXPECT_THAT(run("MaxPool", 0), ElementsAre(kLowest));
    EXPECT_THAT(run("AveragePool", 0), ElementsAre(0));
    EXPECT_THAT(run("AveragePool", 1), ElementsAre(0));
    EXPECT_THAT(run("LpPool", 0), ElementsAre(0));
  }
}

TEST(Pooling, OfSomeWindowsThatSeeNothingStillAgreesInTheOthers) {
  const nn::Tensor x = randomTensor({2, 17, 5, 4, 3}, 1);
  for (const char* op : {"MaxPool", "AveragePool"}) {
    const OnnxBuilder b = pool(op, x.shape, {2, 1, 2}, {1, 0, 1, 1, 0, 1}, {6, 1, 4});
    const auto ours = runOne(b, "cpu", x), plain = runOne(b, "reference", x);
    ASSERT_EQ(ours.shape, plain.shape);
    for (size_t i = 0; i < plain.floats().size(); ++i)
      ASSERT_NEAR(ours.floats()[i], plain.floats()[i], 1e-6) << op << " at " << i;
  }
}

TEST(Pooling, RefusesPaddingAsWideAsTheWindow) {
  const nn::Tensor x = randomTensor({1, 1, 4, 4, 4}, 1);
  for (const char* op : {"MaxPool", "AveragePool", "LpPool"})
    for (const char* device : {"reference", "cpu"}) {
      const auto y = runModel(pool(op, x.shape, {2, 2, 2}, {0, 2, 0, 0, 2, 0}, {1, 1, 1}), device, {{"x", x}});
      ASSERT_FALSE(y) << op;
      EXPECT_THAT(y.error().message, HasSubstr("pads 0x2x0x0x2x0 are as wide as the window 2x2x2"));
    }
}

}  // namespace
}  // namespace lynceus::test
