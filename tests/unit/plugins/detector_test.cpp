// Real libraries run on volumes: results as those of model packages.
#include "plugins/host/detector.h"

#include <gmock/gmock.h>

#include "tests/support/small_detector.h"

namespace lynceus::plugins {
namespace {

using detect::DetectionResult;
using detect::Status;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;

const std::string kFolder = LYNCEUS_BINARY_DIR "/test-plugins/";

class PluginDetector : public testing::Test {
 protected:
  Expected<DetectionResult> run(const std::string& file, const image::Volume& volume,
                                const model::SeriesFacts& facts = {}) {
    auto library = Library::open(file);
    if (!library) return passError(library);
    auto result = runDetector(*library, library->models()[0].id, volume, facts, m_options, m_resources, m_context);
    EXPECT_EQ(library->damage(), "");
    return result;
  }
  /// status.so: returns `status` after so many findings.
  Expected<DetectionResult> status(int16_t status, int16_t findings = 0) {
    std::vector<int16_t> hu(size_t{20} * 20 * 20, -900);
    hu[0] = status;
    hu[1] = findings;
    image::Geometry g;
    g.size = {20, 20, 20};
    return run(kFolder + "status.so", *image::Volume::create(g, std::move(hu)));
  }

  Resources m_resources{*compute::openDevice("cpu"),
                        [this](lynceus_log_level, std::string_view line) { m_lines.emplace_back(line); },
                        {}};
  std::vector<std::string> m_lines;
  detect::Options m_options{detect::Region::whole, {}, compute::Precision::fp32, false};
  job::Context m_context;
};

TEST_F(PluginDetector, FindsAndMeasuresAsAPipelineDoes) {
  const image::Volume volume = test::blobVolume({90, 80, 100}, {{{30, 40, 50}, 900}, {{60, 30, 40}, 900}});
  const auto result = run(LYNCEUS_BINARY_DIR "/plugins/threshold_blobs.so", volume, {"CT", 1});
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->status, Status::succeeded);
  ASSERT_EQ(result->findings.size(), 2U);
  for (size_t i = 0; i < 2; ++i) {
    const detect::Finding& f = result->findings[i];
    EXPECT_EQ(f.id, static_cast<int>(i) + 1);
    EXPECT_EQ(f.kind, "lung-nodule");
    EXPECT_EQ(f.score, f.rawScore);
    ASSERT_TRUE(f.mask && f.measurements);
    EXPECT_EQ(f.measurements->algorithm, "threshold-opening/1");
    const image::Vec3 at = volume.geometry().toIndex(f.centerMm);
    EXPECT_LT(std::min(norm(at - image::Vec3{30, 40, 50}), norm(at - image::Vec3{60, 30, 40})), 2);
  }
  EXPECT_EQ(result->provenance.modelId, "lynceus.threshold-blobs");
  EXPECT_EQ(result->provenance.modelVersion, "1.0.0");
  EXPECT_EQ(result->provenance.weightsSha256, *sha256OfFile(LYNCEUS_BINARY_DIR "/plugins/threshold_blobs.so"));
  EXPECT_EQ(result->provenance.preprocessing, "plugin ABI 1.0");
  EXPECT_THAT(result->provenance.device, HasSubstr("cpu"));
  EXPECT_FALSE(result->provenance.createdUtc.empty());
  ASSERT_TRUE(result->geometry);
}

TEST_F(PluginDetector, SearchesTheWholeVolumeWhereThereIsNoLung) {
  m_options.region = detect::Region::lung;
  const auto result = run(kFolder + "plugin.so", test::blobVolume({40, 40, 40}, {{{20, 20, 20}, 900}}));
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_THAT(result->remarks, testing::ElementsAre(HasSubstr("no lung found")));
  ASSERT_EQ(result->findings.size(), 1U);
}

TEST_F(PluginDetector, TellsThePluginWhereTheLungIs) {
  // Two lungs of air in soft tissue, and denser spots in a lung and far outside.
  image::Geometry g;
  g.size = {150, 120, 100};
  g.spacingMm = {2, 2, 2};
  std::vector<int16_t> hu;
  for (int z = 0; z < 100; ++z)
    for (int y = 0; y < 120; ++y)
      for (int x = 0; x < 150; ++x) {
        const auto in = [&](double cx, double rx, double ry, double rz) {
          return std::pow((x - cx) / rx, 2) + std::pow((y - 60) / ry, 2) + std::pow((z - 50) / rz, 2) < 1;
        };
        const bool body = in(75, 70, 55, 1e9), lung = in(45, 22, 35, 40) || in(105, 22, 35, 40);
        hu.push_back(static_cast<int16_t>(lung ? -850 : body ? 30 : -1000));
      }
  const auto at = [&](int x, int y, int z) -> int16_t& { return hu[static_cast<size_t>(g.offset(x, y, z))]; };
  at(45, 60, 50) = 500;
  at(75, 60, 2) = 2000;
  const image::Volume volume = *image::Volume::create(g, hu);
  m_options.threshold = 0;
  for (const auto region : {detect::Region::lung, detect::Region::whole}) {
    m_options.region = region;
    const auto result = run(kFolder + "plugin.so", volume);
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_THAT(result->remarks, IsEmpty());
    ASSERT_EQ(result->findings.size(), 1U);
    const image::Vec3 expected = region == detect::Region::lung ? image::Vec3{45, 60, 50} : image::Vec3{75, 60, 2};
    EXPECT_LT(norm(volume.geometry().toIndex(result->findings[0].centerMm) - expected), 1e-6);
  }
}

TEST_F(PluginDetector, PassesThePlaceInThePatientOn) {
  // A grid whose axes are not the patient's.
  image::Geometry g;
  g.size = {20, 30, 40};
  g.spacingMm = {0.5, 1, 2};
  g.originMm = {10, 20, 30};
  g.direction = {image::Vec3{0, 1, 0}, {0, 0, -1}, {-1, 0, 0}};
  std::vector<int16_t> hu(size_t{20} * 30 * 40, -900);
  hu[static_cast<size_t>(g.offset(3, 20, 31))] = 100;
  const auto result = run(kFolder + "plugin.so", *image::Volume::create(g, std::move(hu)));
  ASSERT_TRUE(result) << result.error().message;
  ASSERT_EQ(result->findings.size(), 1U);
  EXPECT_LT(norm(result->findings[0].centerMm - g.toPatient({3, 20, 31})), 1e-9);
}

TEST_F(PluginDetector, OrdersFindingsAndAppliesTheThreshold) {
  const auto half = status(LYNCEUS_OK, 9);
  ASSERT_TRUE(half) << half.error().message;
  ASSERT_EQ(half->findings.size(), 5U);
  EXPECT_EQ(half->findings[0].score, 0.9);
  EXPECT_EQ(half->findings[4].score, 0.5);
  EXPECT_EQ(half->findings[0].kind, "second");
  m_options.threshold = 0.75;
  EXPECT_EQ(status(LYNCEUS_OK, 9)->findings.size(), 2U);
  EXPECT_EQ(status(LYNCEUS_OK, 0)->status, Status::succeeded);
}

TEST_F(PluginDetector, NamesTheRuleThatTheSeriesBreaks) {
  image::Geometry g;
  g.size = {20, 20, 20};
  g.spacingMm = {0.4, 0.4, 1};
  const auto result = run(kFolder + "status.so", *image::Volume::create(g, std::vector<int16_t>(8000, -900)));
  ASSERT_TRUE(result);
  EXPECT_EQ(result->status, Status::rejectedInput);
  EXPECT_THAT(result->reason, AllOf(HasSubstr("pixel spacing is 0.40 mm"), HasSubstr("choose another series")));
}

TEST_F(PluginDetector, TurnsEveryStatusIntoTheRightEnd) {
  EXPECT_EQ(status(LYNCEUS_REJECTED_INPUT)->status, Status::rejectedInput);
  EXPECT_EQ(status(LYNCEUS_REJECTED_INPUT)->reason, "the plugin org.example.status 1.0.0: the first voxel says so");
  EXPECT_EQ(status(LYNCEUS_FAILED, 9)->status, Status::failed);
  EXPECT_THAT(status(LYNCEUS_FAILED, 9)->findings, IsEmpty());
  EXPECT_EQ(status(77)->status, Status::failed);
  EXPECT_EQ(status(LYNCEUS_CANCELLED)->status, Status::failed);  // nobody had cancelled it
  const auto noResource = status(LYNCEUS_NO_RESOURCE);
  ASSERT_FALSE(noResource);
  EXPECT_EQ(noResource.error().code, ErrorCode::resource);
  EXPECT_THAT(noResource.error().message, HasSubstr("the first voxel says so"));
  EXPECT_THAT(m_lines, testing::Each(std::string("the first voxel says so")));
}

TEST_F(PluginDetector, StopsWhenCancelled) {
  m_context.cancel();
  const auto result = status(LYNCEUS_OK, 3);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::cancelled);
}

TEST_F(PluginDetector, IsRefusedWhatItCannotDo) {
  auto library = Library::open(kFolder + "classifier.so");
  ASSERT_TRUE(library);
  const image::Volume volume = test::blobVolume({20, 20, 20}, {});
  const auto detect = [&](const char* id) {
    return runDetector(*library, id, volume, {}, m_options, m_resources, m_context).error().message;
  };
  EXPECT_THAT(detect("org.example.half"), HasSubstr("is no detector"));
  EXPECT_THAT(detect("org.example.none"), HasSubstr("there is no model"));
  m_options.tta = true;
  EXPECT_THAT(status(LYNCEUS_OK).error().message, HasSubstr("test-time augmentation"));
}

class PluginClassifier : public PluginDetector {
 protected:
  void SetUp() override {
    for (const double score : {0.9, 0.6}) {
      detect::Finding f;
      f.id = static_cast<int>(m_result.findings.size()) + 1;
      f.score = f.rawScore = score;
      f.estimatedDiameterMm = 5;
      m_result.findings.push_back(f);
    }
    m_result.status = Status::succeeded;
  }
  Expected<void> judge(const char* model) {
    auto library = Library::open(kFolder + "classifier.so");
    if (!library) return passError(library);
    return classify(*library, model, m_volume, {}, m_options, m_resources, m_context, m_result);
  }
  image::Volume m_volume = test::blobVolume({20, 20, 20}, {});
  DetectionResult m_result;
};

TEST_F(PluginClassifier, ReplacesScoresAndKeepsTheOldOnes) {
  const auto done = judge("org.example.half");
  ASSERT_TRUE(done) << done.error().message;
  ASSERT_EQ(m_result.findings.size(), 2U);
  EXPECT_DOUBLE_EQ(m_result.findings[0].score, 0.7);  // 1 - 0.6 / 2: the weaker one now leads
  EXPECT_EQ(m_result.findings[0].tags.at("detectorScore"), "0.6");
  EXPECT_EQ(m_result.findings[0].rawScore, 0.6);
  EXPECT_EQ(m_result.findings[0].id, 1);
  EXPECT_DOUBLE_EQ(m_result.findings[1].score, 0.55);
  EXPECT_THAT(m_result.provenance.preprocessing, HasSubstr("judged by the plugin org.example.half 1.0.0"));
  EXPECT_EQ(m_result.provenance.secondStageSha256.size(), 64U);
}

TEST_F(PluginClassifier, RefusesScoresThatAreNone) {
  EXPECT_EQ(judge("org.example.nan").error().message,
            "the plugin org.example.nan 1.0.0 gave finding 1 the score nan, not 0 to 1");
  EXPECT_THAT(judge("org.example.forgetful").error().message, HasSubstr("finding 1 the score nan"));
  EXPECT_EQ(m_result.findings[0].score, 0.9);
  EXPECT_THAT(m_result.findings[0].tags, IsEmpty());
}

TEST_F(PluginClassifier, RefusesKindsThatItDoesNotKnow) {
  m_result.findings[1].kind = "liver-lesion";
  EXPECT_THAT(judge("org.example.half").error().message, AllOf(HasSubstr("liver-lesion"), HasSubstr("finding 2")));
}

}  // namespace
}  // namespace lynceus::plugins
