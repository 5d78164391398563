#include "core/detect/pipeline.h"

#include <numeric>

#include <gtest/gtest.h>

#include "core/detect/mirror.h"
#include "core/detect/tile_input.h"
#include "tests/support/small_detector.h"

using namespace lynceus;
using namespace lynceus::detect;
using image::Int3;
using image::Vec3;

namespace {

constexpr Int3 kSize{48, 40, 32};
const std::vector<test::Blob> kBlobs{{{12, 30, 9}}, {{34.25, 8, 21}, 520, 2.5}, {{24, 18, 16}, 560, 3}};

Vec3 mirroredIndex(const Vec3& p, int image) {
  return {image & 1 ? kSize.x - 1 - p.x : p.x, image & 2 ? kSize.y - 1 - p.y : p.y,
          image & 4 ? kSize.z - 1 - p.z : p.z};
}

Options everywhere(bool tta) {
  Options options;
  options.region = Region::whole;
  options.tta = tta;
  return options;
}

DetectionResult run(Pipeline& pipeline, const image::Volume& volume, bool tta) {
  auto result = pipeline.run(volume, {}, everywhere(tta), job::Context());
  if (!result) throw std::runtime_error(result.error().message);
  return std::move(*result);
}

/// The largest distance in mm of findings of one that should lie where those of the other do, and of their scores.
struct Difference {
  double mm = 0, score = 0;
};
Difference compare(const DetectionResult& a, const DetectionResult& b, const image::Geometry& grid, int image) {
  Difference largest;
  EXPECT_EQ(a.findings.size(), kBlobs.size());
  EXPECT_EQ(b.findings.size(), kBlobs.size());
  for (size_t i = 0; i < std::min(a.findings.size(), b.findings.size()); ++i) {
    const image::Point3 expected = grid.toPatient(mirroredIndex(grid.toIndex(a.findings[i].centerMm), image));
    largest.mm = std::max(largest.mm, norm(expected - b.findings[i].centerMm));
    largest.score = std::max(largest.score, std::fabs(a.findings[i].score - b.findings[i].score));
  }
  return largest;
}

image::Volume mirrorImage(int image) {
  std::vector<test::Blob> blobs = kBlobs;
  for (test::Blob& b : blobs) b.center = mirroredIndex(b.center, image);
  return test::blobVolume(kSize, blobs);
}

// Sums of 64 products in another order, logits below 16: rounding below 64 * 16 * 2^-24.
constexpr double kRounding = 1e-4;

}  // namespace

TEST(TestTimeAugmentation, ChangesNothingForASymmetricNetwork) {
  test::SmallDetector detector(test::firstStage(test::symmetricKernel()));
  Pipeline pipeline = detector.pipeline();
  const image::Volume volume = test::blobVolume(kSize, kBlobs);
  const DetectionResult plain = run(pipeline, volume, false), tta = run(pipeline, volume, true);
  const Difference d = compare(plain, tta, volume.geometry(), 0);
  EXPECT_LT(d.mm, kRounding);
  EXPECT_LT(d.score, kRounding);
  EXPECT_EQ(plain.provenance.preprocessing.find("tta"), std::string::npos);
  EXPECT_NE(tta.provenance.preprocessing.find("tta 8 mirrors"), std::string::npos);
}

TEST(TestTimeAugmentation, FindsInAMirroredVolumeTheMirroredFindings) {
  test::SmallDetector detector(test::firstStage(test::skewKernel()));
  detector.second(test::secondStage(16, test::randomFloats(8192, 4, -0.05F, 0.05F)), 16, 60, 1);
  Pipeline pipeline = detector.pipeline();
  const image::Volume volume = test::blobVolume(kSize, kBlobs);
  const DetectionResult plain = run(pipeline, volume, false), tta = run(pipeline, volume, true);
  for (int image = 1; image < kMirrors; ++image) {
    const image::Volume other = mirrorImage(image);
    EXPECT_GT(compare(plain, run(pipeline, other, false), volume.geometry(), image).mm, 0.05) << image;
    const Difference d = compare(tta, run(pipeline, other, true), volume.geometry(), image);
    EXPECT_LT(d.mm, kRounding) << image;
    EXPECT_LT(d.score, kRounding) << image;
  }
}

TEST(Pipeline, OrdersByBothStagesAndDropsWhatTheSecondDoesNotSee) {
  // The second stage looks at the middle of its crop alone: the denser, the less a lesion.
  std::vector<float> weights(1024, 0.0F);
  weights[512 + 4 * 64 + 4 * 8 + 4] = -40;
  test::SmallDetector one(test::firstStage(test::symmetricKernel())), two(test::firstStage(test::symmetricKernel()));
  Pipeline first = one.pipeline();
  Pipeline both = two.second(test::secondStage(8, weights), 8, 2, 1).pipeline();
  const image::Volume volume = test::blobVolume(kSize, kBlobs);
  Options all = everywhere(false);
  all.threshold = 0;
  const auto alone = first.run(volume, {}, all, job::Context()), judged = both.run(volume, {}, all, job::Context());
  ASSERT_TRUE(alone && judged);
  ASSERT_EQ(alone->findings.size(), 3u);
  EXPECT_FALSE(alone->findings[0].secondStageRawScore);
  EXPECT_EQ(alone->timingsMs.count("secondStage"), 0u);
  ASSERT_EQ(judged->findings.size(), 2u);  // the weakest of the first stage is never judged
  EXPECT_EQ(judged->findings[0].centerMm, alone->findings[1].centerMm);
  EXPECT_EQ(judged->findings[1].centerMm, alone->findings[0].centerMm);
  EXPECT_EQ(judged->findings[0].id, 1);
  EXPECT_EQ(judged->timingsMs.count("secondStage"), 1u);
  EXPECT_EQ(judged->provenance.secondStageSha256, two.package().sha256.at("second.onnx"));
  const auto logit = [](double p) { return std::log(p / (1 - p)); };
  for (const Finding& f : judged->findings) {
    ASSERT_TRUE(f.secondStageRawScore);
    EXPECT_NEAR(logit(f.score), 0.5 * logit(f.rawScore) + logit(*f.secondStageRawScore) - 1, 1e-4);
  }
}

TEST(Pipeline, ASecondStageThatPutsOutNotANumberGivesNoFindingAndNoCrash) {
  test::SmallDetector detector(test::firstStage(test::symmetricKernel()));
  detector.second(test::secondStage(8, std::vector<float>(1024, std::nanf(""))), 8, 60, 1);
  Pipeline pipeline = detector.pipeline();
  const DetectionResult result = run(pipeline, test::blobVolume(kSize, kBlobs), false);
  EXPECT_EQ(result.status, Status::succeeded);
  EXPECT_TRUE(result.findings.empty());
}

TEST(Pipeline, StopsBetweenMirrorImagesWhenItIsCancelled) {
  test::SmallDetector detector(test::firstStage(test::symmetricKernel()));
  Pipeline pipeline = detector.pipeline();
  job::Context* self = nullptr;
  job::Context context([&](double, std::string_view what) {
    if (what == "network") self->cancel();
  });
  self = &context;
  const auto result = pipeline.run(test::blobVolume(kSize, kBlobs), {}, everywhere(true), context);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::cancelled);
}

TEST(Pipeline, FindsALesionBetweenTwoTilesOnceThoughTheyPlaceItDifferently) {
  const Int3 size{48, 32, 32};
  const auto countNear = [](const DetectionResult& result, const image::Point3& p) {
    return std::count_if(result.findings.begin(), result.findings.end(),
                         [&](const Finding& f) { return norm(f.centerMm - p) < 4; });
  };
  for (double x = 26; x <= 29; x += 0.25) {
    // Cores meet at 27.5. The blob on the left makes the means of the two tiles differ.
    const Vec3 center{x, 14, 17};
    const image::Volume volume = test::blobVolume(size, {{center}, {{6, 20, 10}, 800, 5}});
    image::Image<float> hu(volume.geometry());
    std::copy(volume.hu().begin(), volume.hu().end(), hu.voxels.begin());
    const TilePlan plan = planTiles(size, 32, 8, 8);
    ASSERT_EQ(plan.tiles.size(), 2u);
    ASSERT_EQ(plan.tiles[1].coreFirst.x, 28);
    const auto meanOf = [&](const Tile& tile) {
      const nn::Tensor input = tileInput(hu, plan, tile, {1, -1000, 0});
      return std::accumulate(input.floats().begin(), input.floats().end(), 0.0) / static_cast<double>(input.size());
    };
    const double left = meanOf(plan.tiles[0]), right = meanOf(plan.tiles[1]);
    // The left tile places it 1 mm to the right, the right one 1 mm to the left: each into the other's core.
    const double slope = 2 / (left - right);
    test::Kernel kernel = test::symmetricKernel();
    kernel.bias[2] = static_cast<float>(-slope * (left + right) / 2);
    test::SmallDetector detector(test::firstStage(kernel, static_cast<float>(slope)));
    Pipeline pipeline = detector.tiles(32, 8).pipeline();
    EXPECT_EQ(countNear(run(pipeline, volume, false), volume.geometry().toPatient(center)), 1) << x;
  }
}
