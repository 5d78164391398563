// Which plugins there are and which may be loaded.
#include "plugins/host/registry.h"

#include <cstdlib>
#include <fstream>

#include <gmock/gmock.h>

#include "tests/support/temporary_folder.h"

namespace lynceus::plugins {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;

void write(const fs::path& file, const std::string& text) {
  fs::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << text;
}

/// Sets a variable of the environment for one test.
class Environment {
 public:
  Environment(std::string name, const std::string& value) : m_name(std::move(name)) {
    if (const char* before = std::getenv(m_name.c_str())) m_before = before;
    setenv(m_name.c_str(), value.c_str(), 1);
  }
  ~Environment() {
    if (m_before)
      setenv(m_name.c_str(), m_before->c_str(), 1);
    else
      unsetenv(m_name.c_str());
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  std::string m_name;
  std::optional<std::string> m_before;
};

class Registry : public testing::Test {
 protected:
  std::vector<PluginFolder> folders() const { return {{m_root / "mine", false}, {m_root / "system", true}}; }
  std::vector<PluginFile> find() const { return findPluginFiles(folders(), m_trust); }
  Standing standingOf(const std::string& relative) const {
    const auto file = inspectPluginFile(m_root / relative, folders(), m_trust);
    if (!file) throw std::runtime_error(file.error().message);
    return file->standing;
  }
  void set(const std::string& relative, TrustState state) {
    const auto file = inspectPluginFile(m_root / relative, folders(), m_trust);
    m_trust.set({file->sha256, file->path, state});
  }

  test::TemporaryFolder m_root;
  TrustList m_trust;
};

TEST_F(Registry, FindsLibrariesInFoldersAndTheirFoldersSorted) {
  EXPECT_THAT(find(), IsEmpty());  // missing folders are fine
  write(m_root / "mine/b.so", "b");
  write(m_root / "mine/a/model.so", "a");
  write(m_root / "mine/a/deep/x.so", "too deep");
  write(m_root / "mine/readme.txt", "no library");
  fs::create_directory(m_root / "mine/folder.so");
  fs::create_symlink("b.so", m_root / "mine/again.so");
  write(m_root / "system/c.so", "c");
  std::vector<std::string> names;
  for (const PluginFile& file : find()) names.push_back(file.path.filename().string());
  EXPECT_EQ(names, (std::vector<std::string>{"model.so", "b.so", "c.so"}));
}

TEST_F(Registry, TrustsWhatCameWithTheProgramAndWhatTheUserTrusts) {
  write(m_root / "mine/a.so", "a");
  write(m_root / "system/s.so", "s");
  EXPECT_EQ(standingOf("mine/a.so"), Standing::unknown);
  EXPECT_EQ(standingOf("system/s.so"), Standing::shipped);
  set("mine/a.so", TrustState::trusted);
  EXPECT_EQ(standingOf("mine/a.so"), Standing::trusted);
  set("mine/a.so", TrustState::disabled);
  EXPECT_EQ(standingOf("mine/a.so"), Standing::disabled);
  set("system/s.so", TrustState::disabled);
  EXPECT_EQ(standingOf("system/s.so"), Standing::disabled);
}

TEST_F(Registry, TakesItsTrustFromAFileThatChanges) {
  write(m_root / "mine/a.so", "a");
  write(m_root / "system/s.so", "s");
  for (const TrustState state : {TrustState::trusted, TrustState::disabled}) {
    set("mine/a.so", state);
    write(m_root / "mine/a.so", "a, but another one");
    EXPECT_EQ(standingOf("mine/a.so"), Standing::changed);
    write(m_root / "mine/a.so", "a");
  }
  // An update of what came with the program is trusted, but stays off where the user switched it off.
  set("system/s.so", TrustState::disabled);
  write(m_root / "system/s.so", "s 2");
  EXPECT_EQ(standingOf("system/s.so"), Standing::disabled);
}

TEST_F(Registry, DoesNotTakeALinkOutOfTheSystemFolderForShipped) {
  write(m_root / "elsewhere/e.so", "e");
  fs::create_directory(m_root / "system");
  fs::create_symlink(m_root / "elsewhere/e.so", m_root / "system/e.so");
  EXPECT_EQ(standingOf("system/e.so"), Standing::unknown);
}

TEST_F(Registry, ProbesOnlyWhatMayBeLoaded) {
  write(m_root / "mine/unknown.so", "u");
  write(m_root / "mine/off.so", "o");
  write(m_root / "mine/good.so", "g");
  write(m_root / "mine/bad.so", "b");
  for (const char* name : {"mine/good.so", "mine/bad.so"}) set(name, TrustState::trusted);
  set("mine/off.so", TrustState::disabled);
  std::vector<std::string> probed;
  const auto plugins = probePlugins(find(), [&](const fs::path& path) -> Expected<std::vector<Description>> {
    probed.push_back(path.filename().string());
    if (path.filename() == "bad.so") return makeError(ErrorCode::badInput, "bad.so crashed");
    Description d;
    d.id = "org.example.good";
    return std::vector{d};
  });
  EXPECT_EQ(probed, (std::vector<std::string>{"bad.so", "good.so"}));
  ASSERT_EQ(plugins.size(), 4U);
  EXPECT_EQ(plugins[0].problem, "bad.so crashed");
  EXPECT_THAT(plugins[2].problem, HasSubstr("plugins enable"));
  EXPECT_THAT(plugins[3].problem, HasSubstr("plugins trust"));
  const auto model = findPluginModel("org.example.good", plugins);
  ASSERT_TRUE(model);
  EXPECT_EQ(model->file.path.filename(), "good.so");
  const auto none = findPluginModel("org.example.other", plugins);
  ASSERT_FALSE(none);
  EXPECT_THAT(none.error().message,
              AllOf(HasSubstr("'org.example.other'"), HasSubstr("org.example.good"), HasSubstr("bad.so crashed")));
}

TEST_F(Registry, LooksWhereTheEnvironmentSays) {
  const Environment list("LYNCEUS_PLUGINS", "/one::/two:"), data("XDG_DATA_HOME", "/data");
  const auto folders = pluginFolders();
  ASSERT_GE(folders.size(), 4U);
  EXPECT_EQ(folders[0].path, "/one");
  EXPECT_EQ(folders[1].path, "/two");
  EXPECT_EQ(folders[2].path, "/data/lynceus/plugins");
  EXPECT_FALSE(folders[2].shipped);
  EXPECT_TRUE(folders[3].shipped);
  EXPECT_EQ(folders.back().path, LYNCEUS_BINARY_DIR "/plugins");  // this test lies in a build tree
}

class TrustFile : public testing::Test {
 protected:
  const std::string m_hash = std::string(64, 'a');
  std::string errorOf(const std::string& text) const {
    const auto list = TrustList::parse(text, "plugins.json");
    return list ? "" : list.error().message;
  }
  std::string entry(const std::string& hash, const std::string& state) const {
    return R"({"schemaVersion": 1, "plugins": [{"sha256": ")" + hash + R"(", "path": "/a.so", "state": ")" + state +
           "\"}]}";
  }
  test::TemporaryFolder m_folder;
};

TEST_F(TrustFile, IsWrittenAndReadAgain) {
  TrustList list;
  list.set({m_hash, "/a \"b\".so", TrustState::disabled});
  list.set({std::string(64, 'b'), "/b.so", TrustState::trusted});
  const fs::path file = m_folder / "new/lynceus/plugins.json";
  ASSERT_TRUE(list.write(file));
  const auto read = TrustList::read(file);
  ASSERT_TRUE(read) << read.error().message;
  ASSERT_EQ(read->entries().size(), 2U);
  EXPECT_EQ(read->find(m_hash)->path, "/a \"b\".so");
  EXPECT_EQ(read->find(m_hash)->state, TrustState::disabled);
  EXPECT_EQ(read->find(std::string(64, 'c')), nullptr);
}

TEST_F(TrustFile, KeepsOneEntryForAFile) {
  TrustList list;
  list.set({m_hash, "/a.so", TrustState::trusted});
  list.set({std::string(64, 'b'), "/a.so", TrustState::trusted});
  EXPECT_EQ(list.entries().size(), 1U);
  EXPECT_EQ(list.find(m_hash), nullptr);
}

TEST_F(TrustFile, IsEmptyWhereThereIsNone) {
  EXPECT_THAT(TrustList::read(m_folder / "none.json")->entries(), IsEmpty());
  EXPECT_FALSE(TrustList::read(m_folder.path()));
}

TEST_F(TrustFile, SaysWhatIsWrong) {
  EXPECT_EQ(errorOf(entry(m_hash, "trusted")), "");
  EXPECT_THAT(errorOf("{"), AllOf(HasSubstr("plugins.json"), HasSubstr("no JSON")));
  EXPECT_THAT(errorOf(R"({"schemaVersion": 2, "plugins": []})"), HasSubstr("schemaVersion"));
  EXPECT_THAT(errorOf(entry("abc", "trusted")), HasSubstr("plugins[0].sha256"));
  EXPECT_THAT(errorOf(entry(std::string(64, 'A'), "trusted")), HasSubstr("plugins[0].sha256"));
  EXPECT_THAT(errorOf(entry(m_hash, "maybe")), HasSubstr("plugins[0].state"));
}

TEST_F(TrustFile, LiesInTheConfigurationFolder) {
  const Environment config("XDG_CONFIG_HOME", "/config");
  EXPECT_EQ(TrustList::defaultPath(), "/config/lynceus/plugins.json");
}

}  // namespace
}  // namespace lynceus::plugins
