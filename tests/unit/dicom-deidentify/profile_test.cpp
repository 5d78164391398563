// Every row of PS3.15 Table E.1-1: an attribute with an identifying value at the root of a data set and in an item of
// a sequence, de-identified with each option, must have met the action of the table in both places.
#include <memory>
#include <set>
#include <string>

#include <dcmtk/config/osconfig.h>

#include <dcmtk/dcmdata/dctk.h>
#include <gtest/gtest.h>

#include "io/dicom/confidentiality_profile.h"
#include "io/dicom/deidentify.h"
#include "io/dicom/library.h"

namespace lynceus::io::dicom {
namespace {

using Dates = DeidentifyOptions::Dates;

const DcmTagKey kOuter(0x0008, 0x1115);  // Referenced Series Sequence: not in the table
const char* const kUid = "1.2.3.1951";

const PseudonymKey& key() {
  static const PseudonymKey k(std::string(32, 'k'));
  return k;
}

std::string identifyingText(const std::string& vr) {
  static const std::map<std::string, std::string> values = {
      {"AS", "067Y"},    {"CS", "SMITH"}, {"DA", "19511224"}, {"TM", "101112.5"}, {"DT", "19511224101112.5"},
      {"DS", "1951.25"}, {"IS", "1951"},  {"US", "1951"},     {"UI", kUid},       {"UR", "http://SMITH"},
      {"AE", "SMITH"}};
  const auto found = values.find(vr);
  return found != values.end() ? found->second : "CHEST Smith 1951 3mm";
}

std::unique_ptr<DcmElement> identifying(const ProfileRow& row) {
  const std::string vr = row.vr;
  const DcmTag tag(DcmTagKey(static_cast<Uint16>(row.tag >> 16), static_cast<Uint16>(row.tag & 0xFFFF)), DcmVR(row.vr));
  if (vr == "SQ") {
    auto sequence = std::make_unique<DcmSequenceOfItems>(tag);
    auto item = std::make_unique<DcmItem>();
    item->putAndInsertString(DCM_PatientName, "Smith^John");
    item->putAndInsertString(DCM_ReferencedSOPInstanceUID, kUid);
    item->putAndInsertString(DCM_ReferencedSOPClassUID, UID_CTImageStorage);
    item->putAndInsertString(DCM_CodeMeaning, "Smith");
    sequence->insert(item.release());
    return sequence;
  }
  DcmElement* element = nullptr;
  DcmItem::newDicomElementWithVR(element, tag);
  if (vr == "OB" || vr == "UN") {
    element->putUint8Array(reinterpret_cast<const Uint8*>("SMITH!"), 6);
  } else if (vr == "OW") {
    element->putUint16Array(reinterpret_cast<const Uint16*>("SMITH!"), 3);
  } else {
    element->putString(identifyingText(vr).c_str());
  }
  return std::unique_ptr<DcmElement>(element);
}

std::string textOf(DcmItem& item, const DcmTagKey& tag) {
  OFString text;
  item.findAndGetOFStringArray(tag, text);
  return {text.data(), text.size()};
}

bool sameBytes(DcmElement& a, DcmElement& b) {
  Uint8 *x = nullptr, *y = nullptr;
  return a.getLength() == b.getLength() && a.getUint8Array(x).good() && b.getUint8Array(y).good() &&
         std::equal(x, x + a.getLength(), y);
}

class Case {
 public:
  Case(const ProfileRow& row, const DeidentifyOptions& options) : m_row(row), m_options(options) {
    m_set.insert(identifying(row).release());
    DcmItem* inner = nullptr;
    m_set.findOrCreateSequenceItem(kOuter, inner, -2);
    inner->insert(identifying(row).release());
    deidentify(m_set, options, key(), {"NEW-1", 10});
  }

  void check() {
    DcmItem* inner = nullptr;
    ASSERT_TRUE(m_set.findAndGetSequenceItem(kOuter, inner).good());
    checkIn(*inner, false);
    checkIn(m_set, true);
  }

 private:
  DcmTagKey tag() const { return {static_cast<Uint16>(m_row.tag >> 16), static_cast<Uint16>(m_row.tag & 0xFFFF)}; }

  void checkIn(DcmItem& item, bool isRoot) {
    SCOPED_TRACE(isRoot ? "at the root" : "in a sequence");
    DcmElement* element = nullptr;
    item.findAndGetElement(tag(), element);
    if (isRoot && (tag() == DCM_PatientName || tag() == DCM_PatientID)) {
      EXPECT_EQ(textOf(item, tag()), "NEW-1");
    } else if (keptByDates()) {
      ASSERT_NE(element, nullptr);
      checkDate(item, *element);
    } else if (keptByCleaning()) {
      EXPECT_EQ(textOf(item, tag()), "CHEST 3mm");
    } else {
      checkBasic(item, element);
    }
  }

  bool isDay() const { return m_row.vr == std::string("DA") || m_row.vr == std::string("DT"); }
  bool isTime() const { return m_row.vr == std::string("TM"); }
  bool keptByDates() const {
    if (m_row.option != ProfileOption::dates || m_options.dates == Dates::remove) return false;
    return isDay() || isTime() || (m_options.dates == Dates::retain && m_row.vr[0] == 'O');
  }
  bool keptByCleaning() const {
    static const std::set<std::string> texts = {"LO", "SH", "ST", "LT", "UC", "UT"};
    return m_row.option == ProfileOption::descriptors && m_options.cleanDescriptors && texts.contains(m_row.vr);
  }

  void checkDate(DcmItem& item, DcmElement& element) {
    if (m_row.vr[0] == 'O') {
      EXPECT_TRUE(sameBytes(element, *identifying(m_row)));
      return;
    }
    std::string expected = identifyingText(m_row.vr);
    if (isDay() && m_options.dates == Dates::shift) expected.replace(0, 8, "19520103");
    EXPECT_EQ(textOf(item, tag()), expected);
  }

  void checkBasic(DcmItem& item, DcmElement* element) {
    const ProfileAction action = simpleAction(m_row);
    if (action == ProfileAction::remove) {
      EXPECT_EQ(element, nullptr);
      return;
    }
    ASSERT_NE(element, nullptr);
    if (action == ProfileAction::empty) {
      EXPECT_TRUE(element->isEmpty());
    } else if (m_row.vr == std::string("SQ")) {
      checkItem(item, action);
    } else if (m_row.vr == std::string("UI")) {
      EXPECT_EQ(textOf(item, tag()), key().uid(kUid));
    } else {
      EXPECT_FALSE(element->isEmpty());
      EXPECT_FALSE(sameBytes(*element, *identifying(m_row)));
    }
  }

  void checkItem(DcmItem& item, ProfileAction action) {
    DcmItem* inner = nullptr;
    ASSERT_TRUE(item.findAndGetSequenceItem(tag(), inner).good());
    EXPECT_EQ(textOf(*inner, DCM_ReferencedSOPInstanceUID), key().uid(kUid));
    EXPECT_EQ(textOf(*inner, DCM_ReferencedSOPClassUID), UID_CTImageStorage);
    EXPECT_NE(textOf(*inner, DCM_PatientName), "Smith^John");
    if (action == ProfileAction::dummy) {
      EXPECT_EQ(textOf(*inner, DCM_CodeMeaning), "ANONYMIZED");
    }
  }

  const ProfileRow m_row;
  const DeidentifyOptions m_options;
  DcmDataset m_set;
};

class ConfidentialityProfile : public testing::Test {
 protected:
  void SetUp() override { prepareLibrary(); }

  static void checkEveryRow(const DeidentifyOptions& options) {
    for (const ProfileRow& row : confidentialityProfile()) {
      SCOPED_TRACE(fmt::format("({:04X},{:04X}) {}", row.tag >> 16, row.tag & 0xFFFF, row.vr));
      Case(row, options).check();
    }
  }
};

TEST_F(ConfidentialityProfile, DoesWhatTheTableSaysToEveryAttribute) { checkEveryRow({}); }

TEST_F(ConfidentialityProfile, RetainsEveryDateThatTheOptionForFullDatesNames) {
  DeidentifyOptions options;
  options.dates = Dates::retain;
  checkEveryRow(options);
}

TEST_F(ConfidentialityProfile, MovesEveryDateThatTheOptionForModifiedDatesNames) {
  DeidentifyOptions options;
  options.dates = Dates::shift;
  checkEveryRow(options);
}

TEST_F(ConfidentialityProfile, CleansEveryDescriptionThatTheOptionNames) {
  DeidentifyOptions options;
  options.cleanDescriptors = true;
  checkEveryRow(options);
}

TEST_F(ConfidentialityProfile, DropsCurvesOverlaysAndPrivateAttributesAtEveryDepth) {
  for (const uint32_t tag : {0x50000005u, 0x50003000u, 0x50FE2500u, 0x60003000u, 0x60004000u, 0x601E3000u, 0x601E4000u,
                             0x00090010u, 0x00091001u, 0x7FE10010u, 0x7FE11010u}) {
    SCOPED_TRACE(fmt::format("{:08X}", tag));
    const ProfileRow* row = profileRow(tag);
    ASSERT_NE(row, nullptr);
    EXPECT_EQ(row->basic, ProfileAction::remove);
    ProfileRow one = *row;
    one.tag = tag;
    Case(one, {}).check();
  }
}

TEST_F(ConfidentialityProfile, IsOrderedWithoutDoublesAndFoundByTag) {
  const auto rows = confidentialityProfile();
  EXPECT_EQ(rows.size(), 644u);
  for (size_t i = 0; i < rows.size(); ++i) {
    if (i > 0) {
      EXPECT_LT(rows[i - 1].tag, rows[i].tag);
    }
    EXPECT_EQ(profileRow(rows[i].tag), &rows[i]);
  }
  EXPECT_EQ(profileRow(0x00280010), nullptr);
}

// The dictionary of another project would tell a wrong digit in a tag.
TEST_F(ConfidentialityProfile, AgreesWithTheDictionaryOnTheRepresentationOfValues) {
  int known = 0;
  for (const ProfileRow& row : confidentialityProfile()) {
    const DcmTag tag(static_cast<Uint16>(row.tag >> 16), static_cast<Uint16>(row.tag & 0xFFFF));
    if (tag.getEVR() == EVR_UNKNOWN || tag.getEVR() == EVR_UN || tag.getEVR() == EVR_ox) continue;
    ++known;
    EXPECT_EQ(tag.getVRName(), std::string(row.vr)) << const_cast<DcmTag&>(tag).getTagName();
  }
  EXPECT_GT(known, 580);
}

TEST_F(ConfidentialityProfile, ChoosesTheSafeOneOfACompoundAction) {
  const auto simpleAction = [](ProfileAction action) {
    return dicom::simpleAction({0x00080080, "LO", action, ProfileOption::none});
  };
  EXPECT_EQ(simpleAction(ProfileAction::removeOrEmpty), ProfileAction::empty);
  EXPECT_EQ(simpleAction(ProfileAction::removeOrDummy), ProfileAction::dummy);
  EXPECT_EQ(simpleAction(ProfileAction::emptyOrDummy), ProfileAction::dummy);
  EXPECT_EQ(simpleAction(ProfileAction::removeEmptyOrDummy), ProfileAction::dummy);
  EXPECT_EQ(simpleAction(ProfileAction::removeEmptyOrMapUids), ProfileAction::mapUids);
  EXPECT_EQ(dicom::simpleAction(*profileRow(0x00081110)), ProfileAction::remove) << "may not be empty";
}

}  // namespace
}  // namespace lynceus::io::dicom
