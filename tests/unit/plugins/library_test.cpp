// Loading real libraries and reading what they say of themselves.
#include "plugins/host/library.h"

#include <optional>

#include <gmock/gmock.h>

#include "tests/support/temporary_folder.h"

namespace lynceus::plugins {
namespace {

using testing::AllOf;
using testing::HasSubstr;

const std::string kFolder = LYNCEUS_BINARY_DIR "/test-plugins/";

TEST(Library, SaysWhatThePluginIs) {
  const auto library = Library::open(LYNCEUS_BINARY_DIR "/plugins/threshold_blobs.so");
  ASSERT_TRUE(library) << library.error().message;
  EXPECT_EQ(library->abi(), "1.0");
  EXPECT_EQ(library->sha256().size(), 64U);
  ASSERT_EQ(library->models().size(), 1U);
  const Description& d = library->models()[0];
  EXPECT_EQ(d.id, "lynceus.threshold-blobs");
  EXPECT_EQ(d.kinds, std::vector<std::string>{"lung-nodule"});
  EXPECT_EQ(d.input.coverageMm.min, 80);
  EXPECT_TRUE(d.isDetector());
  EXPECT_TRUE(library->damage().empty());
}

TEST(Library, MayHoldSeveralModels) {
  const auto library = Library::open(kFolder + "classifier.so");
  ASSERT_TRUE(library) << library.error().message;
  EXPECT_EQ(*library->find("org.example.forgetful"), 2U);
  const auto none = library->find("org.example.other");
  ASSERT_FALSE(none);
  EXPECT_THAT(none.error().message, AllOf(HasSubstr("org.example.other"), HasSubstr("org.example.half")));
}

TEST(Library, IsNotLoadedOnceItHasChanged) {
  const auto library = Library::open(kFolder + "plugin.so");
  ASSERT_TRUE(library);
  EXPECT_TRUE(Library::open(kFolder + "plugin.so", library->sha256()));
  const auto other = Library::open(kFolder + "plugin.so", std::string(64, '0'));
  ASSERT_FALSE(other);
  EXPECT_THAT(other.error().message, AllOf(HasSubstr("has changed"), HasSubstr(library->sha256())));
}

TEST(Library, DoesNotTakeWhatIsLoadedForWhatLiesThereNow) {
  const test::TemporaryFolder folder;
  const std::filesystem::path file = folder / "model.so", next = folder / "next.so";
  std::filesystem::copy_file(kFolder + "plugin.so", file);
  auto library = std::make_optional(Library::open(file));
  ASSERT_TRUE(*library);
  std::filesystem::copy_file(kFolder + "classifier.so", next);
  std::filesystem::rename(next, file);
  const auto other = Library::open(file);
  ASSERT_FALSE(other);
  EXPECT_THAT(other.error().message, HasSubstr("another version of this file is loaded"));
  library.reset();
  EXPECT_EQ(Library::open(file)->models().size(), 3U);
}

TEST(Library, NamesAFileThatIsNotThereOrNoLibrary) {
  EXPECT_THAT(Library::open("/nowhere/x.so").error().message, HasSubstr("/nowhere/x.so: there is no such file"));
  EXPECT_THAT(Library::open("/").error().message, HasSubstr("there is no such file"));
  EXPECT_THAT(Library::open(LYNCEUS_SOURCE_DIR "/README.md").error().message, HasSubstr("cannot be loaded"));
}

}  // namespace
}  // namespace lynceus::plugins
