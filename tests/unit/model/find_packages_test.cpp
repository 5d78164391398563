#include <fstream>

#include <gmock/gmock.h>

#include "core/model/package.h"
#include "tests/support/environment.h"
#include "tests/support/temporary_folder.h"

namespace lynceus::model {
namespace {

namespace fs = std::filesystem;
using test::Environment;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// Model folders "first" and "second" in $LYNCEUS_MODELS, and one of a user.
class FindPackages : public testing::Test {
 protected:
  FindPackages() {
    for (const char* name : {"first", "second", "data/lynceus/models"}) fs::create_directories(m_home / name);
  }
  fs::path put(const std::string& folder, const std::string& id, const std::string& version,
               const std::string& coding = "heat-map") const {
    fs::path path = m_home / folder;
    fs::create_directories(path);
    std::ofstream(path / "model.toml") << "schemaVersion = 1\nid = \"" << id << "\"\nversion = \"" << version
                                       << "\"\ntask = \"test\"\nlicence = \"none\"\nnetwork = \"net.onnx\"\n"
                                          "[input]\npixelSpacingMm = [0.4, 1.0]\nsliceSpacingMm = [0.5, 3]\n"
                                          "sliceThicknessMm = [0.5, 5.0]\ncoverageMm = [100, 1000]\n"
                                          "[preprocessing]\nspacingMm = 1.0\nwindowHu = [-1200, 600]\n"
                                          "[output]\nthreshold = 0.4\ncoding = \""
                                       << coding << "\"\n[sha256]\n\"net.onnx\" = \"00\"\n";
    return path;
  }
  /// "id@version" and what is said of it, of the test's own packages.
  std::vector<std::string> found() const {
    std::vector<std::string> text;
    for (const FoundPackage& f : findPackages().packages) {
      if (f.origin != "$LYNCEUS_MODELS" && f.origin != "user") continue;
      text.push_back(f.package.id + "@" + f.package.version + " " + f.package.folder.filename().string() +
                     (f.isDefault ? " default" : "") +
                     (f.hiddenBy.empty() ? "" : " hidden by " + f.hiddenBy.filename().string()));
    }
    return text;
  }
  static std::string folderOf(const std::string& name) {
    const auto package = findPackage(name);
    return package ? package->folder.filename().string() : package.error().message;
  }

  const test::TemporaryFolder m_home;
  Environment m_models{"LYNCEUS_MODELS", (m_home / "first").string() + "::" + (m_home / "second").string() + ":" +
                                             (m_home / "first/").string()};
  Environment m_data{"XDG_DATA_HOME", (m_home / "data").string()};
};

TEST_F(FindPackages, TakesTheHighestVersionUnlessOneIsNamed) {
  put("first/old", "a", "0.9.0");
  put("second/new", "a", "0.10.0");
  put("data/lynceus/models/mine", "b", "1.0.0");
  EXPECT_THAT(found(), ElementsAre("a@0.10.0 new default", "a@0.9.0 old", "b@1.0.0 mine default"));
  EXPECT_EQ(folderOf("a"), "new");
  EXPECT_EQ(folderOf("a@0.9.0"), "old");
  EXPECT_EQ(folderOf("b"), "mine");
  EXPECT_EQ(folderOf((m_home / "first/old").string()), "old");
  EXPECT_THAT(folderOf("a@0.9"), HasSubstr("there is no model 'a@0.9'; there are: a@0.10.0, a@0.9.0, b@1.0.0"));
}

TEST_F(FindPackages, OfOneVersionTwiceTheFirstFolderWins) {
  put("first/one", "a", "1.0.0");
  put("second/two", "a", "1.0.0");
  put("data/lynceus/models/three", "a", "1.0.0");
  EXPECT_THAT(found(), ElementsAre("a@1.0.0 one default", "a@1.0.0 two hidden by one", "a@1.0.0 three hidden by one"));
  EXPECT_EQ(folderOf("a@1.0.0"), "one");
}

TEST_F(FindPackages, ABrokenPackageHidesNoOther) {
  put("first/broken", "a", "1.0.0", "segments");
  put("first/whole", "b", "1.0.0");
  std::ofstream(m_home / "second/model.toml") << "not in a folder of its own";
  EXPECT_THAT(found(), ElementsAre("b@1.0.0 whole default"));
  EXPECT_EQ(folderOf("b"), "whole");
  const PackageSearch search = findPackages();
  ASSERT_EQ(search.broken.size(), 1U);
  EXPECT_EQ(search.broken[0].id, "a");
  EXPECT_THAT(search.broken[0].error.message, HasSubstr("broken/model.toml: the key 'output.coding'"));
  EXPECT_THAT(folderOf("a"), HasSubstr("the key 'output.coding' must be \"heat-map\" or \"anchors\"; mend or remove"));
  EXPECT_THAT(folderOf("a@1.0.0"), HasSubstr("mend or remove this package"));
}

TEST_F(FindPackages, AnOlderVersionNeverStepsInForABrokenOne) {
  put("first/old", "a", "1.0.0");
  put("first/new", "a", "1.1.0", "segments");
  EXPECT_THAT(folderOf("a"), HasSubstr("or name another version: a@1.0.0"));
  EXPECT_EQ(folderOf("a@1.0.0"), "old");
  put("first/newer", "a", "1.2.0");
  EXPECT_EQ(folderOf("a"), "newer");
}

TEST_F(FindPackages, SaysThatANamedFolderIsNotThere) {
  const Environment models("LYNCEUS_MODELS", (m_home / "nowhere").string());
  const PackageSearch search = findPackages();
  ASSERT_EQ(search.broken.size(), 1U);
  EXPECT_THAT(search.broken[0].error.message, HasSubstr("nowhere: this model folder ($LYNCEUS_MODELS) cannot be read"));
  EXPECT_THAT(found(), IsEmpty());
}

}  // namespace
}  // namespace lynceus::model
