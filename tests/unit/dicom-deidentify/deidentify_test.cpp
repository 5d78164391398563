// What de-identification does beyond the rows of the table.
#include <functional>
#include <string>

#include <dcmtk/config/osconfig.h>

#include <dcmtk/dcmdata/dctk.h>
#include <gmock/gmock.h>

#include "io/dicom/deidentify.h"
#include "io/dicom/library.h"

namespace lynceus::io::dicom {
namespace {

using Dates = DeidentifyOptions::Dates;

class Deidentify : public testing::Test {
 protected:
  void SetUp() override { prepareLibrary(); }
  void put(const DcmTagKey& tag, const char* value) { m_set.putAndInsertString(tag, value); }
  void run() { deidentify(m_set, m_options, m_key, {"NEW-1", -400}); }
  std::string text(const DcmTagKey& tag) {
    OFString value;
    m_set.findAndGetOFStringArray(tag, value);
    return {value.data(), value.size()};
  }
  bool has(const DcmTagKey& tag) { return m_set.tagExists(tag); }

  DcmDataset m_set;
  DeidentifyOptions m_options;
  const PseudonymKey m_key{std::string(32, 'k')};
};

TEST_F(Deidentify, SaysWhatWasDoneInTheWordsOfDicom) {
  put(DCM_DeidentificationMethod, "someone else");
  m_options.dates = Dates::shift;
  m_options.cleanDescriptors = true;
  run();
  EXPECT_EQ(text(DCM_PatientName), "NEW-1");
  EXPECT_EQ(text(DCM_PatientID), "NEW-1");
  EXPECT_EQ(text(DCM_PatientIdentityRemoved), "YES");
  EXPECT_THAT(text(DCM_DeidentificationMethod), testing::StartsWith("Lynceus"));
  EXPECT_LE(text(DCM_DeidentificationMethod).size(), 64u);
  EXPECT_EQ(text(DCM_LongitudinalTemporalInformationModified), "MODIFIED");
  std::string codes;
  for (signed long i = 0; i < 3; ++i) {
    DcmItem* item = nullptr;
    ASSERT_TRUE(m_set.findAndGetSequenceItem(DCM_DeidentificationMethodCodeSequence, item, i).good());
    OFString value;
    item->findAndGetOFString(DCM_CodeValue, value);
    codes += std::string(value.data(), value.size()) + " ";
  }
  EXPECT_EQ(codes, "113100 113105 113107 ");
}

TEST_F(Deidentify, NamesTheTreatmentOfDates) {
  run();
  EXPECT_EQ(text(DCM_LongitudinalTemporalInformationModified), "REMOVED");
  m_options.dates = Dates::retain;
  run();
  EXPECT_EQ(text(DCM_LongitudinalTemporalInformationModified), "UNMODIFIED");
}

TEST_F(Deidentify, KeepsUidsOfTheStandardAndMapsAllOthersWhetherTheTableNamesThemOrNot) {
  put(DCM_SOPClassUID, UID_CTImageStorage);
  put(DCM_FrameOfReferenceUID, UID_TalairachBrainAtlasFrameOfReference);
  put(DCM_SOPInstanceUIDOfConcatenationSource, "1.2.3");
  put(DCM_FailedSOPInstanceUIDList, "1.2.3\\1.2.4");
  put(DCM_StudyInstanceUID, "1.2.840.10008.19511224");
  put(DCM_CodingSchemeUID, "2.16.840.1.113883.6.96");
  put(DCM_ContextUID, "Smith");
  run();
  EXPECT_EQ(text(DCM_SOPClassUID), UID_CTImageStorage);
  EXPECT_EQ(text(DCM_FrameOfReferenceUID), UID_TalairachBrainAtlasFrameOfReference);
  EXPECT_EQ(text(DCM_SOPInstanceUIDOfConcatenationSource), m_key.uid("1.2.3"));
  EXPECT_EQ(text(DCM_FailedSOPInstanceUIDList), m_key.uid("1.2.3") + "\\" + m_key.uid("1.2.4"));
  EXPECT_EQ(text(DCM_StudyInstanceUID), m_key.uid("1.2.840.10008.19511224"));
  EXPECT_EQ(text(DCM_CodingSchemeUID), "2.16.840.1.113883.6.96");
  EXPECT_EQ(text(DCM_ContextUID), "");
}

TEST_F(Deidentify, TreatsWhatTheTableDoesNotNameByItsRepresentation) {
  put(DCM_EvaluatorName, "Smith^John");
  put(DCM_ExpiryDate, "19511224");
  put(DCM_ConvolutionKernel, "B70f");
  put(DCM_KVP, "120");
  put(DcmTag(0x0018, 0x7FFE, EVR_LO), "Smith");  // no such attribute
  m_set.putAndInsertUint16(DCM_Rows, 512);
  run();
  EXPECT_EQ(text(DCM_EvaluatorName), "ANONYMIZED");
  EXPECT_FALSE(has(DCM_ExpiryDate));
  EXPECT_EQ(text(DCM_ConvolutionKernel), "B70f");
  EXPECT_EQ(text(DCM_KVP), "120");
  EXPECT_FALSE(has(DcmTagKey(0x0018, 0x7FFE)));
  EXPECT_EQ(text(DCM_Rows), "512");
}

TEST_F(Deidentify, EmptiesValuesThatMayHideSomethingElse) {
  put(DCM_KVP, "120 Smith");
  put(DCM_BodyPartExamined, "CHEST");
  put(DCM_Manufacturer, "Maker\x10\x02");
  m_set.putAndInsertUint8Array(DcmTag(DCM_ManufacturerModelName, EVR_OB), reinterpret_cast<const Uint8*>("SMITH!"), 6);
  run();
  EXPECT_EQ(text(DCM_KVP), "");
  EXPECT_EQ(text(DCM_BodyPartExamined), "CHEST");
  EXPECT_EQ(text(DCM_Manufacturer), "");
  EXPECT_FALSE(has(DCM_ManufacturerModelName));
}

TEST_F(Deidentify, KeepsWellFormedDatesOnly) {
  m_options.dates = Dates::retain;
  put(DCM_StudyDate, "20240131");
  put(DCM_SeriesDate, "Smith");
  put(DCM_AcquisitionDate, "20240231");
  put(DCM_ContentTime, "10:11:12");
  put(DCM_AcquisitionDateTime, "20240131101112.123456+0100");
  put(DCM_TimezoneOffsetFromUTC, "+0100");
  put(DCM_PatientBirthDate, "19511224");
  put(DCM_PatientBirthTime, "0101");
  put(DCM_DateOfSecondaryCapture, "20240131\\Smith");
  run();
  EXPECT_EQ(text(DCM_StudyDate), "20240131");
  EXPECT_EQ(text(DCM_SeriesDate), "19000101");
  EXPECT_EQ(text(DCM_AcquisitionDate), "");
  EXPECT_EQ(text(DCM_ContentTime), "10:11:12");
  EXPECT_EQ(text(DCM_AcquisitionDateTime), "20240131101112.123456+0100");
  EXPECT_EQ(text(DCM_TimezoneOffsetFromUTC), "+0100");
  EXPECT_EQ(text(DCM_PatientBirthDate), "");
  EXPECT_FALSE(has(DCM_PatientBirthTime));
  EXPECT_FALSE(has(DCM_DateOfSecondaryCapture));
}

TEST_F(Deidentify, MovesAllDatesByTheSameDaysAndKeepsTimes) {
  m_options.dates = Dates::shift;
  put(DCM_StudyDate, "2024.03.01");
  put(DCM_SeriesDate, "20240301");
  put(DCM_AcquisitionDateTime, "20240301101112+0100");
  put(DCM_StudyTime, "101112");
  put(DCM_TimezoneOffsetFromUTC, "+0100");
  put(DCM_ContentDate, "00010101");
  run();
  EXPECT_EQ(text(DCM_StudyDate), "20230126");
  EXPECT_EQ(text(DCM_SeriesDate), "20230126");
  EXPECT_EQ(text(DCM_AcquisitionDateTime), "20230126101112");
  EXPECT_EQ(text(DCM_StudyTime), "101112");
  EXPECT_FALSE(has(DCM_TimezoneOffsetFromUTC));
  EXPECT_EQ(text(DCM_ContentDate), "19000101") << "before year 1";
}

TEST_F(Deidentify, ReachesTheDeepestItemThatThePreScanLetsThrough) {
  DcmItem* item = &m_set;
  for (int depth = 0; depth < 64; ++depth)
    ASSERT_TRUE(item->findOrCreateSequenceItem(DCM_ReferencedSeriesSequence, item, -2).good());
  item->putAndInsertString(DCM_PatientName, "Smith^John");
  item->putAndInsertString(DCM_SOPInstanceUID, "1.2.3");
  run();
  item = &m_set;
  for (int depth = 0; depth < 64; ++depth)
    ASSERT_TRUE(item->findAndGetSequenceItem(DCM_ReferencedSeriesSequence, item).good());
  OFString name, uid;
  EXPECT_TRUE(item->findAndGetOFString(DCM_PatientName, name).good());
  item->findAndGetOFString(DCM_SOPInstanceUID, uid);
  EXPECT_EQ(name, "");
  EXPECT_EQ(uid, m_key.uid("1.2.3").c_str());
}

TEST_F(Deidentify, DropsOverlaysWithWhatDescribesThemAndImagesInSequences) {
  m_set.putAndInsertUint16(DCM_OverlayRows, 6);
  put(DCM_OverlayLabel, "Smith");
  DcmItem* item = nullptr;
  m_set.findOrCreateSequenceItem(DCM_ReferencedSeriesSequence, item, -2);
  item->putAndInsertUint8Array(DcmTag(DCM_PixelData, EVR_OB), reinterpret_cast<const Uint8*>("SMITH!"), 6);
  m_set.putAndInsertUint8Array(DcmTag(DCM_PixelData, EVR_OB), reinterpret_cast<const Uint8*>("pixels"), 6);
  run();
  EXPECT_FALSE(has(DCM_OverlayRows));
  EXPECT_FALSE(has(DCM_OverlayLabel));
  ASSERT_TRUE(m_set.findAndGetSequenceItem(DCM_ReferencedSeriesSequence, item).good());
  EXPECT_FALSE(item->tagExists(DCM_PixelData));
  EXPECT_TRUE(has(DCM_PixelData));
}

TEST_F(Deidentify, IsLinearInTheNumberOfElements) {
  for (int group = 0x0009; group < 0x0009 + 2 * 40; group += 2) {
    for (int element = 0x1000; element < 0x1000 + 2000; ++element) {
      const DcmTag tag(static_cast<Uint16>(group), static_cast<Uint16>(element), EVR_LO);
      m_set.insert(new DcmLongString(tag), OFFalse, OFFalse);
    }
  }
  ASSERT_EQ(m_set.card(), 80000u);
  run();
  EXPECT_LT(m_set.card(), 10u);
}

}  // namespace
}  // namespace lynceus::io::dicom
