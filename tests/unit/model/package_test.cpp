#include "core/model/package.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "core/sha256.h"

using namespace lynceus;
namespace fs = std::filesystem;

namespace {

constexpr const char* kToml = R"(schemaVersion = 1
id = "test.model"
version = "1.2.3"
task = "lung-nodule"
licence = "Apache-2.0"
network = "net.onnx"
[input]
pixelSpacingMm = [0.4, 1.0]
sliceSpacingMm = [0.5, 3]
sliceThicknessMm = [0.5, 5.0]
coverageMm = [100, 1000]
[preprocessing]
spacingMm = 1.0
windowHu = [-1200, 600]
[output]
coding = "heat-map"
threshold = 0.4
[sha256]
"net.onnx" = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
)";  // the SHA-256 of "foo"

class ModelPackage : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(m_folder); }
  void TearDown() override { fs::remove_all(m_folder); }
  Expected<model::Package> read(const std::string& toml) {
    std::ofstream(m_folder / "model.toml") << toml;
    std::ofstream(m_folder / "net.onnx") << "foo";
    return model::readPackage(m_folder);
  }
  /// With a second stage, written as `table`, and its slope.
  static std::string withSecondStage(const std::string& table, const std::string& slope = "secondStageSlope = 0.8") {
    return kToml +
           ("\"second.onnx\" = \"00\"\n[secondStage]\n" + table + "\n[calibration]\nslope = 2\n" + slope + "\n");
  }
  static std::string with(const std::string& from, const std::string& to) {
    std::string text = kToml;
    return text.replace(text.find(from), from.size(), to);
  }
  const fs::path m_folder =
      fs::temp_directory_path() /
      ("lynceus-package-" + std::string(testing::UnitTest::GetInstance()->current_test_info()->name()));
};

}  // namespace

TEST_F(ModelPackage, IsReadWithItsRulesAndVerified) {
  const auto p = read(kToml);
  ASSERT_TRUE(p) << p.error().message;
  EXPECT_EQ(p->id, "test.model");
  EXPECT_EQ(p->input.sliceSpacingMm.max, 3);
  EXPECT_EQ(p->preprocessing.lowHu, -1200);
  EXPECT_EQ(p->output.threshold, 0.4);
  const auto verified = model::verifyPackage(*p);
  EXPECT_TRUE(verified) << verified.error().message;
}

TEST_F(ModelPackage, WithAChangedFileIsRefusedByName) {
  const auto p = read(kToml);
  ASSERT_TRUE(p);
  std::ofstream(m_folder / "net.onnx") << "bar";
  const auto verified = model::verifyPackage(*p);
  ASSERT_FALSE(verified);
  EXPECT_NE(verified.error().message.find("net.onnx"), std::string::npos);
}

TEST_F(ModelPackage, ErrorsNameTheFileAndTheKey) {
  struct Bad {
    std::string toml, expected;
  };
  for (const Bad& bad :
       {Bad{with("windowHu = [-1200, 600]", "windowHu = [600, -1200]"), "preprocessing.windowHu"},
        Bad{with("id = \"test.model\"\n", ""), "'id'"}, Bad{with("heat-map", "segments"), "output.coding"},
        Bad{with("\"net.onnx\" =", "\"other\" ="), "sha256"},
        Bad{with("schemaVersion = 1", "schemaVersion = 99"), "schemaVersion is 99"},
        Bad{with("threshold = 0.4", "threshold = \"high\""), "output.threshold"},
        Bad{with("1.2.3", "1.2"), "'version' must be three numbers"},
        Bad{with("test.model", "a@b"), "'id' must be made of"},
        Bad{with("\"net.onnx\"", "\"../net.onnx\""), "'network' leaves the package with '../net.onnx'"},
        Bad{with("\"net.onnx\"", "\"/net.onnx\""), "'network' is the absolute path '/net.onnx'"},
        Bad{with("\"net.onnx\"", "\"a/net.onnx\""), "'network' is 'a/net.onnx', in another folder"},
        Bad{with("\"net.onnx\"", "\"\""), "'network' is empty"},
        Bad{with("[sha256]", "[sha256]\n\"../x\" = \"00\""), "'sha256' leaves the package with '../x'"},
        Bad{with("[output]", "[tiling]\nmultipleOf = 3\n[output]"), "'tiling.multipleOf' must be a multiple of every"},
        Bad{std::string("id = = 3"), "line 1"},
        // Found by fuzzing: toml++ 3.3 reaches undefined behaviour on this character.
        Bad{std::string("\xEF\xB9\xBF id = 3"), "line 1: write the file in plain ASCII"}}) {
    const auto p = read(bad.toml);
    ASSERT_FALSE(p) << bad.expected;
    EXPECT_NE(p.error().message.find(bad.expected), std::string::npos) << p.error().message;
    EXPECT_NE(p.error().message.find("model.toml"), std::string::npos) << p.error().message;
  }
}

TEST_F(ModelPackage, MayHaveASecondStage) {
  const auto one = read(kToml);
  ASSERT_TRUE(one) << one.error().message;
  EXPECT_FALSE(one->secondStage);
  EXPECT_EQ(one->calibration.secondStageSlope, 0);
  const auto two = read(withSecondStage("network = \"second.onnx\"\ncropVoxels = 64\ncandidates = 20"));
  ASSERT_TRUE(two) << two.error().message;
  ASSERT_TRUE(two->secondStage);
  EXPECT_EQ(two->secondStage->network, "second.onnx");
  EXPECT_EQ(two->secondStage->cropVoxels, 64);
  EXPECT_EQ(two->secondStage->spacingMm, 1);
  EXPECT_EQ(two->secondStage->candidates, 20);
  EXPECT_EQ(two->calibration.secondStageSlope, 0.8);
  EXPECT_NE(one->definitionSha256, two->definitionSha256);
}

TEST_F(ModelPackage, ErrorsOfASecondStageNameTheFileAndTheKey) {
  struct Bad {
    std::string toml, expected;
  };
  const std::string network = "network = \"second.onnx\"\n";
  for (const Bad& bad :
       {Bad{withSecondStage("cropVoxels = 64"), "'secondStage.network' is missing"},
        Bad{withSecondStage("network = \"../second.onnx\""),
            "'secondStage.network' leaves the package with '../second.onnx'"},
        Bad{withSecondStage("network = \"third.onnx\""), "'sha256' must give the hash of the file that 'secondStage."},
        Bad{withSecondStage(network + "cropVoxels = 97"), "'secondStage.cropVoxels' must be between 8 and 96"},
        Bad{withSecondStage(network + "spacingMm = 0"), "'secondStage.spacingMm' must be above 0.1"},
        Bad{withSecondStage(network + "spacingMm = nan"), "'secondStage.spacingMm' must be above 0.1"},
        Bad{withSecondStage(network + "candidates = 0"), "'secondStage.candidates' must be between 1 and 4096"},
        Bad{withSecondStage(network, ""), "'calibration.secondStageSlope' is missing"},
        Bad{withSecondStage(network, "secondStageSlope = -1"), "'calibration.secondStageSlope' must be positive"},
        Bad{with("schemaVersion = 1", "schemaVersion = 1\nsecondStage = 3"), "'secondStage.network' is missing"},
        Bad{kToml + std::string("[calibration]\nsecondStageSlope = 1\n"),
            "'calibration.secondStageSlope' needs a table [secondStage]"}}) {
    const auto p = read(bad.toml);
    ASSERT_FALSE(p) << bad.expected;
    EXPECT_NE(p.error().message.find(bad.expected), std::string::npos) << p.error().message;
    EXPECT_NE(p.error().message.find("model.toml"), std::string::npos) << p.error().message;
  }
}

TEST_F(ModelPackage, AnAnchorNetworkListsItsLevels) {
  const auto p =
      read(with("coding = \"heat-map\"",
                "coding = \"anchors\"\nlevels = [{scores = \"s0\", boxes = \"b0\", strideVoxels = [4, 4, 2], "
                "sizesVoxels = [[6, 8, 4], [8, 6, 5]]}]"));
  ASSERT_TRUE(p) << p.error().message;
  ASSERT_EQ(p->output.levels.size(), 1u);
  EXPECT_EQ(p->output.levels[0].strideVoxels.z, 2);
  EXPECT_EQ(p->output.levels[0].sizesVoxels[1][0], 8);
}

TEST(ModelVersion, IsThreeNumbersThatCompareAsNumbers) {
  EXPECT_LT(model::parseVersion("0.9.0"), model::parseVersion("0.10.0"));
  EXPECT_LT(model::parseVersion("1.2.3"), model::parseVersion("2.0.0"));
  EXPECT_EQ(model::parseVersion("01.2.3"), model::parseVersion("1.2.3"));
  for (const char* text : {"", "1", "1.2", "1.2.", "1.2.3.4", "1.2.x", "1.-2.3", "1..3", " 1.2.3", "1.2.99999999999"})
    EXPECT_FALSE(model::parseVersion(text)) << text;
}

TEST(InputRules, NameTheBrokenRuleWithItsValueAndRange) {
  model::InputRules rules;
  rules.pixelSpacingMm = {0.4, 1};
  rules.sliceSpacingMm = {0.5, 3};
  rules.sliceThicknessMm = {0.5, 5};
  rules.coverageMm = {100, 1000};
  image::Geometry g;
  g.size = {512, 512, 100};
  g.spacingMm = {0.7, 0.7, 2};
  EXPECT_EQ(model::brokenRule(rules, g, {"CT", 2}), "");
  EXPECT_EQ(model::brokenRule(rules, g, {}), "");  // a NIfTI file says nothing of modality and thickness
  EXPECT_NE(model::brokenRule(rules, g, {"MR", 2}).find("MR"), std::string::npos);
  EXPECT_NE(model::brokenRule(rules, g, {"CT", 7}).find("slice thickness is 7.00 mm"), std::string::npos);
  g.spacingMm.z = 5;
  EXPECT_NE(model::brokenRule(rules, g, {"CT", 5}).find("slice spacing is 5.00 mm"), std::string::npos);
  g.spacingMm.z = 0.8;
  EXPECT_NE(model::brokenRule(rules, g, {"CT", 1}).find("coverage"), std::string::npos);
}

TEST(Sha256, GivesTheKnownAnswer) {
  EXPECT_EQ(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}
