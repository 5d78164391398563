// Resize of integers: positions outside of the region of interest, and numbers that float cannot hold.
#include <gmock/gmock.h>

#include "core/nn/quantize_plan.h"
#include "tests/support/networks/quantized.h"
#include "tests/unit/nn/run_model.h"

namespace lynceus::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Proto = OnnxBuilder::Proto;
using Floats = std::vector<float>;

/// Five rows of a column of four that reach beyond both of its ends.
OnnxBuilder cropOf(int type, float extrapolation, const char* mode = "nearest") {
  OnnxBuilder b(13);
  const std::string x = b.node("Cast", {b.input("x", {1, 4, 1})}).integer("to", type);
  const std::string region = b.constant({{6}, Floats{0, -0.5F, 0, 1, 1.5F, 1}});
  const std::string crop = b.node("Resize", {x, region, "", b.ints({1, 5, 1})})
                               .text("mode", mode)
                               .text("coordinate_transformation_mode", "tf_crop_and_resize")
                               .real("extrapolation_value", extrapolation);
  b.output(b.node("Cast", {crop}).integer("to", Proto::FLOAT), 3);
  return b;
}

Floats crop(int type, float extrapolation, const char* device) {
  return runOne(cropOf(type, extrapolation), device, {{1, 4, 1}, Floats{1, 3, 5, 7}}).floats();
}

// Rows -1.5, 0, 1.5, 3 and 4.5. The values outside are what ONNX Runtime 1.30 gives.
TEST(ResizeOfIntegers, PutsTheExtrapolationValueOutsideAsCastWould) {
  for (const char* device : {"reference", "cpu"}) {
    SCOPED_TRACE(device);
    EXPECT_THAT(crop(Proto::INT8, -3.7F, device), ElementsAre(-3, 1, 3, 7, -3));
    EXPECT_THAT(crop(Proto::INT8, 300, device), ElementsAre(44, 1, 3, 7, 44));
    EXPECT_THAT(crop(Proto::UINT8, -3.7F, device), ElementsAre(253, 1, 3, 7, 253));
    EXPECT_THAT(crop(Proto::INT8, NAN, device), ElementsAre(0, 1, 3, 7, 0));
    EXPECT_THAT(crop(Proto::INT32, -3.7F, device), ElementsAre(-3, 1, 3, 7, -3));
  }
}

TEST(ResizeOfIntegers, KeepsEveryBitOfLargeNumbers) {
  constexpr int64_t kLarge = (int64_t{1} << 60) + 1;  // neither float nor double holds it
  for (const char* device : {"reference", "cpu"}) {
    OnnxBuilder b(13);
    const std::string chosen =
        b.node("Where", {b.node("Greater", {b.input("x", {1, 1, 2}), b.constant({{}, Floats{0}})}).output(),
                         b.constant({{}, std::vector<int64_t>{kLarge}}), b.constant({{}, std::vector<int64_t>{7}})});
    const std::string wide = b.node("Resize", {chosen, "", b.constant({{3}, Floats{1, 1, 2}})}).text("mode", "nearest");
    const std::string same = b.node("Equal", {wide, b.constant({{}, std::vector<int64_t>{kLarge}})});
    b.output(b.node("Cast", {same}).integer("to", Proto::FLOAT), 3);
    EXPECT_THAT(runOne(b, device, {{1, 1, 2}, Floats{1, -1}}).floats(), ElementsAre(1, 1, 0, 0)) << device;
  }
}

TEST(ResizeOfIntegers, IsRefusedWhereItWouldMix) {
  const auto y = runModel(cropOf(Proto::INT32, 0, "linear"), "reference", {{"x", {{1, 4, 1}, Floats(4)}}});
  ASSERT_FALSE(y);
  EXPECT_THAT(y.error().message, HasSubstr("only the mode nearest"));
}

// The extrapolation value is a real number: between integers it would have to be quantised first.
TEST(ResizeOfIntegers, DoesNotTakeTheExtrapolationValueForAnIntegerOfAQuantisedNetwork) {
  QuantizedBuilder q(true, {1, 2, 4, 4, 4});
  const std::string region = q.b.constant({{10}, Floats{0, 0, -0.5F, -0.5F, -0.5F, 1, 1, 1.5F, 1.5F, 1.5F}});
  const std::string crop = q.b.node("Resize", {q.input(), region, "", q.b.ints({1, 2, 6, 6, 6})})
                               .text("mode", "nearest")
                               .text("coordinate_transformation_mode", "tf_crop_and_resize")
                               .real("extrapolation_value", 0.5F);
  q.b.output(q.quantize(crop, -7, nn::Type::i8), 5);
  const nn::Tensor x = randomTensor({1, 2, 4, 4, 4}, 8);
  EXPECT_EQ(runOne(q.b, "cpu", x).floats(), runOne(q.b, "reference", x).floats());
}

// What never is negative is stored without a sign; an extrapolated number may be negative whatever the image is.
TEST(ResizeOfIntegers, ThatExtrapolatesHasAScaleAndASignOfItsOwnWhereANetworkIsQuantised) {
  OnnxBuilder b(13);
  const std::string region = b.constant({{10}, Floats{0, 0, -0.5F, -0.5F, -0.5F, 1, 1, 1.5F, 1.5F, 1.5F}});
  const std::string crop = b.node("Resize", {b.input("x", {1, 2, 4, 4, 4}), region, "", b.ints({1, 2, 6, 6, 6})})
                               .text("mode", "nearest")
                               .text("coordinate_transformation_mode", "tf_crop_and_resize")
                               .real("extrapolation_value", -1);
  b.output(b.node("Conv", {crop, b.weights({3, 2, 3, 3, 3}, 1)}), 5);
  const nn::QuantizePlan plan = nn::planQuantization(b.graph(), {}, {"x"});
  ASSERT_EQ(plan.groups.size(), 1);
  EXPECT_THAT(plan.groups[0].values, ElementsAre(crop));
  EXPECT_FALSE(plan.groups[0].neverNegative);
}

}  // namespace
}  // namespace lynceus::test
