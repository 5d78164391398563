#include <sys/stat.h>

#include <fstream>

#include <gmock/gmock.h>

#include "io/dicom/pseudonym_key.h"
#include "tests/support/temporary_folder.h"

namespace lynceus::io::dicom {
namespace {

TEST(PseudonymKey, ComputesTheTestVectorsOfRfc4231) {
  EXPECT_EQ(hmacSha256("Jefe", "what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(hmacSha256(std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First"),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(PseudonymKey, GivesTheSameIdentifiersForTheSameKeyOnly) {
  const PseudonymKey a(std::string(32, 'a')), again(std::string(32, 'a')), b(std::string(32, 'b'));
  EXPECT_EQ(a.uid("1.2.3"), again.uid("1.2.3"));
  EXPECT_NE(a.uid("1.2.3"), b.uid("1.2.3"));
  EXPECT_NE(a.uid("1.2.3"), a.uid("1.2.4"));
  EXPECT_THAT(a.uid("1.2.3"), testing::MatchesRegex("2\\.25\\.[1-9][0-9]*"));
  EXPECT_LE(a.uid("1.2.3").size(), 64u);
  EXPECT_EQ(a.pseudonym("P1"), again.pseudonym("P1"));
  EXPECT_NE(a.pseudonym("P1"), b.pseudonym("P1"));
  EXPECT_THAT(a.pseudonym("P1"), testing::MatchesRegex("LYN-[0-9a-f]{16}|LYN-[0-9a-f]*"));
  EXPECT_EQ(a.shiftDays("P1"), again.shiftDays("P1"));
}

TEST(PseudonymKey, MovesDatesOneToElevenYearsBack) {
  const PseudonymKey key(std::string(32, 'a'));
  for (int i = 0; i < 1000; ++i) {
    const int days = key.shiftDays(std::to_string(i));
    EXPECT_LE(days, -366);
    EXPECT_GE(days, -4018);
  }
}

TEST(PseudonymKey, MakesAFileThatOnlyItsOwnerReadsAndFindsItAgain) {
  const test::TemporaryFolder folder;
  const auto made = PseudonymKey::ofFile(folder / "key");
  ASSERT_TRUE(made) << made.error().message;
  struct stat about {};
  ASSERT_EQ(stat((folder / "key").c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777u, 0600u);
  EXPECT_EQ(about.st_size, 32);
  const auto found = PseudonymKey::ofFile(folder / "key");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->uid("1.2.3"), made->uid("1.2.3"));
  const auto other = PseudonymKey::ofFile(folder / "other");
  ASSERT_TRUE(other);
  EXPECT_NE(other->uid("1.2.3"), made->uid("1.2.3"));
}

TEST(PseudonymKey, RefusesWhatIsNoKeyAndLeavesItAsItIs) {
  const test::TemporaryFolder folder;
  std::ofstream(folder / "short") << "secret";
  std::ofstream(folder / "long") << std::string(5000, 'x');
  for (const char* name : {"short", "long"}) {
    const auto key = PseudonymKey::ofFile(folder / name);
    ASSERT_FALSE(key);
    EXPECT_EQ(key.error().code, ErrorCode::wrongUse);
    EXPECT_THAT(key.error().message, testing::HasSubstr(name));
  }
  EXPECT_EQ(std::filesystem::file_size(folder / "short"), 6u);
  EXPECT_FALSE(PseudonymKey::ofFile(folder / "no" / "key"));
}

}  // namespace
}  // namespace lynceus::io::dicom
