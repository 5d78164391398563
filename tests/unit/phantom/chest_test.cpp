#include "core/phantom/chest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <omp.h>

#include "core/phantom/mediastinum.h"
#include "core/phantom/truth.h"
#include "io/results/findings_json.h"

namespace lynceus::phantom {
namespace {

PhantomOptions smallChest(uint64_t seed) {
  PhantomOptions options;
  options.seed = seed;
  options.size = {128, 128, 0};
  options.spacingMm.z = 4;
  return options;
}

Phantom make(const PhantomOptions& options) {
  job::Context context;
  auto phantom = makeChest(options, context);
  if (!phantom) throw std::runtime_error(phantom.error().message);
  return std::move(*phantom);
}

/// Noise-free and with eight nodules, made once for all tests that only look at it.
const Phantom& quietChest() {
  static const Phantom phantom = [] {
    PhantomOptions options = smallChest(11);
    options.noise = false;
    options.nodules = 8;
    options.lungMask = true;
    return make(options);
  }();
  return phantom;
}

struct ThreadCount {
  explicit ThreadCount(int count) : before(omp_get_max_threads()) { omp_set_num_threads(count); }
  ~ThreadCount() { omp_set_num_threads(before); }
  int before;
};

TEST(ChestPhantom, SameSeedGivesTheSameBitsForAnyNumberOfThreads) {
  PhantomOptions options = smallChest(3);
  options.size = {96, 96, 0};
  options.spacingMm.z = 8;
  const auto withThreads = [&](int count) {
    const ThreadCount threads(count);
    return make(options);
  };
  const Phantom one = withThreads(1), three = withThreads(3);
  EXPECT_TRUE(
      std::equal(one.volume.hu().begin(), one.volume.hu().end(), three.volume.hu().begin(), three.volume.hu().end()));
  EXPECT_EQ(describe(one, options), describe(three, options));
  EXPECT_EQ(results::toJson(truthOf(one)), results::toJson(truthOf(three)));

  options.seed = 4;
  const Phantom other = make(options);
  EXPECT_FALSE(
      std::equal(one.volume.hu().begin(), one.volume.hu().end(), other.volume.hu().begin(), other.volume.hu().end()));
}

TEST(ChestPhantom, TissuesHaveTheirHounsfieldUnits) {
  const Anatomy a = Anatomy::draw(11);
  const image::Volume& v = quietChest().volume;
  const auto at = [&](const Point3& model) { return v.sampleAt(a.pose.toPatient(model)); };
  EXPECT_NEAR(at({0, a.tracheaY(30), 30}), -1000, 40) << "trachea";
  EXPECT_NEAR(at({22, a.spineY(-60) - 12, -60}), a.aortaHu, 25) << "descending aorta";
  EXPECT_NEAR(at(a.heart().a), a.contrast ? 95 : 42, 20) << "heart";
  EXPECT_NEAR(at({-60, a.cavityCentreY(a.domeRightZ - 30), a.domeRightZ - 30}), a.organHu, 20) << "liver";
  const auto [low, high] = std::minmax_element(v.hu().begin(), v.hu().end());
  EXPECT_LE(*low, -990) << "air";
  EXPECT_GT(*high, 300) << "bone";
}

TEST(ChestPhantom, LungsAreAirWithVesselsInThem) {
  const Phantom& p = quietChest();
  const auto hu = p.volume.hu();
  double sum = 0, count = 0, vessels = 0;
  for (size_t i = 0; i < hu.size(); ++i) {
    if (!p.lung->voxels[i]) continue;
    ++count;
    sum += hu[i];
    vessels += hu[i] > -500 ? 1 : 0;
  }
  const double litres = count * p.volume.geometry().voxelVolumeMm3() / 1e6;
  EXPECT_GT(litres, 2.5);
  EXPECT_LT(litres, 8);
  EXPECT_GT(sum / count, -900);
  EXPECT_LT(sum / count, -740);
  EXPECT_GT(vessels / count, 0.02);
  EXPECT_GT(p.lungBranches, 10000);
}

TEST(ChestPhantom, NodulesLieApartInTheLungAndInsideTheVolume) {
  const Phantom& p = quietChest();
  const image::Geometry& g = p.volume.geometry();
  ASSERT_EQ(p.nodules.size(), 8u);
  for (size_t i = 0; i < p.nodules.size(); ++i) {
    const Lesion& n = p.nodules[i];
    const image::Int3 voxel = g.nearestVoxel(n.centreMm);
    ASSERT_TRUE(g.contains(voxel));
    EXPECT_TRUE(p.lung->at(voxel.x, voxel.y, voxel.z));
    EXPECT_GE(n.diameterMm, 3);
    EXPECT_LE(n.diameterMm, 90);
    EXPECT_GE(n.longAxisMm, n.shortAxisMm);
    EXPECT_GE(n.longAxisMm, 0.8 * n.diameterMm);
    EXPECT_LT(n.boxMm.min.x, n.centreMm.x);
    EXPECT_GT(n.boxMm.max.z, n.centreMm.z);
    for (size_t k = 0; k < i; ++k) {
      EXPECT_GT(norm(n.centreMm - p.nodules[k].centreMm), 0.5 * (n.diameterMm + p.nodules[k].diameterMm));
      EXPECT_LE(n.diameterMm, p.nodules[k].diameterMm) << "largest first";
    }
  }
}

TEST(ChestPhantom, TruthIsAFindingsDocument) {
  const detect::DetectionResult truth = truthOf(quietChest());
  const auto back = results::fromJson(results::toJson(truth));
  ASSERT_TRUE(back) << back.error().message;
  ASSERT_EQ(back->findings.size(), 8u);
  const detect::Finding& first = back->findings.front();
  EXPECT_EQ(first.score, 1);
  EXPECT_EQ(first.measurements->diameterMm, quietChest().nodules.front().diameterMm);
  EXPECT_EQ(first.tags.at("texture"), name(quietChest().nodules.front().texture));
}

TEST(ChestPhantom, AnatomyDoesNotDependOnTheScan) {
  PhantomOptions options = smallChest(11);
  options.size = {64, 64, 0};
  options.spacingMm.z = 6;
  options.noise = false;
  options.nodules = 0;
  const Phantom coarse = make(options);
  EXPECT_EQ(coarse.lungBranches, quietChest().lungBranches);
}

TEST(ChestPhantom, RefusesSizesThatMakeNoVolume) {
  PhantomOptions options;
  options.spacingMm.z = 0;
  job::Context context;
  const auto made = makeChest(options, context);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, ErrorCode::wrongUse);
}

TEST(ChestPhantom, StopsWhenCancelled) {
  job::Context context;
  context.cancel();
  const auto made = makeChest(smallChest(1), context);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, ErrorCode::cancelled);
}

}  // namespace
}  // namespace lynceus::phantom
