// Several versions of a package in several folders: what the real program lists, and which it runs.
#include <algorithm>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "io/formats/image_file.h"
#include "tests/support/environment.h"
#include "tests/support/program.h"
#include "tests/support/small_detector.h"

namespace lynceus::test {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

const fs::path kShipped = fs::path(LYNCEUS_SOURCE_DIR) / "resources/models/dense-spots";

/// A user with model folders; dense-spots and lung-nodule are in the source tree.
class ModelsList : public testing::Test {
 protected:
  /// A copy of the shipped package with another version.
  fs::path put(const std::string& folder, const std::string& version) const {
    fs::path path = m_home / folder;
    fs::create_directories(path.parent_path());
    fs::copy(kShipped, path, fs::copy_options::recursive);
    std::string text = readText(path / "model.toml");
    const size_t at = text.find("\nversion = \"") + 12;
    text.replace(at, text.find('"', at) - at, version);
    std::ofstream(path / "model.toml") << text;
    return path;
  }
  /// The lines that `models list` prints of one version.
  static std::string linesOf(const std::string& list, const std::string& version) {
    const size_t at = list.find("lynceus.dense-spots          " + version + " ");
    if (at == std::string::npos) return "not listed: " + list;
    return list.substr(at, list.find('\n', list.find('\n', at) + 1) - at);
  }

  const TemporaryFolder m_home;
  const Environment m_models{"LYNCEUS_MODELS", (m_home / "site").string() + ":" + (m_home / "lab").string()};
  const Environment m_data{"XDG_DATA_HOME", (m_home / "data").string()};
};

TEST_F(ModelsList, ShowsEveryVersionWithItsFolderAndWhichIsTheDefault) {
  fs::create_directories(m_home / "lab");
  const fs::path old = put("site/dense", "0.0.9"), user = put("data/lynceus/models/dense", "0.10.0");
  const ProgramRun run = runLynceus("models list");
  EXPECT_EQ(run.exitCode, 0) << run.err;
  EXPECT_THAT(linesOf(run.out, "0.10.0"), HasSubstr("\n    default; user: " + user.string()));
  EXPECT_THAT(linesOf(run.out, "0.0.9"), HasSubstr("\n    $LYNCEUS_MODELS: " + old.string()));
  EXPECT_THAT(linesOf(run.out, "0.1.0"), HasSubstr("\n    source tree: "));
  EXPECT_THAT(run.out, HasSubstr("\n    default, and what runs without --model; source tree: "));
  EXPECT_THAT(runLynceus("models verify lynceus.dense-spots@0.0.9").out,
              StartsWith("lynceus.dense-spots 0.0.9: 1 file"));
  EXPECT_THAT(runLynceus("models verify lynceus.dense-spots").out, StartsWith("lynceus.dense-spots 0.10.0: "));
}

TEST_F(ModelsList, SaysThatTheSameVersionElsewhereIsHidden) {
  const fs::path first = put("site/dense", "1.0.0"), second = put("lab/dense", "1.0.0");
  const ProgramRun run = runLynceus("models list");
  EXPECT_EQ(run.exitCode, 0) << run.err;
  EXPECT_THAT(linesOf(run.out, "1.0.0"), HasSubstr("default; $LYNCEUS_MODELS: " + first.string()));
  EXPECT_THAT(run.out, HasSubstr("\n    hidden by " + first.string() +
                                 ", the same id and version; $LYNCEUS_MODELS: " + second.string()));
}

TEST_F(ModelsList, NamesABrokenPackageAndGoesOn) {
  fs::create_directories(m_home / "lab");
  std::ofstream(put("site/dense", "1.0.0") / "model.toml", std::ios::app) << "= nonsense";
  const ProgramRun list = runLynceus("models list");
  EXPECT_EQ(list.exitCode, 1);
  EXPECT_THAT(list.err, AllOf(HasSubstr("site/dense/model.toml: line "), StartsWith("lynceus: ")));
  EXPECT_EQ(std::count(list.err.begin(), list.err.end(), '\n'), 1) << list.err;
  EXPECT_THAT(list.out, AllOf(HasSubstr("lynceus.lung-nodule "), HasSubstr("lynceus.dense-spots ")));
  const ProgramRun verify = runLynceus("models verify lynceus.lung-nodule");
  EXPECT_EQ(verify.exitCode, 0);
  EXPECT_EQ(verify.err, "");
}

TEST_F(ModelsList, DetectRunsTheVersionThatIsNamedAndRecordsIt) {
  put("site/dense", "0.10.0");
  fs::create_directories(m_home / "lab");
  ASSERT_TRUE(io::writeImageFile(blobVolume({40, 40, 90}, {{{20, 20, 45}, 2000, 3}}), m_home / "ct.mha"));
  const auto versionOf = [&](const std::string& model) {
    const std::string out = (m_home / "out").string();
    const ProgramRun run =
        runLynceus("detect '" + (m_home / "ct.mha").string() + "' -o '" + out + "' --region whole --model " + model);
    EXPECT_EQ(run.exitCode, 0) << run.err;
    return nlohmann::json::parse(readText(out + "/findings.json"))["model"]["version"].get<std::string>();
  };
  EXPECT_EQ(versionOf("lynceus.dense-spots"), "0.10.0");
  EXPECT_EQ(versionOf("lynceus.dense-spots@0.1.0"), "0.1.0");
}

}  // namespace
}  // namespace lynceus::test
