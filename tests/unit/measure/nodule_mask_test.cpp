#include "core/measure/nodule_mask.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace lynceus::measure {
namespace {

using image::Vec3;

constexpr double kLungHu = -860;

/// A ball seen by a scanner with a Gaussian point spread: the share of it at distance r from its centre (closed form of
/// the convolution).
double blurredBall(double r, double radius, double sigma) {
  if (r > radius + 5 * sigma) return 0;
  if (r < radius - 5 * sigma) return 1;
  const double root = std::sqrt(2.0) * sigma;
  const double edge = 0.5 * (std::erf((radius - r) / root) + std::erf((radius + r) / root));
  if (r < 1e-6)
    return std::erf(radius / root) -
           2 * radius / (sigma * std::sqrt(2 * M_PI)) * std::exp(-radius * radius / (root * root));
  const double below = (r - radius) / root, above = (r + radius) / root;
  return edge - sigma / (r * std::sqrt(2 * M_PI)) * (std::exp(-below * below) - std::exp(-above * above));
}

struct Scene {
  Vec3 spacingMm{0.7, 0.7, 1.0};
  double diameterMm = 8;
  double noduleHu = 30;
  Vec3 centerMm{0.2, -0.3, 0.1};
  /// What else is there, in HU; the denser of the two is taken.
  double (*surroundings)(const Vec3& pointMm) = [](const Vec3&) { return kLungHu; };
};

/// A cube around the patient origin that holds what the algorithm looks at, each slice averaged over its thickness.
image::Volume scan(const Scene& scene) {
  const double sideMm = 2 * scene.diameterMm + 24;
  const auto voxels = [&](double spacingMm) { return static_cast<int>(sideMm / spacingMm); };
  image::Geometry g{{voxels(scene.spacingMm.x), voxels(scene.spacingMm.y), voxels(scene.spacingMm.z)},
                    scene.spacingMm,
                    {-sideMm / 2, -sideMm / 2, -sideMm / 2},
                    {Vec3{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}};
  std::vector<int16_t> hu;
  constexpr int kLayers = 5;
  for (int z = 0; z < g.size.z; ++z)
    for (int y = 0; y < g.size.y; ++y)
      for (int x = 0; x < g.size.x; ++x) {
        double sum = 0;
        for (int layer = 0; layer < kLayers; ++layer) {
          const Vec3 p = g.toPatient({double(x), double(y), z + (layer + 0.5) / kLayers - 0.5});
          const double share = blurredBall(norm(p - scene.centerMm), scene.diameterMm / 2, 0.6);
          sum += std::max(scene.surroundings(p), kLungHu + share * (scene.noduleHu - kLungHu));
        }
        // A little noise, the same in each run.
        const int noise = (x * 7919 + y * 104729 + z * 1299709) % 41 - 20;
        hu.push_back(static_cast<int16_t>(std::lround(sum / kLayers + noise)));
      }
  return image::Volume::create(g, std::move(hu)).value();
}

double ballMm3(double diameterMm) { return M_PI / 6 * std::pow(diameterMm, 3); }

/// Volume of the mask over the true volume.
double volumeRatio(const Scene& scene, Vec3 offsetMm = {0.8, -0.6, 0.7}, double sizeFactor = 1.15) {
  const image::Volume volume = scan(scene);
  const auto mask = segmentNodule(volume, scene.centerMm + offsetMm, scene.diameterMm * sizeFactor);
  if (!mask) {
    ADD_FAILURE() << mask.error().message;
    return 0;
  }
  return static_cast<double>(mask->voxelCount()) * volume.geometry().voxelVolumeMm3() / ballMm3(scene.diameterMm);
}

TEST(NoduleMask, OfAnIsolatedSolidBallHasItsVolumeToAThirdOfASlice) {
  for (const double thicknessMm : {0.7, 1.0, 2.0}) {
    for (const double diameterMm : {6.0, 10.0, 20.0, 40.0}) {
      Scene scene;
      scene.spacingMm.z = thicknessMm;
      scene.diameterMm = diameterMm;
      EXPECT_NEAR(volumeRatio(scene), 1, 0.04 + thicknessMm / diameterMm / 3)
          << diameterMm << " mm ball, " << thicknessMm << " mm slices";
    }
  }
}

TEST(NoduleMask, OfATinyNoduleIsRightToAboutAVoxelLayer) {
  for (const double thicknessMm : {1.0, 2.0, 3.0}) {
    for (const double diameterMm : {3.0, 4.0}) {
      Scene scene;
      scene.spacingMm.z = thicknessMm;
      scene.diameterMm = diameterMm;
      const double ratio = volumeRatio(scene, {0.4, -0.3, 0.2});
      EXPECT_GT(ratio, 0.5) << diameterMm << " mm ball, " << thicknessMm << " mm slices";
      EXPECT_LT(ratio, 2.2) << diameterMm << " mm ball, " << thicknessMm << " mm slices";
    }
  }
}

TEST(NoduleMask, OfGroundGlassHasItsVolume) {
  for (const double diameterMm : {8.0, 15.0, 30.0}) {
    Scene scene;
    scene.diameterMm = diameterMm;
    scene.noduleHu = -600;
    EXPECT_NEAR(volumeRatio(scene), 1, 0.1) << diameterMm;
  }
}

TEST(NoduleMask, StopsAtTheChestWallThatTheNoduleSitsOn) {
  for (const double diameterMm : {6.0, 12.0, 25.0}) {
    Scene scene;
    scene.diameterMm = diameterMm;
    // A tenth of the diameter is inside the wall.
    scene.centerMm = {0, 0, 0};
    static double wallMm;
    wallMm = -0.4 * diameterMm;
    scene.surroundings = [](const Vec3& p) { return p.x < wallMm ? 40.0 : kLungHu; };
    const double ratio = volumeRatio(scene);
    EXPECT_GT(ratio, 0.7) << diameterMm;
    EXPECT_LT(ratio, 1.15) << diameterMm;
  }
}

TEST(NoduleMask, CutsTheVesselThatRunsIntoTheNodule) {
  Scene scene;
  scene.diameterMm = 10;
  scene.surroundings = [](const Vec3& p) { return std::hypot(p.y + 0.3, p.z) < 1.5 && p.x > 0 ? 40.0 : kLungHu; };
  EXPECT_NEAR(volumeRatio(scene), 1.03, 0.12);
}

TEST(NoduleMask, FollowsTheVolumeThroughTurnedAxes) {
  Scene scene;
  const image::Volume straight = scan(scene);
  image::Geometry g = straight.geometry();
  const double c = std::cos(0.3), s = std::sin(0.3);
  g.direction = {Vec3{c, s, 0}, {-s, c, 0}, {0, 0, 1}};
  g.originMm = {10, 20, 30};
  const auto turned = image::Volume::create(g, {straight.hu().begin(), straight.hu().end()}).value();
  const auto expected = segmentNodule(straight, scene.centerMm, 8);
  const auto actual = segmentNodule(turned, g.toPatient(straight.geometry().toIndex(scene.centerMm)), 8);
  ASSERT_TRUE(expected && actual);
  // Rounding may decide single voxels on the border otherwise.
  EXPECT_NEAR(static_cast<double>(expected->voxelCount()) / static_cast<double>(actual->voxelCount()), 1, 0.04);
}

TEST(NoduleMask, SaysWhyThereIsNone) {
  const image::Volume volume = scan({});
  const auto reason = [&](const Vec3& at) { return segmentNodule(volume, at, 8).error().message; };
  EXPECT_THAT(reason({14, 14, 0}), testing::HasSubstr("HU denser than the lung around it"));
  EXPECT_THAT(reason({500, 0, 0}), testing::HasSubstr("the position lies outside the volume"));
  Scene inMuscle;
  inMuscle.surroundings = [](const Vec3&) { return 40.0; };
  EXPECT_THAT(segmentNodule(scan(inMuscle), {0, 0, 0}, 10).error().message, testing::HasSubstr("no border"));
}

}  // namespace
}  // namespace lynceus::measure
