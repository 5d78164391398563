#include "core/image/slice_stack.h"

#include <cmath>
#include <random>

#include <gmock/gmock.h>

namespace lynceus::image {
namespace {

using testing::ElementsAre;

std::vector<int16_t> noise(size_t count) {
  std::mt19937 random(7);
  std::vector<int16_t> v(count);
  for (int16_t& x : v) x = static_cast<int16_t>(static_cast<int>(random() % 4000) - 1000);
  return v;
}

Geometry slice3x4(double spacingZ) {
  Geometry g;
  g.size = {4, 3, 0};
  g.spacingMm = {0.5, 0.8, spacingZ};
  return g;
}

TEST(SliceStack, CopiesBitByBitWhereTheShiftIsWhole) {
  const auto hu = noise(12);
  std::vector<int16_t> out(size_t{6} * 5);
  shiftSlice(hu, 4, {2, 1}, -1024, out, 6);
  for (int y = 0; y < 5; ++y) {
    for (int x = 0; x < 6; ++x) {
      const bool inside = x >= 2 && y >= 1 && y < 4;
      const int expected = inside ? hu[static_cast<size_t>((y - 1) * 4 + x - 2)] : -1024;
      EXPECT_EQ(out[static_cast<size_t>(y * 6 + x)], expected) << x << ' ' << y;
    }
  }
}

TEST(SliceStack, KeepsALinearRampWhateverTheShift) {
  const int columns = 20, rows = 15, outColumns = 24, outRows = 18;
  std::vector<int16_t> hu;
  for (int y = 0; y < rows; ++y) {
    for (int x = 0; x < columns; ++x) hu.push_back(static_cast<int16_t>(100 * x - 60 * y));
  }
  for (const PixelOffset o : {PixelOffset{0.25, 0}, {0, 0.75}, {2.5, 1.25}, {3.9, 2.95}}) {
    std::vector<int16_t> out(static_cast<size_t>(outColumns * outRows));
    shiftSlice(hu, columns, o, -1024, out, outColumns);
    for (int y = static_cast<int>(std::ceil(o.y)); y <= rows - 1 + o.y; ++y) {
      for (int x = static_cast<int>(std::ceil(o.x)); x <= columns - 1 + o.x; ++x) {
        EXPECT_NEAR(out[static_cast<size_t>(y * outColumns + x)], 100 * (x - o.x) - 60 * (y - o.y), 0.51);
      }
    }
  }
}

TEST(SliceStack, RoundsToTheNearestUnit) {
  std::vector<int16_t> out(2);
  mixSlices(std::vector<int16_t>{-1000, 10}, std::vector<int16_t>{-999, 11}, 0.3, out);
  EXPECT_THAT(out, ElementsAre(-1000, 10));
  mixSlices(std::vector<int16_t>{-1000, 10}, std::vector<int16_t>{-999, 11}, 0.7, out);
  EXPECT_THAT(out, ElementsAre(-999, 11));
  mixSlices(std::vector<int16_t>{32767, -32768}, std::vector<int16_t>{32767, -32768}, 0.37, out);
  EXPECT_THAT(out, ElementsAre(32767, -32768));
}

TEST(SliceStack, ShearsOntoAGridThatHoldsEveryPixel) {
  const std::vector<Point3> places{{10, 20, 5}, {10, 19, 7}, {10, 18, 9}};
  const auto plan = planShear(slice3x4(2), places);
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->grid.size, (Int3{4, 3 + 3, 3}));  // 2 mm are 2.5 pixels
  EXPECT_EQ(plan->grid.originMm, (Point3{10, 18, 5}));
  EXPECT_THAT(plan->offsets, ElementsAre(PixelOffset{0, 2.5}, PixelOffset{0, 1.25}, PixelOffset{0, 0}));
}

TEST(SliceStack, FillsAGapWithEvenSteps) {
  const std::vector<Point3> places{{0, 0, 0}, {0, 0, 2}, {0, 0, 8}, {0, 0, 10}};
  const auto plan = planResample(slice3x4(2), places);
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->grid.size.z, 6);
  EXPECT_DOUBLE_EQ(plan->grid.spacingMm.z, 2);
  using Mix = StackPlan::Mix;
  EXPECT_THAT(plan->mixes[1], (Mix{1, 1, 0}));
  EXPECT_EQ(plan->mixes[2].below, 1u);
  EXPECT_EQ(plan->mixes[2].above, 2u);
  EXPECT_NEAR(plan->mixes[2].weightAbove, 1 / 3.0, 1e-12);
  EXPECT_NEAR(plan->mixes[3].weightAbove, 2 / 3.0, 1e-12);
  EXPECT_THAT(plan->mixes[4], (Mix{2, 2, 0}));
  EXPECT_THAT(plan->mixes[5], (Mix{3, 3, 0}));
}

TEST(SliceStack, RefusesAGridThatWouldBeMostlyInvented) {
  const std::vector<Point3> sideways{{0, 0, 0}, {0, 1e6, 2}}, apart{{0, 0, 0}, {0, 0, 2}, {0, 0, 1e6}};
  EXPECT_EQ(planShear(slice3x4(2), sideways).error().code, ErrorCode::badGeometry);
  EXPECT_EQ(planResample(slice3x4(2), apart).error().code, ErrorCode::badGeometry);
}

// A rod through a tilted scan: linear in the patient's coordinates, so linear interpolation must give its exact place.
TEST(SliceStack, KeepsThePatientsCoordinatesOfATiltedScan) {
  const double tilt = 0.3;
  Geometry slice;
  slice.size = {40, 50, 0};
  slice.spacingMm = {0.9, 0.7, 2.5 * std::cos(tilt)};
  slice.direction = {Vec3{1, 0, 0}, Vec3{0, std::cos(tilt), -std::sin(tilt)}, Vec3{0, std::sin(tilt), std::cos(tilt)}};
  std::vector<Point3> places;
  for (int i = 0; i < 12; ++i) places.push_back(Point3{-20, -30, 2.5 * i});
  const auto plan = planShear(slice, places);
  ASSERT_TRUE(plan);
  const auto truth = [](const Point3& p) { return 3 * p.x - 11 * p.y + 7 * p.z; };
  const Geometry& grid = plan->grid;
  int compared = 0;
  for (int z = 0; z < 12; ++z) {
    Geometry own = slice;
    own.originMm = places[static_cast<size_t>(z)];
    std::vector<int16_t> hu, out(static_cast<size_t>(grid.size.x) * static_cast<size_t>(grid.size.y));
    for (int y = 0; y < 50; ++y) {
      for (int x = 0; x < 40; ++x)
        hu.push_back(static_cast<int16_t>(std::lround(truth(own.toPatient({1.0 * x, 1.0 * y, 0})))));
    }
    const PixelOffset& o = plan->offsets[static_cast<size_t>(z)];
    shiftSlice(hu, 40, o, -1024, out, grid.size.x);
    for (int y = static_cast<int>(std::ceil(o.y)); y <= 49 + o.y; ++y) {
      for (int x = static_cast<int>(std::ceil(o.x)); x <= 39 + o.x; ++x, ++compared) {
        const double expected = truth(grid.toPatient({1.0 * x, 1.0 * y, 1.0 * z}));
        EXPECT_NEAR(out[static_cast<size_t>(y * grid.size.x + x)], expected, 1.01);  // two roundings
      }
    }
  }
  EXPECT_GT(compared, 12 * 49 * 40 - 1);
}

}  // namespace
}  // namespace lynceus::image
