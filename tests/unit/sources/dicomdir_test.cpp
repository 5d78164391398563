// Discs and copies of discs.
#include "io/dicom/dicomdir.h"

#include <cstdlib>
#include <fstream>

#include <gmock/gmock.h>

#include "io/source.h"
#include "tests/support/ct_files.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/test_data.h"

namespace lynceus::io::dicom {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

struct Record {
  std::string fileId;
  std::string type = "IMAGE";
  int inUse = 0xFFFF;
};

void writeDicomdir(const fs::path& path, const std::vector<Record>& records) {
  DcmFileFormat format;
  DcmDataset& d = *format.getDataset();
  d.putAndInsertString(DCM_SOPClassUID, UID_MediaStorageDirectoryStorage);
  d.putAndInsertString(DCM_SOPInstanceUID, "1.2.3.99");
  d.putAndInsertString(DCM_FileSetID, "TEST");
  for (const Record& r : records) {
    DcmItem* item = nullptr;
    d.findOrCreateSequenceItem(DCM_DirectoryRecordSequence, item, -2);
    item->putAndInsertUint32(DCM_OffsetOfTheNextDirectoryRecord, 0);
    item->putAndInsertUint16(DCM_RecordInUseFlag, static_cast<Uint16>(r.inUse));
    item->putAndInsertString(DCM_DirectoryRecordType, r.type.c_str());
    if (!r.fileId.empty()) item->putAndInsertString(DCM_ReferencedFileID, r.fileId.c_str());
  }
  ASSERT_TRUE(format.saveFile(OFFilename(path.c_str()), EXS_LittleEndianExplicit).good());
}

class DicomdirTest : public testing::Test {
 protected:
  void touch(const std::string& name) {
    fs::create_directories((m_folder / name).parent_path());
    std::ofstream(m_folder / name) << name;
  }
  DicomdirFiles read(const std::vector<Record>& records) {
    writeDicomdir(m_path, records);
    auto files = readDicomdir(m_path);
    EXPECT_TRUE(files) << files.error().message;
    return files ? std::move(*files) : DicomdirFiles();
  }
  std::vector<std::string> names(const DicomdirFiles& found) {
    std::vector<std::string> names;
    for (const fs::path& file : found.files) names.push_back(file.lexically_relative(m_folder.path()).string());
    return names;
  }

  test::TemporaryFolder m_folder;
  const fs::path m_path = m_folder / "DICOMDIR";
  job::Context m_context;
};

TEST_F(DicomdirTest, NamesTheImagesThatAreInUse) {
  for (const char* name : {"CT/S1/I1", "CT/S1/I2", "SR/1", "OLD"}) touch(name);
  const DicomdirFiles found = read({{"", "PATIENT"},
                                    {"", "STUDY"},
                                    {"", "SERIES"},
                                    {"CT\\S1\\I2"},
                                    {"CT\\S1\\I1"},
                                    {"CT\\S1\\I1"},
                                    {"SR\\1", "SR DOCUMENT"},
                                    {"OLD", "IMAGE", 0},
                                    {"CT\\S1\\I3"}});
  EXPECT_THAT(names(found), ElementsAre("CT/S1/I1", "CT/S1/I2"));
  EXPECT_EQ(found.named, 4);
  EXPECT_EQ(found.missing, 1);
  EXPECT_EQ(found.refused, 0);
}

TEST_F(DicomdirTest, FindsNamesAsCopiesOfDiscsHaveThem) {
  for (const char* name : {"ct/s1/i1", "ct/s1/I2.;1", "ct/s1/i3;1", "ct/s1/i4.", "ct/s1/I5", "ct/s1/i5"}) touch(name);
  const DicomdirFiles found =
      read({{"CT\\S1\\I1"}, {"CT\\S1\\I2"}, {"CT\\S1\\I3"}, {"CT\\S1\\I4"}, {"ct\\s1\\i5"}, {"CT\\S1"}});
  EXPECT_THAT(names(found), ElementsAre("ct/s1/I2.;1", "ct/s1/i1", "ct/s1/i3;1", "ct/s1/i4.", "ct/s1/i5"));
  EXPECT_EQ(found.missing, 1);  // the last is a folder
}

TEST_F(DicomdirTest, NeverLeadsOutOfItsFolder) {
  touch("disc/I1");
  touch("secret");
  writeDicomdir(m_folder / "disc/DICOMDIR",
                {{"..\\secret"}, {"I1"}, {"../secret"}, {".\\I1"}, {"A\\\\B"}, {"..;1\\secret"}});
  const auto found = readDicomdir(m_folder / "disc/DICOMDIR");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->files.size(), 1u);
  EXPECT_EQ(found->refused, 5);
}

TEST_F(DicomdirTest, RefusesWhatIsNoDicomdir) {
  test::writeCt(m_folder / "ct", {});
  EXPECT_FALSE(readDicomdir(m_folder / "ct"));
  touch("text");
  EXPECT_FALSE(readDicomdir(m_folder / "text"));
}

TEST_F(DicomdirTest, OpensExactlyTheFilesItNames) {
  test::writeSeries(m_folder / "A", {}, 4);
  test::CtFile other;
  other.seriesUid = "1.2.3.5";
  test::writeSeries(m_folder / "B", other, 4);
  writeDicomdir(m_path, {{"A\\S1.DCM"}, {"A\\S2.DCM"}, {"A\\S3.DCM"}, {"A\\S4.DCM"}, {"A\\S5.DCM"}, {"A\\S6.DCM"}});
  const auto source = openSource(m_path, m_context);
  ASSERT_TRUE(source) << source.error().message;
  ASSERT_EQ(source->series.size(), 1u);
  EXPECT_EQ(source->series[0].instances.size(), 4u);
  EXPECT_EQ(source->skipped.missing, 2);
  ASSERT_EQ(source->remarks.size(), 1u);
  EXPECT_THAT(source->remarks[0],
              HasSubstr("the DICOMDIR names 6 images, 2 of them are not there; copy the whole disc"));
}

TEST_F(DicomdirTest, SearchesTheFolderWhereNothingItNamesIsThere) {
  test::writeSeries(m_folder / "flat", {}, 4);
  writeDicomdir(m_path, {{"X\\1"}, {"X\\2"}});
  const auto source = openSource(m_path, m_context);
  ASSERT_TRUE(source) << source.error().message;
  EXPECT_EQ(source->series.at(0).instances.size(), 4u);
  ASSERT_EQ(source->remarks.size(), 1u);
  EXPECT_THAT(source->remarks[0], HasSubstr("none of the 2 images that the DICOMDIR names is there; its folder was"));
}

TEST_F(DicomdirTest, ReadsTheDirectoryThatDcmtkWrites) {
  if (std::system("command -v dcmmkdir >/dev/null 2>&1") != 0) GTEST_SKIP() << "dcmmkdir (dcmtk) is not installed";
  test::CtFile f;
  f.change = [](DcmDataset& d) {
    d.putAndInsertString(DCM_StudyTime, "120000");
    d.putAndInsertString(DCM_StudyID, "1");
  };
  test::writeSeries(m_folder / "IMAGES", f, 5);
  for (int i = 1; i <= 5; ++i) {
    fs::rename(m_folder / "IMAGES" / fmt::format("s{}.dcm", i), m_folder / "IMAGES" / fmt::format("IM{}", i));
  }
  const std::string command =
      fmt::format("dcmmkdir --quiet --invent --recurse --input-directory '{}' +D '{}' >/dev/null 2>&1",
                  m_folder.path().string(), m_path.string());
  ASSERT_EQ(std::system(command.c_str()), 0);
  const auto source = openSource(m_path, m_context);
  ASSERT_TRUE(source) << source.error().message;
  EXPECT_EQ(source->series.at(0).instances.size(), 5u);
  EXPECT_TRUE(source->remarks.empty());
  EXPECT_EQ(source->skipped.notDicom, 0);
}

TEST_F(DicomdirTest, SaysThatThePhilipsDiscWasNotCopiedAsItWas) {
  const fs::path data = test::testData("loader_conformance/philips_tilt/DIRFILE");
  if (data.empty()) GTEST_SKIP() << test::kNoTestData;
  const auto found = readDicomdir(data);
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->named, 58);
  EXPECT_EQ(found->missing, 58);
  const auto source = openSource(data, m_context);
  ASSERT_TRUE(source) << source.error().message;
  EXPECT_FALSE(source->series.empty());
  EXPECT_THAT(source->remarks.at(0), HasSubstr("none of the 58 images"));
}

}  // namespace
}  // namespace lynceus::io::dicom
