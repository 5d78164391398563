#include "core/image/morphology.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

namespace lynceus::image {
namespace {

Geometry grid(Int3 size, Vec3 spacing) { return {size, spacing, {}, {Vec3{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}}; }

TEST(DistanceMm, EqualsTheSearchOverAllVoxelsForAnySpacing) {
  for (const Vec3& spacing : {Vec3{1, 1, 1}, Vec3{0.7, 0.5, 2.5}}) {
    for (const unsigned oneIn : {2U, 20U, 300U}) {
      Mask mask(grid({13, 11, 9}, spacing));
      std::mt19937 random(oneIn);
      for (uint8_t& v : mask.voxels) v = random() % oneIn == 0 ? 1 : 0;
      const Image<float> distance = distanceMm(mask, 1);
      for (int64_t i = 0; i < mask.geometry.voxelCount(); ++i) {
        const auto index = [](int64_t o) { return Vec3{double(o % 13), double(o / 13 % 11), double(o / 143)}; };
        double nearest = std::numeric_limits<double>::infinity();
        for (int64_t j = 0; j < mask.geometry.voxelCount(); ++j) {
          if (mask.voxels[size_t(j)] == 0) continue;
          nearest = std::min(nearest, norm(mask.geometry.toPatient(index(i)) - mask.geometry.toPatient(index(j))));
        }
        ASSERT_FLOAT_EQ(distance.voxels[size_t(i)], float(nearest)) << i;
      }
    }
  }
}

TEST(DistanceMm, IsInfiniteWhereThereIsNothingToReach) {
  const Mask empty(grid({3, 3, 3}, {1, 1, 1}));
  for (const float d : distanceMm(empty, 1).voxels) EXPECT_TRUE(std::isinf(d));
  for (const float d : distanceMm(empty, 0).voxels) EXPECT_EQ(d, 0);
}

Mask ball(const Geometry& g, Vec3 centerMm, double radiusMm) {
  Mask mask(g);
  for (int z = 0; z < g.size.z; ++z)
    for (int y = 0; y < g.size.y; ++y)
      for (int x = 0; x < g.size.x; ++x)
        mask.at(x, y, z) = norm(g.toPatient({double(x), double(y), double(z)}) - centerMm) <= radiusMm ? 1 : 0;
  return mask;
}

TEST(Dilate, OfOneVoxelIsABallInMillimetres) {
  const Geometry g = grid({21, 21, 9}, {0.5, 0.5, 1.25});
  Mask mask(g);
  mask.at(10, 10, 4) = 1;
  EXPECT_EQ(dilate(mask, 3.0).voxels, ball(g, {5, 5, 5}, 3.0).voxels);
  EXPECT_EQ(dilate(mask, 0).voxels, mask.voxels);
}

TEST(Open, CutsAThinRodOffABallAndCloseFillsAThinGap) {
  const Geometry g = grid({40, 20, 20}, {1, 1, 1});
  const Mask sphere = ball(g, {10, 10, 10}, 6);
  Mask withRod = sphere;
  for (int x = 10; x < 40; ++x) withRod.at(x, 10, 10) = withRod.at(x, 11, 10) = 1;
  const Mask opened = open(withRod, 2);
  EXPECT_EQ(opened.at(30, 10, 10), 0);
  EXPECT_EQ(opened.at(13, 10, 10), 1);
  EXPECT_EQ(erode(withRod, 2).at(30, 10, 10), 0);

  Mask halved = sphere;
  for (int z = 0; z < 20; ++z)
    for (int y = 0; y < 20; ++y) halved.at(10, y, z) = 0;
  const Mask closed = close(halved, 1);
  EXPECT_EQ(closed.at(10, 10, 10), 1);
  EXPECT_EQ(closed.at(18, 10, 10), 0);
}

}  // namespace
}  // namespace lynceus::image
