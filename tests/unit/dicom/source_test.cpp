// Folders as people have them: nested, mixed, incomplete, damaged.
#include "io/source.h"

#include <fstream>
#include <numeric>

#include <gmock/gmock.h>

#include "io/formats/image_file.h"
#include "tests/support/ct_files.h"
#include "tests/support/temporary_folder.h"

namespace lynceus::io {
namespace {

using test::CtFile;
using testing::HasSubstr;

class SourceTest : public testing::Test {
 protected:
  Expected<Source> open() { return openSource(m_folder.path(), m_context); }
  std::string openError() {
    const auto source = open();
    return source ? "no error" : source.error().message;
  }
  Expected<LoadedSeries> loadFirst() {
    const auto source = open();
    if (!source) return passError(source);
    return loadSeries(*source, 0, m_context);
  }

  test::TemporaryFolder m_folder;
  job::Context m_context;
};

TEST_F(SourceTest, LoadsASeriesFromNestedFoldersInAnyOrder) {
  CtFile f;
  f.pixelSpacing = "0.75\\0.5";  // rows 0.75 mm apart, columns 0.5 mm
  for (int i = 0; i < 9; ++i) {
    f.instanceNumber = 9 - i;
    f.z = 30 + 2.0 * i;
    const auto folder = m_folder / (i % 3 == 0 ? "a/deep" : i % 3 == 1 ? "b" : "c");
    std::filesystem::create_directories(folder);
    ASSERT_TRUE(test::writeCt(folder / fmt::format("{}", (i * 5) % 9), f));
  }
  const auto loaded = loadFirst();
  ASSERT_TRUE(loaded) << loaded.error().message;
  const image::Geometry& g = loaded->volume.geometry();
  EXPECT_EQ(g.size, (image::Int3{8, 6, 9}));
  EXPECT_EQ(g.spacingMm, (image::Vec3{0.5, 0.75, 2}));
  EXPECT_EQ(g.originMm, (image::Point3{-100, -50, 30}));
  EXPECT_EQ(g.direction[2], (image::Vec3{0, 0, 1}));
  for (int z = 0; z < 9; ++z) EXPECT_EQ(loaded->volume.at(3, 2, z), (19 * 7 + (9 - z) * 13) % 2000 - 1024);
  EXPECT_TRUE(loaded->remarks.empty());
}

TEST_F(SourceTest, FillsTheReferenceOfTheSeries) {
  test::writeSeries(m_folder.path(), {}, 3);
  const auto loaded = loadFirst();
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->reference.seriesUid, "1.2.3.4");
  EXPECT_EQ(loaded->reference.patientName, "Doe^Jane");
  EXPECT_EQ(loaded->reference.instanceCount, 3);
  // printf '1.2.3.4.1\n1.2.3.4.2\n1.2.3.4.3\n' | sha256sum
  EXPECT_EQ(loaded->reference.instancesSha256, "9fbdbf60eae77f86d83fc3741276effcfd790ec96ea295ccc8efb8265a66f004");
}

TEST_F(SourceTest, CountsWhatIsNotCt) {
  test::writeSeries(m_folder / "ct", {}, 4);
  std::ofstream(m_folder / "notes.txt")
      << "a text that is long enough to hold one hundred and forty bytes, which is what the "
         "first look at a file reads before it decides what it is not: DICOM.";
  std::ofstream(m_folder / "empty").flush();
  CtFile mr;
  mr.seriesUid = "1.2.3.9";
  mr.change = [](DcmDataset& d) {
    d.putAndInsertString(DCM_SOPClassUID, UID_MRImageStorage);
    d.putAndInsertString(DCM_Modality, "MR");
  };
  test::writeCt(m_folder / "mr", mr);
  const auto source = open();
  ASSERT_TRUE(source);
  EXPECT_EQ(source->series.size(), 1u);
  EXPECT_EQ(source->skipped.notDicom, 2);
  EXPECT_EQ(source->skipped.notCtImages.at("MR image"), 1);
}

TEST_F(SourceTest, KeepsTwoSeriesOfOneFolderApart) {
  CtFile second;
  second.seriesUid = "1.2.3.5";
  second.description = "LUNG 1mm";
  test::writeSeries(m_folder.path(), {}, 4);
  for (int i = 0; i < 5; ++i) {
    second.instanceNumber = i + 1;
    second.z = i;
    test::writeCt(m_folder / fmt::format("t{}", i), second);
  }
  const auto source = open();
  ASSERT_TRUE(source);
  ASSERT_EQ(source->series.size(), 2u);
  EXPECT_EQ(source->series[0].instances.size(), 4u);
  EXPECT_EQ(source->series[1].size.z, 5);
  const auto none = chooseSeries(*source, "");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::wrongUse);
  EXPECT_THAT(none.error().message, HasSubstr("choose one with --series UID: 1.2.3.4 ('CHEST 1mm', 4 slices, regular), "
                                              "1.2.3.5 ('LUNG 1mm', 5 slices, regular)"));
  EXPECT_EQ(chooseSeries(*source, "1.2.3.5").value(), 1u);
  EXPECT_FALSE(chooseSeries(*source, "1.2"));
}

TEST_F(SourceTest, RefusesASeriesWithAMissingSlice) {
  test::writeSeries(m_folder.path(), {}, 20);
  std::filesystem::remove(m_folder / "s8.dcm");
  const auto loaded = loadFirst();
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, ErrorCode::badGeometry);
  EXPECT_THAT(
      loaded.error().message,
      HasSubstr("series 'CHEST 1mm' is not a regular volume (gap): slice 8 is missing between z = 15.0 mm and z = "
                "20.0 mm (images 7 and 9"));
}

TEST_F(SourceTest, DoesNotOfferToResampleSlicesThatAllLieAtOnePlace) {
  test::writeSeries(m_folder.path(), {}, 4, 0);
  const auto source = open();
  ASSERT_TRUE(source);
  const auto loaded = loadSeries(*source, 0, m_context, {true});
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, ErrorCode::badGeometry);
  EXPECT_THAT(loaded.error().message, HasSubstr("lie at the same place, z = 0.0 mm; give a series whose slices cover"));
}

TEST_F(SourceTest, NamesTheFileThatIsCutOff) {
  test::writeSeries(m_folder.path(), {}, 5);
  std::filesystem::resize_file(m_folder / "s3.dcm", std::filesystem::file_size(m_folder / "s3.dcm") - 50);
  const auto source = open();
  ASSERT_TRUE(source);
  ASSERT_EQ(source->skipped.damaged.size(), 1u);
  const auto loaded = loadSeries(*source, 0, m_context);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, ErrorCode::badInput);
  EXPECT_THAT(loaded.error().message, HasSubstr("s3.dcm: the file is cut off: its pixels need 96 bytes and 46"));
}

TEST_F(SourceTest, NamesTheCompressedFileThatIsCutOff) {
  CtFile f;
  f.columns = f.rows = 64;
  f.syntax = EXS_JPEGLSLossless;
  test::writeSeries(m_folder.path(), f, 5);
  std::filesystem::resize_file(m_folder / "s3.dcm", std::filesystem::file_size(m_folder / "s3.dcm") * 3 / 4);
  const auto loaded = loadFirst();
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, ErrorCode::badInput);
  EXPECT_THAT(loaded.error().message, HasSubstr("s3.dcm: the file is cut off: its compressed pixels from byte "));
}

TEST_F(SourceTest, ExplainsAGapByTheFileThatCouldNotBeRead) {
  test::writeSeries(m_folder.path(), {}, 9);
  std::filesystem::resize_file(m_folder / "s4.dcm", 500);
  const auto loaded = loadFirst();
  ASSERT_FALSE(loaded);
  EXPECT_THAT(loaded.error().message, HasSubstr("slice 4 is missing"));
  EXPECT_THAT(loaded.error().message, HasSubstr("s4.dcm"));
  EXPECT_THAT(loaded.error().message, HasSubstr("(1 could not be read: "));
}

TEST_F(SourceTest, OpensTheSeriesOfOneFile) {
  test::writeSeries(m_folder.path(), {}, 6);
  CtFile other;
  other.seriesUid = "1.2.3.7";
  test::writeCt(m_folder / "other", other);
  const auto source = openSource(m_folder / "s2.dcm", m_context);
  ASSERT_TRUE(source);
  ASSERT_EQ(source->series.size(), 1u);
  EXPECT_EQ(source->series[0].instances.size(), 6u);
}

TEST_F(SourceTest, SaysWhatIsWrongWithAPathInOneSentence) {
  EXPECT_THAT(openError(), HasSubstr("the folder is empty"));
  std::ofstream(m_folder / "a.txt") << "text";
  EXPECT_THAT(openError(), HasSubstr("there is no CT image in it, only 1 file that is not DICOM"));
  const auto missing = openSource(m_folder / "nowhere", m_context);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::wrongUse);
  EXPECT_THAT(missing.error().message, HasSubstr("there is no file or folder"));
  const auto text = openSource(m_folder / "a.txt", m_context);
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().code, ErrorCode::badInput);
  EXPECT_THAT(text.error().message, HasSubstr("neither DICOM nor NIfTI"));
}

TEST_F(SourceTest, TakesTheOneImageFileOfACaseFolder) {
  image::Geometry g;
  g.size = {4, 3, 2};
  const auto volume = image::Volume::create(g, std::vector<int16_t>(24, -500));
  ASSERT_TRUE(writeImageFile(*volume, m_folder / "ct.nii.gz"));
  std::ofstream(m_folder / "truth.json") << "{}";
  const auto loaded = loadFirst();
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(loaded->volume.at(1, 1, 1), -500);
  EXPECT_FALSE(loaded->reference.instancesSha256.empty());
  ASSERT_TRUE(writeImageFile(*volume, m_folder / "mask.nii.gz"));
  EXPECT_THAT(openError(), HasSubstr("to read an image file give its own path"));  // which of two is not for us to say
}

TEST_F(SourceTest, StopsWhenCancelled) {
  test::writeSeries(m_folder.path(), {}, 4);
  const auto source = open();
  ASSERT_TRUE(source);
  m_context.cancel();
  EXPECT_EQ(open().error().code, ErrorCode::cancelled);
  EXPECT_EQ(loadSeries(*source, 0, m_context).error().code, ErrorCode::cancelled);
}

TEST_F(SourceTest, ReadsNamesOfOtherCharacterSets) {
  CtFile f;
  f.change = [](DcmDataset& d) {
    d.putAndInsertString(DCM_SpecificCharacterSet, "GB18030");
    d.putAndInsertString(DCM_PatientName, "Wang^XiaoDong=\xCD\xF5^\xD0\xA1\xB6\xAB");
  };
  test::writeSeries(m_folder.path(), f, 2);
  const auto source = open();
  ASSERT_TRUE(source);
  EXPECT_EQ(source->series[0].identity.patientName, "Wang^XiaoDong=王^小东");
}

TEST_F(SourceTest, GuessesTheCharacterSetOfANameWithoutOne) {
  CtFile f;
  f.change = [](DcmDataset& d) { d.putAndInsertString(DCM_PatientName, "M\xFCller^Eva"); };
  test::writeSeries(m_folder.path(), f, 2);
  const auto source = open();
  ASSERT_TRUE(source);
  EXPECT_EQ(source->series[0].identity.patientName, "Müller^Eva");
  EXPECT_TRUE(source->series[0].identity.textGuessed);
}

TEST_F(SourceTest, ReadsAFileWithoutPreamble) {
  CtFile f;
  for (int i = 0; i < 3; ++i) {
    DcmDataset d;
    f.instanceNumber = i + 1;
    f.z = i;
    test::fillCtDataset(d, f);
    d.saveFile(OFFilename((m_folder / fmt::format("r{}", i)).c_str()), EXS_LittleEndianImplicit);
  }
  const auto loaded = loadFirst();
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(loaded->volume.at(1, 0, 0), 7 + 13 - 1024);
}

TEST_F(SourceTest, RoundingIsToldAsARemark) {
  CtFile f;
  f.slope = "1.5";
  test::writeSeries(m_folder.path(), f, 3);
  const auto loaded = loadFirst();
  ASSERT_TRUE(loaded);
  ASSERT_EQ(loaded->remarks.size(), 1u);
  EXPECT_THAT(loaded->remarks[0], HasSubstr("rounded by up to 0.500"));
}

TEST_F(SourceTest, KeepsAnObliqueOrientationOrthonormal) {
  CtFile f;
  f.orientation = "0.9210610\\0.3894183\\0\\-0.3115347\\0.7368488\\-0.6";
  for (int i = 0; i < 5; ++i) {
    f.instanceNumber = i + 1;
    const double d = 1.5 * i;  // along row x column
    f.x = 10 - 0.2336510 * d;
    f.y = 20 + 0.5526366 * d;
    f.z = 30 + 0.8 * d;
    test::writeCt(m_folder / fmt::format("{}", i), f);
  }
  const auto loaded = loadFirst();
  ASSERT_TRUE(loaded) << loaded.error().message;
  const image::Geometry& g = loaded->volume.geometry();
  for (size_t a = 0; a < 3; ++a) {
    for (size_t b = 0; b < 3; ++b) EXPECT_NEAR(dot(g.direction[a], g.direction[b]), a == b ? 1 : 0, 1e-12);
  }
  EXPECT_NEAR(g.spacingMm.z, 1.5, 1e-6);
}

}  // namespace
}  // namespace lynceus::io
