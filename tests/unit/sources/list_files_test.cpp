// Folders with everything that file systems allow.
#include "io/list_files.h"

#include <fstream>

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/temporary_folder.h"

namespace lynceus::io {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;

class ListFilesTest : public testing::Test {
 protected:
  void touch(const std::string& name) {
    fs::create_directories((m_folder / name).parent_path());
    std::ofstream(m_folder / name) << name;
  }
  FolderListing list(bool nested = true) { return listFiles(m_folder.path(), nested, m_context); }
  std::vector<std::string> names(const FolderListing& listing) {
    std::vector<std::string> names;
    for (const fs::path& file : listing.files) names.push_back(file.lexically_relative(m_folder.path()).string());
    return names;
  }

  test::TemporaryFolder m_folder;
  job::Context m_context;
};

TEST_F(ListFilesTest, FindsFilesOfAnyNameAtAnyDepth) {
  for (const char* name :
       {"b", "a/1", "a/b/c/d/2", "with blank/a file", "胸部/图像", "new\nline", "GBK \xD0\xD8/1", ".hidden"}) {
    touch(name);
  }
  EXPECT_THAT(names(list()), ElementsAre(".hidden", "GBK \xD0\xD8/1", "a/1", "a/b/c/d/2", "b", "new\nline",
                                         "with blank/a file", "胸部/图像"));
  EXPECT_THAT(names(list(false)), ElementsAre(".hidden", "b", "new\nline"));
}

TEST_F(ListFilesTest, FollowsLinksWithoutLoopsAndListsEachFileOnce) {
  touch("z/file");
  touch("outside/other/1");
  fs::create_directories(m_folder / "in");
  fs::create_directory_symlink("..", m_folder / "z/up");
  fs::create_directory_symlink(".", m_folder / "z/self");
  fs::create_directory_symlink("z", m_folder / "a-link-to-z");
  fs::create_symlink("z/file", m_folder / "a-link-to-file");
  fs::create_hard_link(m_folder / "z/file", m_folder / "z/file again");
  fs::create_directory_symlink("b", m_folder / "c");
  fs::create_directory_symlink("c", m_folder / "b");  // each other: neither is there
  fs::create_directory_symlink(m_folder / "outside/other", m_folder / "in/linked");
  fs::create_symlink("nowhere", m_folder / "dangling");
  const FolderListing listing = list();
  EXPECT_THAT(names(listing), ElementsAre("outside/other/1", "z/file"));
  EXPECT_EQ(listing.danglingLinks, 3);
  const FolderListing in = listFiles(m_folder / "in", true, m_context);
  EXPECT_THAT(names(in), ElementsAre("in/linked/1"));
}

TEST_F(ListFilesTest, OpensNoPipe) {
  touch("file");
  ASSERT_EQ(mkfifo((m_folder / "pipe").c_str(), 0600), 0);
  fs::create_symlink("pipe", m_folder / "link to pipe");
  fs::create_symlink("/dev/zero", m_folder / "device");
  const FolderListing listing = list();
  EXPECT_THAT(names(listing), ElementsAre("file"));
  EXPECT_EQ(listing.otherFiles, 3);
}

TEST_F(ListFilesTest, CountsFoldersThatMayNotBeRead) {
  if (geteuid() == 0) GTEST_SKIP() << "root may read every folder";
  touch("closed/1");
  touch("open/2");
  fs::permissions(m_folder / "closed", fs::perms::none);
  const FolderListing listing = list();
  fs::permissions(m_folder / "closed", fs::perms::owner_all);
  EXPECT_THAT(names(listing), ElementsAre("open/2"));
  EXPECT_EQ(listing.unreadableFolders, 1);
}

TEST_F(ListFilesTest, CountsAFolderThatIsNotThere) {
  const FolderListing listing = listFiles(m_folder / "no such folder", true, m_context);
  EXPECT_TRUE(listing.files.empty());
  EXPECT_EQ(listing.unreadableFolders, 1);
}

TEST_F(ListFilesTest, WalksDeepFoldersWithoutRecursion) {
  fs::path deep = m_folder.path();
  for (int i = 0; i < 300; ++i) deep /= "d";
  fs::create_directories(deep);
  std::ofstream(deep / "file") << "x";
  EXPECT_EQ(list().files.size(), 1u);
}

}  // namespace
}  // namespace lynceus::io
