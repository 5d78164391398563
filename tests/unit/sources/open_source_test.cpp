// Where studies come from: folders with blanks and links, ZIP files, second copies.
#include <fstream>

#include <gmock/gmock.h>
#include <sys/stat.h>

#include "io/source.h"
#include "tests/support/ct_files.h"
#include "tests/support/temporary_folder.h"
#include "tests/unit/sources/zip_builder.h"

namespace lynceus::io {
namespace {

namespace fs = std::filesystem;
using test::CtFile;
using testing::HasSubstr;

class OpenSourceTest : public testing::Test {
 protected:
  Expected<Source> open(const fs::path& path) { return openSource(path, m_context); }
  std::string openError(const fs::path& path) {
    const auto source = open(path);
    return source ? "no error" : source.error().message;
  }
  Expected<LoadedSeries> load(const fs::path& path) {
    const auto source = open(path);
    if (!source) return passError(source);
    return loadSeries(*source, 0, m_context);
  }

  test::TemporaryFolder m_folder;
  job::Context m_context;
};

TEST_F(OpenSourceTest, LoadsTheSameVolumeFromAZipFileAsFromItsFolder) {
  for (const E_TransferSyntax syntax : {EXS_LittleEndianExplicit, EXS_JPEGLSLossless}) {
    const std::string name = fmt::format("series {}", static_cast<int>(syntax));
    CtFile f;
    f.columns = f.rows = 96;
    f.syntax = syntax;
    test::writeSeries(m_folder / name / "胸部 CT", f, 6);
    std::ofstream(m_folder / name / "readme.txt") << "not an image";
    for (const int method : {ZIP_CM_DEFLATE, ZIP_CM_STORE}) {
      test::zipFolder(m_folder / name, m_folder / "study", method);  // known by its content
      const auto folder = load(m_folder / name), zip = load(m_folder / "study");
      ASSERT_TRUE(folder) << folder.error().message;
      ASSERT_TRUE(zip) << zip.error().message;
      EXPECT_TRUE(std::equal(folder->volume.hu().begin(), folder->volume.hu().end(), zip->volume.hu().begin(),
                             zip->volume.hu().end()));
      EXPECT_EQ(zip->volume.geometry().size, (image::Int3{96, 96, 6}));
      EXPECT_EQ(zip->reference.instancesSha256, folder->reference.instancesSha256);
      EXPECT_EQ(open(m_folder / "study")->skipped.notDicom, 1);
    }
  }
}

TEST_F(OpenSourceTest, NamesTheDamagedMemberOfAZipFile) {
  test::writeSeries(m_folder / "ct", {}, 5);
  test::zipFolder(m_folder / "ct", m_folder / "study.zip", ZIP_CM_STORE);
  std::string zip = test::bytesOf(m_folder / "study.zip");
  const std::string slice = test::bytesOf(m_folder / "ct/s3.dcm");
  zip[zip.find(slice) + slice.size() - 10] ^= 1;
  test::writeBytes(m_folder / "study.zip", zip);
  const auto loaded = load(m_folder / "study.zip");
  ASSERT_FALSE(loaded);
  EXPECT_THAT(loaded.error().message, HasSubstr("study.zip/s3.dcm"));
}

TEST_F(OpenSourceTest, SaysWhatAZipFileHoldsInsteadOfCt) {
  const fs::path path = m_folder / "study.zip";
  test::writeZip(path, {{"a.txt", "text"}, {"scan.nii.gz", "image"}});
  EXPECT_THAT(openError(path), HasSubstr("there is no CT image in it, only 2 files that are not DICOM; unpack the ZIP "
                                         "file to read the image "));
  test::writeZip(m_folder / "inner.zip", {{"a", "text"}});
  test::writeZip(path, {{"inner.ZIP", test::bytesOf(m_folder / "inner.zip")}});
  EXPECT_THAT(openError(path), HasSubstr("only 1 ZIP file; unpack it and give the ZIP file in it"));
  test::writeZip(path, {{"1.dcm", std::string(500, 'x'), ZIP_CM_DEFLATE, true}});
  EXPECT_THAT(openError(path), HasSubstr("only 1 damaged file ("));
  EXPECT_THAT(openError(path), HasSubstr("study.zip/1.dcm: it is encrypted"));
  test::writeBytes(path, std::string("PK\5\6", 4) + std::string(18, '\0'));
  EXPECT_THAT(openError(path), HasSubstr("study.zip: it is empty"));
  test::writeBytes(path, std::string("PK\3\4", 4) + std::string(500, '\0'));
  EXPECT_THAT(openError(path), HasSubstr("the ZIP file is cut off or damaged"));
}

TEST_F(OpenSourceTest, LeavesZipFilesInAFolderClosedAndCountsThem) {
  test::writeSeries(m_folder / "ct", {}, 4);
  test::zipFolder(m_folder / "ct", m_folder / "backup.zip");
  std::ofstream(m_folder / "not really.zip") << "text";
  const auto source = open(m_folder.path());
  ASSERT_TRUE(source) << source.error().message;
  EXPECT_EQ(source->series.at(0).instances.size(), 4u);
  EXPECT_EQ(source->skipped.zipFiles, 1);
  EXPECT_EQ(source->skipped.notDicom, 1);
  EXPECT_EQ(source->skipped.copies, 0);
  fs::remove_all(m_folder / "ct");
  EXPECT_THAT(openError(m_folder.path()), HasSubstr("backup.zip"));
}

TEST_F(OpenSourceTest, CountsCopiesAndUsesTheFirst) {
  test::writeSeries(m_folder / "b", {}, 6);
  fs::copy(m_folder / "b", m_folder / "a copy");
  const auto source = open(m_folder.path());
  ASSERT_TRUE(source) << source.error().message;
  ASSERT_EQ(source->series.at(0).instances.size(), 6u);
  EXPECT_EQ(source->skipped.copies, 6);
  for (const auto& instance : source->series[0].instances) {
    EXPECT_EQ(instance.file.path.parent_path(), m_folder / "a copy");
  }
  EXPECT_TRUE(source->series[0].report.regular());
}

TEST_F(OpenSourceTest, KeepsFilesOfOneUidThatDiffer) {
  test::writeSeries(m_folder / "a", {}, 6);
  CtFile changed;
  changed.instanceNumber = 3;
  changed.z = 5;
  changed.description = "CHEST 2mm";
  test::writeCt(m_folder / "b", changed);
  const auto source = open(m_folder.path());
  ASSERT_TRUE(source) << source.error().message;
  EXPECT_EQ(source->series.at(0).instances.size(), 7u);
  EXPECT_EQ(source->skipped.copies, 0);
  EXPECT_EQ(source->series[0].report.geometryClass, dicom::GeometryClass::duplicate);
}

TEST_F(OpenSourceTest, FindsCopiesWithinAZipFile) {
  test::writeSeries(m_folder / "ct/b", {}, 4);
  fs::copy(m_folder / "ct/b", m_folder / "ct/a");
  test::zipFolder(m_folder / "ct", m_folder / "study.zip");
  const auto source = open(m_folder / "study.zip");
  ASSERT_TRUE(source) << source.error().message;
  EXPECT_EQ(source->series.at(0).instances.size(), 4u);
  EXPECT_EQ(source->skipped.copies, 4);
}

TEST_F(OpenSourceTest, LoadsAFolderOfLinksBlanksAndPipes) {
  test::writeSeries(m_folder / "store/王 小东", {}, 5);
  const fs::path folder = m_folder / "work 目录";
  fs::create_directories(folder);
  fs::create_directory_symlink(m_folder / "store/王 小东", folder / "series");
  fs::create_directory_symlink(folder, folder / "loop");
  for (int i = 1; i <= 5; ++i)
    fs::rename(m_folder / "store/王 小东" / fmt::format("s{}.dcm", i),
               m_folder / "store/王 小东" / fmt::format("{}", i));
  ASSERT_EQ(mkfifo((folder / "pipe").c_str(), 0600), 0);
  fs::create_symlink("nowhere", folder / "gone");
  const auto loaded = load(folder);
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(loaded->volume.geometry().size.z, 5);
  const auto source = open(folder);
  EXPECT_EQ(source->skipped.danglingLinks, 1);
  EXPECT_EQ(source->skipped.otherFiles, 1);
  EXPECT_EQ(source->skipped.copies, 0);
}

TEST_F(OpenSourceTest, ChoosesAPartOfASeriesByItsId) {
  Source source;
  source.series.resize(2);
  source.series[0].identity.seriesUid = source.series[1].identity.seriesUid = "1.2.3";
  source.series[0].partNumber = 1;
  source.series[1].partNumber = 2;
  EXPECT_EQ(chooseSeries(source, "1.2.3#2").value(), 1u);
  const auto none = chooseSeries(source, "1.2.3");
  ASSERT_FALSE(none);
  EXPECT_THAT(none.error().message, HasSubstr("1.2.3#1 ("));
}

}  // namespace
}  // namespace lynceus::io
