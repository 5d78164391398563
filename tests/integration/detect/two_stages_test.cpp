// A package with a second stage, and test-time augmentation, through the real program.
#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "io/formats/image_file.h"
#include "tests/support/networks.h"
#include "tests/support/program.h"
#include "tests/support/small_detector.h"

namespace lynceus::test {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class TwoStages : public testing::Test {
 protected:
  TwoStages() : m_detector(firstStage(symmetricKernel())) {
    m_detector.second(medical3DNet({4, 8}, 16, {-1, 1, 16, 16, 16}), 16, 20, 1);
    m_package = "'" + m_detector.folder() + "'";
    std::filesystem::create_directory(m_folder / "studies");
    const auto written = io::writeImageFile(
        blobVolume({48, 40, 32}, {{{12, 30, 9}}, {{34.25, 8, 21}, 520, 2.5}, {{24, 18, 16}, 560, 3}}),
        m_folder / "studies/ct.mha");
    EXPECT_TRUE(written);
  }
  std::string path(const std::string& name) const { return "'" + (m_folder / name).string() + "'"; }
  json findings(const std::string& folder) const {
    return json::parse(readText(m_folder / (folder + "/findings.json")));
  }

  SmallDetector m_detector;
  std::string m_package;
  TemporaryFolder m_folder;
};

TEST_F(TwoStages, DetectRecordsBothRawScoresBothNetworksAndTheMirrors) {
  const std::string detect = "detect " + path("studies/ct.mha") + " --model " + m_package + " --threshold 0 -o ";
  const ProgramRun plain = runLynceus(detect + path("a")), tta = runLynceus(detect + path("b") + " --tta");
  ASSERT_EQ(plain.exitCode, 0) << plain.err;
  ASSERT_EQ(tta.exitCode, 0) << tta.err;
  const json a = findings("a"), b = findings("b");
  ASSERT_EQ(a["findings"].size(), 3U);
  ASSERT_EQ(b["findings"].size(), 3U);
  for (const json& f : a["findings"]) EXPECT_TRUE(f["secondStageRawScore"].is_number());
  EXPECT_EQ(a["model"]["secondStageSha256"], m_detector.package().sha256.at("second.onnx"));
  EXPECT_TRUE(a["timingsMs"].contains("secondStage"));
  EXPECT_THAT(a["provenance"]["preprocessing"].get<std::string>(),
              AllOf(HasSubstr("second stage 16 voxels of 1.00 mm"), Not(HasSubstr("tta"))));
  EXPECT_THAT(b["provenance"]["preprocessing"].get<std::string>(), HasSubstr("tta 8 mirrors"));
  EXPECT_NE(a["findings"][0]["secondStageRawScore"], b["findings"][0]["secondStageRawScore"]);
}

TEST_F(TwoStages, BatchTakesMirrorsForAnotherResult) {
  const std::string batch = "batch " + path("studies") + " --model " + m_package + " -o " + path("o") + " --resume";
  EXPECT_EQ(runLynceus(batch).exitCode, 0);
  EXPECT_THAT(runLynceus(batch).out, HasSubstr("done before"));
  EXPECT_THAT(runLynceus(batch + " --tta").out, HasSubstr("1 succeeded"));
  EXPECT_THAT(runLynceus(batch + " --tta").out, HasSubstr("done before"));
}

TEST_F(TwoStages, ModelsCheckShowsWhereBothNetworksRun) {
  const ProgramRun check = runLynceus("models check " + m_package);
  ASSERT_EQ(check.exitCode, 0) << check.err;
  EXPECT_THAT(check.out, AllOf(HasSubstr("first.onnx on "), HasSubstr("second.onnx on "), HasSubstr("8x2")));
  EXPECT_EQ(runLynceus("models verify " + m_package).exitCode, 0);
}

TEST_F(TwoStages, ModelsShowSaysWhatTheSecondStageIsAndDrops) {
  std::ofstream(m_detector.folder() + "/MODEL_CARD.md") << "# Card\n";
  const ProgramRun show = runLynceus("models show " + m_package);
  ASSERT_EQ(show.exitCode, 0) << show.err;
  EXPECT_THAT(show.out, AllOf(HasSubstr("second.onnx judges crops of 16 voxels of 1.00 mm around the 20 strongest"),
                              HasSubstr("# Card")));
}

TEST_F(TwoStages, QuantizeCutsCropsForTheSecondStage) {
  const std::string network = "'" + m_detector.folder() + "/second.onnx'";
  const ProgramRun run = runLynceus("quantize " + network + " -o " + path("q.onnx") + " --model-package " + m_package +
                                    " --calibrate " + path("studies/ct.mha"));
  ASSERT_EQ(run.exitCode, 0) << run.err;
  EXPECT_THAT(run.out, AllOf(HasSubstr("2 samples calibrated, 1 compared"), Not(HasSubstr("findings at"))));
}

}  // namespace
}  // namespace lynceus::test
