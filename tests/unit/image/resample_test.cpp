#include "core/image/resample.h"

#include <gtest/gtest.h>

#include <cmath>

namespace lynceus::image {
namespace {

Volume makeVolume(const Geometry& g, int16_t (*value)(int x, int y, int z)) {
  std::vector<int16_t> hu;
  for (int z = 0; z < g.size.z; ++z)
    for (int y = 0; y < g.size.y; ++y)
      for (int x = 0; x < g.size.x; ++x) hu.push_back(value(x, y, z));
  return Volume::create(g, std::move(hu)).value();
}

int16_t scramble(int x, int y, int z) {
  return static_cast<int16_t>((x * 7919 + y * 104729 + z * 1299709) % 1999 - 1000);
}
int16_t ramp(int x, int y, int z) { return static_cast<int16_t>(10 * x + 20 * y + 30 * z - 900); }

/// Columns, rows and slices turned about z by `degrees`.
Geometry turned(Int3 size, Vec3 spacing, double degrees) {
  const double a = degrees * std::acos(-1.0) / 180;
  return {size, spacing, {-12, 30, 7}, {Vec3{std::cos(a), std::sin(a), 0}, {-std::sin(a), std::cos(a), 0}, {0, 0, 1}}};
}

TEST(IsotropicGeometry, CoversTheSourceFromEdgeToEdge) {
  const Geometry source = turned({512, 400, 61}, {0.7, 0.7, 2.5}, 20);
  const Geometry target = isotropicGeometry(source, 1.0);
  EXPECT_EQ(target.size, (Int3{359, 280, 153}));
  EXPECT_EQ(target.direction, source.direction);
  EXPECT_LT(norm(target.toPatient({-0.5, -0.5, -0.5}) - source.toPatient({-0.5, -0.5, -0.5})), 1e-9);
  const Vec3 last = source.toIndex(target.toPatient({358.5, 279.5, 152.5}));
  EXPECT_GE(last.x, 511.5 - 1e-6);
  EXPECT_GE(last.y, 399.5 - 1e-6);
  EXPECT_GE(last.z, 60.5 - 1e-6);
}

TEST(IsotropicGeometry, OfAPartStartsAtTheCornerOfItsFirstVoxel) {
  const Geometry source = turned({512, 400, 61}, {0.5, 0.5, 2}, 0);
  const Geometry target = isotropicGeometry(source, 1.0, {{100, 60, 10}, {20, 40, 5}});
  EXPECT_EQ(target.size, (Int3{10, 20, 10}));
  EXPECT_LT(norm(target.toPatient({-0.5, -0.5, -0.5}) - source.toPatient({99.5, 59.5, 9.5})), 1e-9);
}

TEST(ResampleLinear, OntoItsOwnGridChangesNothing) {
  const Volume volume = makeVolume(turned({9, 8, 7}, {0.7, 0.8, 2}, 30), scramble);
  const Image<float> out = resampleLinear(volume, volume.geometry());
  for (size_t i = 0; i < out.voxels.size(); ++i) ASSERT_EQ(out.voxels[i], volume.hu()[i]);
}

TEST(ResampleLinear, EqualsSampleAtWhereTheTargetIsFinerWhateverItsAxes) {
  const Volume volume = makeVolume(turned({12, 11, 10}, {0.9, 1.1, 2.0}, 30), scramble);
  Geometry inner = turned({8, 7, 9}, {0.6, 0.6, 0.6}, 30);
  inner.originMm = volume.geometry().toPatient({2.3, 2.1, 2.2});
  Geometry permuted = inner;
  permuted.direction = {inner.direction[2], inner.direction[0], inner.direction[1]};
  Geometry flipped = inner;
  flipped.direction[0] = flipped.direction[0] * -1;
  flipped.originMm = volume.geometry().toPatient({8.3, 2.1, 2.2});
  Geometry oblique = inner;
  oblique.direction = turned({}, {}, 47).direction;
  oblique.originMm = volume.geometry().toPatient({4.0, 3.0, 2.2});
  for (const Geometry& target : {inner, permuted, flipped, oblique}) {
    const Image<float> out = resampleLinear(volume, target);
    for (int z = 0; z < target.size.z; ++z)
      for (int y = 0; y < target.size.y; ++y)
        for (int x = 0; x < target.size.x; ++x) {
          const Point3 p = target.toPatient({double(x), double(y), double(z)});
          ASSERT_NEAR(out.at(x, y, z), volume.sampleAt(p), 0.01) << x << ' ' << y << ' ' << z;
        }
  }
}

TEST(ResampleLinear, KeepsALinearRampWhenTheTargetIsCoarser) {
  const Volume volume = makeVolume(turned({30, 30, 30}, {0.5, 0.5, 0.5}, 0), ramp);
  Geometry target = volume.geometry();
  target.size = {6, 6, 6};
  target.spacingMm = {1.5, 1.5, 1.5};
  target.originMm = volume.geometry().toPatient({6, 6, 6});
  const Image<float> parallel = resampleLinear(volume, target);
  for (int i = 0; i < 6; ++i) EXPECT_NEAR(parallel.at(i, i, i), ramp(6 + 3 * i, 6 + 3 * i, 6 + 3 * i), 0.01);
  target.direction = turned({}, {}, 1).direction;
  const Image<float> oblique = resampleLinear(volume, target);
  for (int i = 0; i < 6; ++i) {
    EXPECT_NEAR(oblique.at(i, i, i), volume.sampleAt(target.toPatient({double(i), double(i), double(i)})), 0.01);
  }
}

TEST(ResampleLinear, AveragesAPatternThatIsTooFineForTheTargetInsteadOfAliasing) {
  const Volume volume = makeVolume(turned({40, 8, 8}, {0.5, 1, 1}, 0),
                                   [](int x, int, int) -> int16_t { return x % 2 == 0 ? 1000 : -1000; });
  const Image<float> out = resampleLinear(volume, isotropicGeometry(volume.geometry(), 1.0));
  for (int x = 1; x < 19; ++x) EXPECT_NEAR(out.at(x, 4, 4), 0, 0.01);
}

TEST(ResampleLinear, RepeatsTheBorderToTheVoxelEdgeAndIsAirBeyond) {
  const Volume volume = makeVolume(turned({4, 4, 4}, {1, 1, 5}, 0), [](int, int, int) -> int16_t { return 40; });
  Geometry target = isotropicGeometry(volume.geometry(), 1.0);
  target.originMm.z -= 2;
  target.size.z += 4;
  for (const double degrees : {0.0, 0.001}) {
    Geometry rotated = target;
    rotated.direction = turned({}, {}, degrees).direction;
    const Image<float> out = resampleLinear(volume, rotated);
    for (int z = 0; z < target.size.z; ++z) EXPECT_EQ(out.at(2, 2, z), z < 2 || z >= 22 ? -1024 : 40) << z;
  }
}

}  // namespace
}  // namespace lynceus::image
