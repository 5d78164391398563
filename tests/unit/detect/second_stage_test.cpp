#include "core/detect/second_stage.h"

#include <gtest/gtest.h>

#include "core/detect/tile_input.h"
#include "core/image/resample.h"
#include "tests/support/networks.h"
#include "tests/support/small_detector.h"

using namespace lynceus;
using namespace lynceus::detect;
using image::Point3;
using image::Vec3;

namespace {

model::SecondStage rulesOf(int side, double spacingMm) {
  model::SecondStage rules;
  rules.cropVoxels = side;
  rules.spacingMm = spacingMm;
  return rules;
}

/// On axes that run against the patient's, with voxels of three sizes.
image::Geometry skewedGrid(const Vec3& spacingMm) {
  image::Geometry g;
  g.size = {30, 26, 14};
  g.spacingMm = spacingMm;
  g.originMm = {50, -20, 7};
  g.direction = {Vec3{0, -1, 0}, {1, 0, 0}, {0, 0, -1}};
  return g;
}

std::vector<float> cropOf(const image::Volume& volume, const Point3& centerMm, const model::SecondStage& rules) {
  std::vector<float> crop(static_cast<size_t>(rules.cropVoxels * rules.cropVoxels * rules.cropVoxels), -1.0F);
  const auto done = cropInput(volume, centerMm, rules, {}, crop.data());
  EXPECT_TRUE(done) << done.error().message;
  return crop;
}

/// The network, device and candidates of one call of classify().
struct Classification {
  model::Package package;
  image::Volume volume;
  std::unique_ptr<compute::Device> device = *compute::openDevice("cpu");

  Expected<std::vector<double>> logits(const std::vector<Vec3>& centers, bool tta,
                                       const job::Context& context = {}) const {
    const std::string& name = package.secondStage->network;
    auto network = Network::parse(*model::readFile(package, name), name);
    if (!network) return passError(network);
    std::vector<Candidate> candidates;
    for (const Vec3& c : centers) candidates.push_back({c, {8, 8, 8}, 0});
    auto done = classify(*network, *device, volume, volume.geometry(), package, compute::Precision::fp32, tta, context,
                         candidates);
    if (!done) return passError(done);
    std::vector<double> logits;
    for (const Candidate& c : candidates) logits.push_back(*c.secondLogit);
    return logits;
  }
};

const std::vector<Vec3> kCenters{{12, 20, 9}, {30.25, 7.5, 11}, {3, 4, 5}, {40, 30, 20}, {20, 20, 20},
                                 {25, 9, 30}, {47, 39, 31},     {8, 8, 8}, {16, 30, 3},  {33, 22, 11}};

image::Volume blobs() { return test::blobVolume({48, 40, 32}, {{{12, 20, 9}}, {{30, 8, 11}, 500, 2}}); }

}  // namespace

TEST(Crop, IsCentredOnTheCandidateAndZeroOutsideTheVolume) {
  const image::Geometry g = skewedGrid({1.2, 1.5, 2.5});
  std::vector<int16_t> hu;
  const auto value = [](double x, double y, double z) { return -800 + 10 * x + 20 * y + 30 * z; };
  for (int z = 0; z < g.size.z; ++z) {
    for (int y = 0; y < g.size.y; ++y) {
      for (int x = 0; x < g.size.x; ++x) hu.push_back(static_cast<int16_t>(value(x, y, z)));
    }
  }
  const auto volume = image::Volume::create(g, hu);
  ASSERT_TRUE(volume);
  const model::SecondStage rules = rulesOf(20, 1);
  int inner = 0, outside = 0;
  for (const Vec3& center : {Vec3{14.3, 12.8, 6.1}, {1.2, 25.4, 12.9}, {-3, 5, 13}, {400, 5, 5}}) {
    const std::vector<float> crop = cropOf(*volume, g.toPatient(center), rules);
    for (int i = 0; i < 8000; ++i) {
      const Vec3 steps{i % 20 - 9.5, i / 20 % 20 - 9.5, i / 400 - 9.5};  // mm from the centre, along the volume's axes
      const double x = center.x + steps.x / 1.2, y = center.y + steps.y / 1.5, z = center.z + steps.z / 2.5;
      const float found = crop[static_cast<size_t>(i)];
      if (x < -0.5 || y < -0.5 || z < -0.5 || x > 29.5 || y > 25.5 || z > 13.5) {
        ASSERT_EQ(found, 0);
        ++outside;
      } else if (x >= 0 && y >= 0 && z >= 0 && x <= 29 && y <= 25 && z <= 13) {
        ASSERT_NEAR(found, (value(x, y, z) + 1200) / 1800, 1e-5);
        ++inner;
      }
    }
  }
  EXPECT_GT(inner, 9000);
  EXPECT_GT(outside, 9000);
}

TEST(Crop, IsWhatResamplingTheWholeVolumeGives) {
  image::Geometry g = skewedGrid({0.7, 0.6, 1.0});
  std::vector<int16_t> hu;
  for (const float v : test::randomFloats(static_cast<size_t>(g.voxelCount()), 3, -1100, 500))
    hu.push_back(static_cast<int16_t>(v));
  const auto volume = image::Volume::create(g, hu);
  ASSERT_TRUE(volume);
  const model::SecondStage rules = rulesOf(8, 1.3);  // coarser: resampling filters over several voxels
  const Vec3 center{15.2, 12.9, 7.3};
  image::Geometry target = g;
  target.size = {8, 8, 8};
  target.spacingMm = {1.3, 1.3, 1.3};
  target.originMm = g.toPatient({center.x - 3.5 * 1.3 / 0.7, center.y - 3.5 * 1.3 / 0.6, center.z - 3.5 * 1.3});
  const image::Image<float> whole = image::resampleLinear(*volume, target);
  const std::vector<float> crop = cropOf(*volume, g.toPatient(center), rules);
  const Window window({});
  for (size_t i = 0; i < crop.size(); ++i) ASSERT_NEAR(crop[i], window(whole.voxels[i]), 1e-5);
}

TEST(SecondStage, LogitsDoNotDependOnHowManyCandidatesThereAre) {
  test::SmallDetector detector(test::firstStage(test::symmetricKernel()));
  detector.second(test::medical3DNet({4, 8}, 16, {-1, 1, 16, 16, 16}), 16, 60, 1);
  const Classification c{detector.package(), blobs()};
  for (const bool tta : {false, true}) {
    const auto all = c.logits(kCenters, tta);
    ASSERT_TRUE(all) << all.error().message;
    for (size_t i = 0; i < kCenters.size(); ++i) {
      const auto alone = c.logits({kCenters[i]}, tta);
      ASSERT_TRUE(alone);
      EXPECT_EQ(alone->front(), (*all)[i]) << i;
    }
  }
}

TEST(SecondStage, IsLesionMinusNotLesionAndWithTtaTheMeanOfEightMirrorImages) {
  const std::vector<float> weights = test::randomFloats(1024, 9, -0.1F, 0.1F);
  test::SmallDetector detector(test::firstStage(test::symmetricKernel()));
  detector.second(test::secondStage(8, weights), 8, 60, 1);
  const Classification c{detector.package(), blobs()};
  const auto plain = c.logits(kCenters, false), mean = c.logits(kCenters, true);
  ASSERT_TRUE(plain) << plain.error().message;
  ASSERT_TRUE(mean) << mean.error().message;
  for (size_t i = 0; i < kCenters.size(); ++i) {
    std::vector<float> crop(512);
    ASSERT_TRUE(cropInput(c.volume, c.volume.geometry().toPatient(kCenters[i]), *c.package.secondStage,
                          c.package.preprocessing, crop.data()));
    double sums[8] = {};
    for (size_t v = 0; v < 512; ++v) {
      for (size_t image = 0; image < 8; ++image) {
        const size_t from = (image & 1 ? 7 - v % 8 : v % 8) + 8 * (image & 2 ? 7 - v / 8 % 8 : v / 8 % 8) +
                            64 * (image & 4 ? 7 - v / 64 : v / 64);
        sums[image] += (static_cast<double>(weights[512 + v]) - static_cast<double>(weights[v])) * crop[from];
      }
    }
    // 1024 products of at most 0.1 in float32: below 1e-5.
    EXPECT_NEAR((*plain)[i], sums[0], 1e-5);
    EXPECT_NEAR((*mean)[i], (sums[0] + sums[1] + sums[2] + sums[3] + sums[4] + sums[5] + sums[6] + sums[7]) / 8, 1e-5);
  }
}

TEST(SecondStage, SaysWhatItsNetworkMustPutOut) {
  test::SmallDetector detector(test::firstStage(test::symmetricKernel()));
  detector.second(test::firstStage(test::symmetricKernel()), 16, 60, 1);  // takes one crop at a time and has no logits
  const Classification c{detector.package(), blobs()};
  EXPECT_FALSE(c.logits(kCenters, false));

  test::OnnxBuilder three;
  three.output(three.node("Flatten", {three.input("crop", {-1, 1, 8, 8, 8})}), 2);
  test::SmallDetector other(test::firstStage(test::symmetricKernel()));
  other.second(three, 8, 60, 1);
  const Classification d{other.package(), blobs()};
  const auto logits = d.logits(kCenters, false);
  ASSERT_FALSE(logits);
  EXPECT_NE(logits.error().message.find("second.onnx: a second stage has one output of shape N x 2"), std::string::npos)
      << logits.error().message;
}

TEST(SecondStage, StopsBetweenBatchesWhenItIsCancelled) {
  test::SmallDetector detector(test::firstStage(test::symmetricKernel()));
  detector.second(test::secondStage(8, std::vector<float>(1024, 0.1F)), 8, 60, 1);
  const Classification c{detector.package(), blobs()};
  int batches = 0;
  job::Context* self = nullptr;
  job::Context context([&](double, std::string_view) {
    if (++batches == 2) self->cancel();
  });
  self = &context;
  const auto logits = c.logits(kCenters, true, context);
  ASSERT_FALSE(logits);
  EXPECT_EQ(logits.error().code, ErrorCode::cancelled);
  EXPECT_EQ(batches, 2);  // of ten
}
