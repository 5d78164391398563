// Single parts of the phantom: truth of a nodule, vessel trees, noise.
#include <numbers>

#include <gtest/gtest.h>

#include "core/phantom/noise.h"
#include "core/phantom/render.h"
#include "core/phantom/vessel_tree.h"

namespace lynceus::phantom {
namespace {

struct Chest {
  Anatomy anatomy = Anatomy::draw(5);
  std::vector<Shape> vessels = greatVessels(anatomy);
  Point3 low = anatomy.pose.toPatient({-150, -160, anatomy.baseZ - 20}),
         high = anatomy.pose.toPatient({150, 160, anatomy.apexZ + 20});
  Fields fields{anatomy, vessels, low, high};
};

const Chest& chest() {
  static const Chest instance;
  return instance;
}

/// A point of the right lung that is far from its surface.
Point3 deepInLung() {
  Point3 best;
  double depth = 0;
  const Anatomy& a = chest().anatomy;
  for (double x = -100; x < -40; x += 5) {
    for (double z = -70; z < 40; z += 5) {
      const Point3 p = a.pose.toPatient({x, a.cavityCentreY(z) + 20, z});
      const double d = -chest().fields.sample(kLung, p);
      if (d > depth) depth = d, best = p;
    }
  }
  EXPECT_GT(depth, 15);
  return best;
}

Nodule sphere(double radius) {
  Nodule n;
  n.body.centreMm = deepInLung();
  n.body.radiusMm = radius;
  measureNodule(n, chest().fields);
  return n;
}

// The fine grid has 32 steps across a radius-to-radius line: its volume error stays far below one per cent.
TEST(NoduleTruth, OfASphereIsThatOfTheFormula) {
  const Nodule n = sphere(6);
  EXPECT_NEAR(n.diameterMm, 12, 0.05);
  EXPECT_NEAR(n.volumeMm3, 4.0 / 3 * std::numbers::pi * 216, 9);
  EXPECT_NEAR(norm(n.centreMm - n.body.centreMm), 0, 0.05);
  EXPECT_NEAR(n.longAxisMm, 12, 0.5);
  EXPECT_NEAR(n.shortAxisMm, 12, 0.5);
  EXPECT_NEAR(n.boxMm.max.z - n.boxMm.min.z, 12, 0.5);
  EXPECT_NEAR(n.meanHu, n.hu, 1e-9);
}

// The picture holds what the truth says: the covered fraction of all voxels adds up to the volume. Bound: the ramp of a
// third of a voxel adds (w/3)^2 / (4 r^2) = 0.3 % and sampling three planes for each slice at most 0.3 % for r = 3 mm.
TEST(NoduleTruth, IsWhatTheVoxelsAddUpTo) {
  for (const double radius : {3.0, 6.0}) {
    const Nodule n = sphere(radius);
    image::Geometry g;
    g.size = {40, 40, 40};
    g.originMm = n.body.centreMm - Vec3{19.7, 19.2, 19.4};
    const Scanner scanner;
    const Scene empty;
    const std::vector<GrownLesion> noneGrown;
    const auto draw = [&](const std::vector<Nodule>& nodules) {
      job::Context context;
      return *render({chest().anatomy, chest().fields, empty, nodules, noneGrown, scanner, g, 1.0, false, false},
                     context);
    };
    const auto with = draw({n}), without = draw({});
    double volume = 0;
    for (size_t i = 0; i < with.size(); ++i)
      volume += (with[i] - without[i]) / (n.hu - without[i]) * g.voxelVolumeMm3();
    EXPECT_NEAR(volume / n.volumeMm3, 1, 0.01) << "radius " << radius;

    const detect::RunLengthMask mask = maskOf(n, chest().fields, g);
    EXPECT_NEAR(double(mask.voxelCount()) * g.voxelVolumeMm3() / n.volumeMm3, 1, 0.08);
    // half-way between lung and nodule the threshold finds the same volume, up to the voxels of the surface
    double above = 0;
    for (size_t i = 0; i < with.size(); ++i) above += with[i] > 0.5 * (n.hu + without[i]) ? g.voxelVolumeMm3() : 0;
    EXPECT_NEAR(above / n.volumeMm3, 1, 0.08);
  }
}

TEST(NoduleTruth, CountsOnlyWhatLiesInTheLung) {
  Nodule n = sphere(8);
  const double whole = n.volumeMm3;
  const Vec3 step = chest().anatomy.pose.rotate({-1, 0, 0});
  while (chest().fields.sample(kLung, n.body.centreMm) < 0) n.body.centreMm = n.body.centreMm + step;
  measureNodule(n, chest().fields);
  EXPECT_NEAR(n.volumeMm3 / whole, 0.5, 0.15);
}

TEST(NoduleTruth, OfAPartSolidNoduleMixesCoreAndHalo) {
  Nodule n = sphere(8);
  n.texture = Texture::partSolid;
  n.cores = {{{}, 4}};
  n.haloHu = -600;
  n.hu = 40;
  measureNodule(n, chest().fields);
  EXPECT_NEAR(n.meanHu, 40 * 0.125 - 600 * 0.875, 40);  // the core holds an eighth; both are uneven
  EXPECT_GT(n.sdHu, 100);
}

TEST(VesselTree, IsConnectedTapersAndReachesEveryPoint) {
  std::vector<Point3> points;
  const Anatomy& a = chest().anatomy;
  for (double x = -110; x < -30; x += 9) {
    for (double y = -60; y < 80; y += 9) {
      for (double z = -80; z < 60; z += 9) {
        if (chest().fields.sample(kLung, a.pose.toPatient({x, y, z})) < -3) points.push_back({x, y, z});
      }
    }
  }
  ASSERT_GT(points.size(), 500u);
  const Tree tree = growTree(chest().fields, a.pose, lobeRoots(a, 0).artery, points, 0.45);
  ASSERT_EQ(tree.size(), points.size() + 1);
  int roots = 0, leaves = 0;
  for (size_t i = 0; i < tree.size(); ++i) {
    const TreeNode& n = tree[i];
    leaves += n.terminals == 1 ? 1 : 0;
    if (n.parent < 0) {
      ++roots;
      continue;
    }
    ASSERT_LT(n.parent, static_cast<int>(i));
    EXPECT_LE(n.radiusMm, tree[static_cast<size_t>(n.parent)].radiusMm);
    EXPECT_LT(norm(n.at - tree[static_cast<size_t>(n.parent)].at), 60);
  }
  EXPECT_EQ(roots, 1);
  EXPECT_GT(leaves, 100);
  EXPECT_GT(tree.front().radiusMm, 2);
}

TEST(CtNoise, HasUnitVarianceAndTheCorrelationOfItsKernel) {
  constexpr int kSize = 256;
  const auto statistics = [](const NoiseModel& model) {
    const auto noise = noiseSlice(model, kSize, kSize, 7);
    double sum = 0, squares = 0, neighbours = 0;
    for (size_t i = 0; i < noise.size(); ++i) {
      sum += noise[i];
      squares += noise[i] * noise[i];
      if (i > 0) neighbours += noise[i] * noise[i - 1];
    }
    const auto n = static_cast<double>(noise.size());
    return std::array{sum / n, std::sqrt(squares / n), neighbours / squares};
  };
  // 65536 pixels, correlated over about 10: the standard error of the deviation is below 1 %
  const auto soft = statistics({9, 1.2, 0, 0.3}), sharp = statistics({9, 0.6, 0.7, 0.3});
  EXPECT_NEAR(soft[0], 0, 0.05);
  EXPECT_NEAR(soft[1], 1, 0.04);
  EXPECT_NEAR(sharp[0], 0, 0.05);
  EXPECT_NEAR(sharp[1], 1, 0.04);
  EXPECT_NEAR(soft[2], std::exp(-1 / (4 * 1.2 * 1.2)), 0.03);  // of a Gaussian filter with itself one pixel away
  EXPECT_LT(sharp[2], soft[2]);
}

TEST(CtNoise, NeighbouringSlicesAreRelatedDistantOnesAreNot) {
  const NoiseModel model{9, 0.8, 0, 0.3};
  const auto a = noiseSlice(model, 128, 128, 0), b = noiseSlice(model, 128, 128, 1), c = noiseSlice(model, 128, 128, 3);
  double ab = 0, ac = 0;
  for (size_t i = 0; i < a.size(); ++i) ab += a[i] * b[i], ac += a[i] * c[i];
  const auto n = static_cast<double>(a.size());
  EXPECT_NEAR(ab / n, 2 * 0.3 / (1 + 2 * 0.09), 0.06);
  EXPECT_NEAR(ac / n, 0, 0.06);
}

}  // namespace
}  // namespace lynceus::phantom
