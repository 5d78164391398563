// ZIP files that are whole, and ZIP files that lie.
#include "io/zip_file.h"

#include <atomic>
#include <thread>

#include <gmock/gmock.h>

#include "io/byte_reader.h"
#include "tests/support/temporary_folder.h"
#include "tests/unit/sources/zip_builder.h"

namespace lynceus::io {
namespace {

using test::writeZip;
using test::ZipMember;
using testing::HasSubstr;

std::string noise(size_t count, uint32_t seed) {
  std::string bytes(count, '\0');
  for (char& c : bytes) c = static_cast<char>((seed = seed * 1664525 + 1013904223) >> 24);
  return bytes;
}

class ZipFileTest : public testing::Test {
 protected:
  std::shared_ptr<const ZipFile> open() {
    auto zip = ZipFile::open(m_path);
    EXPECT_TRUE(zip) << zip.error().message;
    return zip ? *zip : nullptr;
  }
  std::string openError() {
    const auto zip = ZipFile::open(m_path);
    return zip ? "no error" : zip.error().message;
  }
  std::string content(const std::shared_ptr<const ZipFile>& zip, uint64_t member, uint64_t count = ~uint64_t{0}) {
    const auto bytes = zip->unpack(member, count);
    return bytes ? std::string((*bytes)->begin(), (*bytes)->end()) : "error: " + bytes.error().message;
  }

  test::TemporaryFolder m_folder;
  const std::filesystem::path m_path = m_folder / "study.zip";
};

TEST_F(ZipFileTest, ReadsStoredAndDeflatedMembers) {
  const std::string large = noise(300'000, 1);
  writeZip(m_path, {{"a/1", "first"}, {"a/2", large, ZIP_CM_STORE}, {"汉字 3", large}, {"empty", ""}});
  const auto zip = open();
  ASSERT_EQ(zip->members().size(), 4u);
  EXPECT_EQ(zip->members()[0].name, "a/1");
  EXPECT_EQ(zip->members()[2].name, "汉字 3");
  EXPECT_EQ(zip->members()[2].size, 300'000u);
  EXPECT_EQ(content(zip, 0), "first");
  EXPECT_EQ(content(zip, 1), large);
  EXPECT_EQ(content(zip, 2), large);
  EXPECT_EQ(content(zip, 2, 1000), large.substr(0, 1000));
  EXPECT_EQ(content(zip, 3), "");
  EXPECT_FALSE(zip->unpack(4, 1));
}

TEST_F(ZipFileTest, ReadsMembersOnManyThreads) {
  std::vector<ZipMember> members;
  for (uint32_t i = 0; i < 40; ++i) members.push_back({std::to_string(i), noise(20'000 + i, i)});
  writeZip(m_path, members);
  const auto zip = open();
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (uint32_t t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (uint32_t i = 0; i < 40; ++i) wrong += content(zip, (i * 7 + t) % 40) != members[(i * 7 + t) % 40].content;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST_F(ZipFileTest, UnpacksALargeMemberOnceForAllItsReaders) {
  const std::string large = noise(6 << 20, 3);
  writeZip(m_path, {{"large", large, ZIP_CM_STORE}, {"small", "x"}});
  const auto zip = open();
  const auto first = zip->unpack(0, 5 << 20), second = zip->unpack(0, 6 << 20);
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->get(), second->get());
  EXPECT_EQ((*first)->size(), large.size());
  EXPECT_EQ(content(zip, 0, 100), large.substr(0, 100));
}

TEST_F(ZipFileTest, GivesAReaderAnyPartOfAMember) {
  const std::string large = noise(1 << 20, 5);
  writeZip(m_path, {{"member", large}});
  auto reader = ByteReader::open({m_path / "member", open(), 0});
  ASSERT_TRUE(reader);
  EXPECT_EQ(reader->size(), large.size());
  const auto textAt = [&](uint64_t offset, size_t count) {
    const auto view = reader->view(offset, count);
    return std::string(view.begin(), view.end());
  };
  EXPECT_EQ(textAt(0, 200), large.substr(0, 200));
  EXPECT_EQ(textAt(70'000, 65'536), large.substr(70'000, 65'536));
  EXPECT_EQ(textAt(10, 20), large.substr(10, 20));
  EXPECT_EQ(textAt(large.size() - 7, 100), large.substr(large.size() - 7));
  EXPECT_EQ(textAt(large.size(), 1), "");
  std::vector<uint8_t> part(5000);
  ASSERT_TRUE(reader->read(900'000, part));
  EXPECT_EQ(std::string(part.begin(), part.end()), large.substr(900'000, 5000));
  EXPECT_FALSE(reader->read(large.size() - 10, part));
  ByteReader moved = std::move(*reader);
  EXPECT_EQ(moved.view(5, 1)[0], static_cast<uint8_t>(large[5]));
}

TEST_F(ZipFileTest, SaysThatAMemberIsEncrypted) {
  writeZip(m_path, {{"open", "text"}, {"closed", "text", ZIP_CM_DEFLATE, true}});
  const auto zip = open();
  EXPECT_EQ(content(zip, 0), "text");
  EXPECT_THAT(content(zip, 1), HasSubstr("study.zip/closed: it is encrypted; unpack the ZIP file with its password"));
  EXPECT_FALSE(ByteReader::open({m_path / "closed", zip, 1}));
}

TEST_F(ZipFileTest, NamesTheCompressionItDoesNotRead) {
  writeZip(m_path, {{"a", "text text text"}});
  test::patchDirectory(m_path, 10, 2, ZIP_CM_BZIP2);
  EXPECT_THAT(content(open(), 0), HasSubstr("study.zip/a: it is packed by bzip2, and only deflated or stored"));
}

TEST_F(ZipFileTest, RefusesAMemberThatCannotBeAsLargeAsItClaims) {
  writeZip(m_path, {{"a", "text text text"}});
  test::patchDirectory(m_path, 24, 4, 0xFFFFFFFE);
  EXPECT_THAT(content(open(), 0), HasSubstr("bytes unpack to 4294967294, which cannot be"));
}

TEST_F(ZipFileTest, FindsThatAMemberIsNotAsLargeAsItClaims) {
  writeZip(m_path, {{"a", std::string(100'000, 'x')}});
  for (const uint64_t claimed : {99'999u, 100'001u}) {
    test::patchDirectory(m_path, 24, 4, claimed);
    EXPECT_THAT(content(open(), 0), HasSubstr("this part of the ZIP file is damaged")) << claimed;
  }
}

TEST_F(ZipFileTest, FindsDamagedBytesByTheChecksum) {
  const std::string text = noise(5000, 9);
  writeZip(m_path, {{"a", text, ZIP_CM_STORE}, {"b", "good"}});
  std::string zip = test::bytesOf(m_path);
  zip[zip.find(text) + 4000] ^= 1;
  test::writeBytes(m_path, zip);
  const auto opened = open();
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(content(opened, 0), HasSubstr("study.zip/a: this part of the ZIP file is damaged"));
    EXPECT_EQ(content(opened, 1), "good");
  }
}

TEST_F(ZipFileTest, SaysThatTheFileIsCutOff) {
  writeZip(m_path, {{"a", noise(5000, 2)}, {"b", noise(5000, 3)}});
  const std::string whole = test::bytesOf(m_path);
  for (const size_t size : {size_t{0}, size_t{3}, size_t{30}, size_t{6000}, whole.size() - 30, whole.size() - 1}) {
    test::writeBytes(m_path, whole.substr(0, size));
    EXPECT_THAT(openError(), HasSubstr("the ZIP file is cut off or damaged")) << size;
  }
}

TEST_F(ZipFileTest, RefusesADirectoryThatClaimsToHoldBillionsOfFiles) {
  writeZip(m_path, {{"a", "text"}});
  std::string zip = test::bytesOf(m_path);
  const size_t end = zip.find("PK\5\6");
  const std::string many("\0\0\0\0\1\0\0\0", 8);  // 2^32
  std::string record("PK\6\6", 4);
  record += std::string("\x2C\0\0\0\0\0\0\0\x2D\0\x2D\0", 12) + std::string(8, '\0') + many + many;
  for (const size_t value : {size_t{51}, zip.find("PK\1\2")}) {
    for (int i = 0; i < 8; ++i) record += static_cast<char>(value >> 8 * i);
  }
  std::string locator("PK\6\7\0\0\0\0", 8);
  for (int i = 0; i < 8; ++i) locator += static_cast<char>(end >> 8 * i);
  locator += std::string("\1\0\0\0", 4);
  zip.insert(end, record + locator);
  test::writeBytes(m_path, zip);
  EXPECT_THAT(openError(), HasSubstr("the ZIP file claims to hold 4294967296 files"));
}

TEST_F(ZipFileTest, SurvivesEveryCutAndFlippedBytes) {
  writeZip(m_path, {{"a", noise(300, 2)}, {"b", std::string(3000, 'b')}, {"c", "c", ZIP_CM_STORE}});
  const std::string whole = test::bytesOf(m_path);
  const auto tryAll = [&] {
    const auto zip = ZipFile::open(m_path);
    for (size_t i = 0; zip && i < (*zip)->members().size(); ++i) static_cast<void>((*zip)->unpack(i, 1 << 20));
  };
  for (size_t size = 0; size < whole.size(); size += 7) {
    test::writeBytes(m_path, whole.substr(0, size));
    tryAll();
  }
  for (size_t at = 0; at < whole.size(); at += 2) {
    std::string flipped = whole;
    flipped[at] = static_cast<char>(flipped[at] ^ (at % 4 == 0 ? 0xFF : 0x10));
    test::writeBytes(m_path, flipped);
    tryAll();
  }
}

TEST_F(ZipFileTest, ShowsNamesInOtherCharacterSets) {
  writeZip(m_path, {{"xxxx/1", "1"}, {"yyyy/2", "2"}});
  std::string zip = test::bytesOf(m_path);
  const auto replaceAll = [&](const std::string& from, const std::string& to) {
    for (size_t at = zip.find(from); at != std::string::npos; at = zip.find(from, at + 1)) zip.replace(at, 4, to);
  };
  replaceAll("xxxx", "\xD0\xD8\xB2\xBF");  // GB2312
  replaceAll("yyyy", "M\x81ll");           // DOS
  test::writeBytes(m_path, zip);
  const auto opened = open();
  EXPECT_EQ(opened->members()[0].name, "胸部/1");
  EXPECT_EQ(opened->members()[1].name, "Müll/2");
}

}  // namespace
}  // namespace lynceus::io
