#include "core/detect/lung_region.h"

#include <cmath>

#include <gtest/gtest.h>

using namespace lynceus;
using image::Int3;

namespace {

/// A body of 300 x 220 x 150 mm at 2 mm: tissue 40 HU with two lungs, a trachea, and room air around it.
/// `slices` below 75 cut the lungs off at the top.
image::Volume makeBody(bool withLungs, int slices = 75, double firstSliceMm = 0) {
  image::Geometry g;
  g.size = {180, 140, slices};
  g.spacingMm = {2, 2, 2};
  g.originMm = {-180, -140, firstSliceMm};
  std::vector<int16_t> hu(static_cast<size_t>(g.voxelCount()), -1000);
  const auto inside = [](double x, double y, double z, double a, double b, double c) {
    return x * x / (a * a) + y * y / (b * b) + z * z / (c * c) < 1;
  };
  for (int z = 0; z < g.size.z; ++z) {
    for (int y = 0; y < g.size.y; ++y) {
      for (int x = 0; x < g.size.x; ++x) {
        const image::Point3 p = g.toPatient({1.0 * x, 1.0 * y, 1.0 * z});
        int16_t& v = hu[static_cast<size_t>(g.offset(x, y, z))];
        if (!inside(p.x, p.y, 0, 150, 110, 1)) continue;
        v = 40;
        if (inside(p.x, p.y - 20, 0, 9, 9, 1)) v = -1000;  // trachea, through all slices
        if (withLungs && (inside(p.x - 75, p.y, p.z - 75, 50, 70, 60) || inside(p.x + 75, p.y, p.z - 75, 50, 70, 60)))
          v = -860;
      }
    }
  }
  return *image::Volume::create(g, std::move(hu));
}

image::Volume withBall(const image::Volume& body, const image::Point3& centerMm, double radiusMm, int16_t hu) {
  const image::Geometry g = body.geometry();
  std::vector<int16_t> values(body.hu().begin(), body.hu().end());
  for (int64_t i = 0; i < g.voxelCount(); ++i) {
    const auto x = static_cast<double>(i % g.size.x), y = static_cast<double>(i / g.size.x % g.size.y);
    const auto z = static_cast<double>(i / g.size.x / g.size.y);
    if (norm(g.toPatient({x, y, z}) - centerMm) < radiusMm) values[static_cast<size_t>(i)] = hu;
  }
  return *image::Volume::create(g, std::move(values));
}

bool contains(const detect::LungRegion& region, const image::Point3& pointMm) {
  const Int3 v = region.mask.geometry.nearestVoxel(pointMm);
  return region.mask.geometry.contains(v) && region.mask.at(v.x, v.y, v.z) != 0;
}

}  // namespace

TEST(LungRegion, HoldsBothLungsAndAPleuralBandButNeitherTracheaNorSkin) {
  const auto region = detect::findLungRegion(makeBody(true));
  ASSERT_TRUE(region);
  EXPECT_TRUE(contains(*region, {75, 0, 75}));
  EXPECT_TRUE(contains(*region, {-75, 0, 75}));
  EXPECT_TRUE(contains(*region, {-75 - 50 - 12, 0, 75}));  // 12 mm outside the lung: a pleural lesion's centre
  EXPECT_TRUE(contains(*region, {0, 0, 75}));              // the mediastinum, 25 mm from both
  EXPECT_FALSE(contains(*region, {0, 20, 2}));             // trachea, above the lungs
  EXPECT_FALSE(contains(*region, {0, -108, 75}));          // skin
  // Two ellipsoids of 4/3 pi 50 70 60 mm3; the grid of 3 mm and the opening take a few per cent.
  EXPECT_NEAR(region->lungVolumeMl, 2 * 879.6, 0.08 * 2 * 879.6);
}

TEST(LungRegion, IsFoundWhereTheScanEndsInTheMiddleOfTheLungs) {
  // 2 mm slices into 3 mm voxels: whatever the remainder, no air may slip in between the last slice and the end.
  for (const int slices : {58, 59, 60, 61}) {
    const auto region = detect::findLungRegion(makeBody(true, slices));
    ASSERT_TRUE(region) << slices;
    EXPECT_TRUE(contains(*region, {75, 0, 75}));
    EXPECT_FALSE(contains(*region, {0, -108, 75})) << slices;
  }
}

TEST(LungRegion, HoldsTheMiddleOfMassesAtTheMediastinumAndAtThePleura) {
  // 50 mm across, half of it or more in the lung: at the inner and at the outer surface of one lung.
  for (const image::Point3& mass : {image::Point3{40, 0, 75}, {108, 0, 75}}) {
    const auto region = detect::findLungRegion(withBall(makeBody(true), mass, 25, 40));
    ASSERT_TRUE(region);
    EXPECT_TRUE(contains(*region, mass)) << mass.x;
    EXPECT_FALSE(contains(*region, {0, -108, 75}));
  }
}

TEST(LungRegion, LeavesOutGasBelowTheDiaphragm) {
  const image::Point3 stomach{60, -40, -40};
  const image::Volume body = withBall(makeBody(true, 140, -130), stomach, 40, -985);  // 270 ml
  const auto region = detect::findLungRegion(body);
  ASSERT_TRUE(region);
  EXPECT_FALSE(contains(*region, stomach));
  EXPECT_TRUE(contains(*region, {75, 0, 75}));
}

TEST(LungRegion, LeavesOutTheRoomThoughMostOfItLiesNextToSkinAndTable) {
  // A field of view that the body nearly fills: what is left of the room is half tissue at 3 mm, above -920 HU in mean.
  const image::Volume body = makeBody(true);
  image::Geometry g = body.geometry();
  std::vector<int16_t> hu(body.hu().begin(), body.hu().end());
  for (int z = 0; z < g.size.z; ++z) {
    for (int y = 0; y < g.size.y; ++y) {
      for (int x = 0; x < g.size.x; ++x) {
        int16_t& v = hu[static_cast<size_t>(g.offset(x, y, z))];
        // Clothes and mattress: everything that is near the body and, in stripes, farther off.
        const image::Point3 p = g.toPatient({1.0 * x, 1.0 * y, 1.0 * z});
        const double r = std::hypot(p.x / 150, p.y / 110);
        if (v == -1000 && (r > 1 && r < 1.12)) v = -700;
      }
    }
  }
  const auto region = detect::findLungRegion(*image::Volume::create(g, std::move(hu)));
  ASSERT_TRUE(region);
  EXPECT_NEAR(region->lungVolumeMl, 2 * 879.6, 0.08 * 2 * 879.6);
  EXPECT_FALSE(contains(*region, {0, -108, 75}));
}

TEST(LungRegion, SaysSoWhereThereIsNoLung) { EXPECT_FALSE(detect::findLungRegion(makeBody(false))); }
