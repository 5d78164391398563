// Plugins as a user and as an old plugin meet them: the real program, and a library that was built once and for all.
#include <cstdlib>
#include <fstream>

#include <gmock/gmock.h>

#include "plugins/host/detector.h"
#include "tests/support/program.h"
#include "tests/support/small_detector.h"

namespace lynceus::test {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

/// plugins/template as it was when the interface was 1.0. Never built again: every later 1.x must load it.
constexpr const char* kPlugin10 = LYNCEUS_SOURCE_DIR "/tests/integration/plugins/plugin_1_0_x86_64.so";

TEST(PluginOfVersion10, LoadsAndWorks) {
#ifndef __x86_64__
  GTEST_SKIP() << "the library of version 1.0 is for x86-64";
#endif
  auto library = plugins::Library::open(kPlugin10);
  ASSERT_TRUE(library) << library.error().message;
  EXPECT_EQ(library->abi(), "1.0");
  ASSERT_EQ(library->models().size(), 1U);
  const plugins::Description& d = library->models()[0];
  EXPECT_EQ(d.id, "org.example.template");
  EXPECT_EQ(d.version, "1.0.0");
  EXPECT_EQ(d.interfaceId, "lynceus.detector/1");
  EXPECT_EQ(d.kinds, std::vector<std::string>{"densest-voxel"});
  EXPECT_EQ(d.input.coverageMm.max, 5000);
  const image::Volume volume = blobVolume({30, 30, 30}, {{{10, 12, 14}}});
  detect::Options options;
  options.region = detect::Region::whole;
  const auto result = runDetector(*library, d.id, volume, {}, options, {*compute::openDevice("cpu")}, job::Context());
  ASSERT_TRUE(result) << result.error().message;
  ASSERT_EQ(result->findings.size(), 1U) << result->reason;
  EXPECT_EQ(result->findings[0].centerMm, volume.geometry().toPatient({10, 12, 14}));
}

/// The program with a configuration and a plugin folder of its own.
class PluginsCommand : public testing::Test {
 protected:
  void SetUp() override {
    setenv("XDG_CONFIG_HOME", (m_root / "config").c_str(), 1);
    setenv("XDG_DATA_HOME", (m_root / "data").c_str(), 1);
    fs::create_directories(m_mine.parent_path());
    fs::copy_file(LYNCEUS_BINARY_DIR "/test-plugins/plugin.so", m_mine);
  }
  void TearDown() override {
    unsetenv("XDG_CONFIG_HOME");
    unsetenv("XDG_DATA_HOME");
  }
  static std::string list() { return runLynceus("plugins list").out; }

  TemporaryFolder m_root;
  fs::path m_mine = m_root / "data/lynceus/plugins/mine.so";
};

TEST_F(PluginsCommand, ListsWhatCameWithTheProgramAndDoesNotLoadWhatNobodyTrusts) {
  EXPECT_THAT(list(), AllOf(HasSubstr("lynceus.threshold-blobs"), HasSubstr("shipped"), HasSubstr("mine.so"),
                            HasSubstr("not trusted"), Not(HasSubstr("org.example.template"))));
}

TEST_F(PluginsCommand, TrustsAFileUntilItChanges) {
  const ProgramRun run = runLynceus("plugins trust '" + m_mine.string() + "'");
  EXPECT_EQ(run.exitCode, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("org.example.template"));
  EXPECT_THAT(run.err, IsEmpty());
  EXPECT_THAT(list(), AllOf(HasSubstr("org.example.template"), HasSubstr("trusted")));
  std::ofstream(m_mine, std::ios::app) << "x";
  EXPECT_THAT(list(), AllOf(HasSubstr("the file has changed"), Not(HasSubstr("org.example.template"))));
  EXPECT_EQ(runLynceus("plugins enable '" + m_mine.string() + "'").exitCode, 2);
}

TEST_F(PluginsCommand, SwitchesPluginsOffAndOn) {
  ASSERT_EQ(runLynceus("plugins trust '" + m_mine.string() + "'").exitCode, 0);
  for (const std::string id : {"org.example.template", "lynceus.threshold-blobs"}) {
    EXPECT_EQ(runLynceus("plugins disable " + id).exitCode, 0);
    EXPECT_THAT(list(), Not(HasSubstr(id)));
    EXPECT_EQ(runLynceus("plugins enable " + id).exitCode, 0);
    EXPECT_THAT(list(), HasSubstr(id));
  }
  const ProgramRun none = runLynceus("plugins disable org.example.none");
  EXPECT_EQ(none.exitCode, 4);
  EXPECT_THAT(none.err, AllOf(HasSubstr("no plugin model 'org.example.none'"), HasSubstr("lynceus.threshold-blobs")));
}

TEST_F(PluginsCommand, TrustsOnlyPlugins) {
  const ProgramRun run = runLynceus("plugins trust '" LYNCEUS_BINARY_DIR "/test-plugins/wrong_major.so'");
  EXPECT_EQ(run.exitCode, 3);
  EXPECT_THAT(run.err, AllOf(HasSubstr("version 2.0"), HasSubstr("1.0")));
  EXPECT_EQ(runLynceus("plugins trust /nowhere/x.so").exitCode, 4);
  EXPECT_FALSE(fs::exists(m_root / "config"));
}

TEST_F(PluginsCommand, SaysWhatIsWrongWithTheListOfTrustedPlugins) {
  fs::create_directories(m_root / "config/lynceus");
  std::ofstream(m_root / "config/lynceus/plugins.json") << "{";
  const ProgramRun run = runLynceus("plugins list");
  EXPECT_EQ(run.exitCode, 3);
  EXPECT_THAT(run.err, AllOf(HasSubstr("plugins.json"), HasSubstr("repair or delete")));
}

}  // namespace
}  // namespace lynceus::test
