#include "core/detect/lung_region.h"

#include <gtest/gtest.h>

using namespace lynceus;
using image::Int3;

namespace {

/// A body of 300 x 220 x 150 mm at 2 mm: tissue 40 HU with two lungs, a trachea, and room air around it.
/// `slices` below 75 cut the lungs off at the top.
image::Volume makeBody(bool withLungs, int slices = 75) {
  image::Geometry g;
  g.size = {180, 140, slices};
  g.spacingMm = {2, 2, 2};
  g.originMm = {-180, -140, 0};
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

TEST(LungRegion, SaysSoWhereThereIsNoLung) { EXPECT_FALSE(detect::findLungRegion(makeBody(false))); }
