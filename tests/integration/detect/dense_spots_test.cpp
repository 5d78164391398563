// The second shipped package, another target: other spacing, window, output coding, strides and code, the same program.
#include <algorithm>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "core/sha256.h"
#include "tests/support/program.h"

namespace lynceus::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;

const std::string kPackage = LYNCEUS_SOURCE_DIR "/resources/models/dense-spots";

class DenseSpots : public testing::Test {
 protected:
  std::string path(const std::string& name) const { return "'" + (m_folder / name).string() + "'"; }
  void makePhantom(const std::string& options) const {
    const ProgramRun made =
        runLynceus("phantom -o " + path("ct") + " --matrix 192 --spacing 1.9 --slice-mm 2.5 " + options);
    ASSERT_EQ(made.exitCode, 0) << made.err;
  }
  json detect(const std::string& options) const {
    const ProgramRun run = runLynceus("detect " + path("ct") + " -o " + path("out") + " " + options);
    EXPECT_EQ(run.exitCode, 0) << run.err;
    return json::parse(readText(m_folder / "out/findings.json"));
  }

  const TemporaryFolder m_folder;
};

bool inside(const json& point, const json& box) {
  for (size_t axis = 0; axis < 3; ++axis)
    if (point[axis] < box["min"][axis] || point[axis] > box["max"][axis]) return false;
  return true;
}

TEST_F(DenseSpots, MarksACalcifiedLesionByThePackagesOwnCode) {
  makePhantom("--seed 3102 --nodules 40");
  const json found = detect("--model lynceus.dense-spots");
  EXPECT_EQ(found["model"]["id"], "lynceus.dense-spots");
  EXPECT_THAT(found["provenance"]["preprocessing"].get<std::string>(),
              HasSubstr("2.00 mm isotropic, window 50 to 1050 HU"));
  for (const json& f : found["findings"]) EXPECT_EQ(f["kind"], "dense-spot");
  // The lesion of this patient that is mostly calcium inside: 18 mm, 222 HU in the mean.
  const json truth = json::parse(readText(m_folder / "ct/truth.json"));
  const auto lesion = std::find_if(truth["findings"].begin(), truth["findings"].end(), [](const json& f) {
    return f["tags"]["calcification"] == "central" && f["diameterMm"] > 15;
  });
  ASSERT_NE(lesion, truth["findings"].end());
  const auto marks = std::count_if(found["findings"].begin(), found["findings"].end(),
                                   [&](const json& f) { return inside(f["centerMm"], (*lesion)["boxMm"]); });
  EXPECT_EQ(marks, 1);
}

TEST_F(DenseSpots, MarksNothingInAPatientWithoutAny) {
  makePhantom("--seed 7 --preset demo --nodules 0");
  EXPECT_THAT(detect("--model lynceus.dense-spots")["findings"], testing::IsEmpty());
}

TEST_F(DenseSpots, RunOnlyWhereTheyAreNamed) {
  makePhantom("--seed 7 --preset demo --nodules 0");
  EXPECT_EQ(detect("")["model"]["id"], "lynceus.lung-nodule");
}

TEST_F(DenseSpots, AreRefusedOnThickSlicesWithTheRuleAndItsRange) {
  makePhantom("--seed 7 --preset demo --nodules 0 --thickness-mm 4");
  const ProgramRun run = runLynceus("detect " + path("ct") + " -o " + path("out") + " --model lynceus.dense-spots");
  EXPECT_EQ(run.exitCode, 3) << run.err;
  EXPECT_THAT(run.err, HasSubstr("the slice thickness is 4.00 mm, the model was made for 0.30 to 3.00 mm"));
}

TEST_F(DenseSpots, AreMadeByTheirRecipe) {
  ASSERT_EQ(std::system(("python3 '" + kPackage + "/recipe/make.py' " + path("made.onnx")).c_str()), 0);
  EXPECT_EQ(*sha256OfFile(m_folder / "made.onnx"), *sha256OfFile(kPackage + "/dense_spots.onnx"));
}

TEST_F(DenseSpots, AreListedShownVerifiedAndChecked) {
  EXPECT_THAT(runLynceus("models list").out, HasSubstr("lynceus.dense-spots "));
  EXPECT_THAT(runLynceus("models show lynceus.dense-spots").out, HasSubstr("by hand"));
  EXPECT_EQ(runLynceus("models verify lynceus.dense-spots").exitCode, 0);
  EXPECT_EQ(runLynceus("models check '" + kPackage + "'").exitCode, 0);
}

}  // namespace
}  // namespace lynceus::test
