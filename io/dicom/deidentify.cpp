#include "io/dicom/deidentify.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include <dcmtk/config/osconfig.h>

#include <dcmtk/dcmdata/dctk.h>

#include "core/version.h"
#include "io/dicom/clean_descriptor.h"
#include "io/dicom/confidentiality_profile.h"

namespace lynceus::io::dicom {
namespace {

using Dates = DeidentifyOptions::Dates;

constexpr const char* kDummyText = "ANONYMIZED";
constexpr size_t kLongestShortValue = 1024;  // of one that is checked character by character

bool isDigit(char c) { return c >= '0' && c <= '9'; }

bool consistsOf(std::string_view text, std::string_view others) {
  return std::all_of(text.begin(), text.end(),
                     [&](char c) { return isDigit(c) || others.find(c) != std::string_view::npos; });
}

std::string trimmed(std::string_view text) {
  constexpr std::string_view kPadding(" \0", 2);
  const size_t first = text.find_first_not_of(kPadding);
  if (first == std::string_view::npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(kPadding) - first + 1));
}

/// Applies `change` to each value between backslashes. @return nothing where it gives nothing for one of them.
std::optional<std::string> eachValue(std::string_view text,
                                     const std::function<std::optional<std::string>(std::string)>& change) {
  std::string result;
  for (size_t start = 0; start <= text.size();) {
    const size_t end = std::min(text.find('\\', start), text.size());
    const auto changed = change(trimmed(text.substr(start, end - start)));
    if (!changed) return {};
    if (start > 0) result += '\\';
    result += *changed;
    start = end + 1;
  }
  return result;
}

/// YYYYMMDD moved by `days`.
std::optional<std::string> shiftedDay(std::string_view text, int days) {
  using namespace std::chrono;
  if (text.size() != 8 || !consistsOf(text, "")) return {};
  const int number = std::stoi(std::string(text));
  const year_month_day day{year(number / 10000), month(static_cast<unsigned>(number / 100 % 100)),
                           std::chrono::day(static_cast<unsigned>(number % 100))};
  if (!day.ok()) return {};
  const year_month_day moved{sys_days(day) + std::chrono::days(days)};
  if (int(moved.year()) < 1 || int(moved.year()) > 9999) return {};
  return fmt::format("{:04}{:02}{:02}", int(moved.year()), unsigned(moved.month()), unsigned(moved.day()));
}

std::optional<std::string> keptDay(std::string text, int days) {
  if (text.size() == 10 && text[4] == '.' && text[7] == '.')
    text = text.substr(0, 4) + text.substr(5, 2) + text.substr(8);
  return shiftedDay(text, days);
}

std::optional<std::string> keptTime(const std::string& text) {
  if (text.empty() || text.size() > 16 || !consistsOf(text, ".:")) return {};
  return text;
}

std::optional<std::string> keptDateTime(const std::string& text, bool shift, int days) {
  const size_t zone = std::min(text.find_first_of("+-"), text.size());
  const std::string_view time = std::string_view(text).substr(0, zone);
  if (text.size() > 26 || time.size() < 8 || !consistsOf(time, ".") || !consistsOf(text.substr(zone), "+-")) return {};
  const auto day = shiftedDay(time.substr(0, 8), days);
  if (!day) return {};
  // The offset from UTC says where in the world it was: gone with (0008,0201) unless dates are kept in full.
  return *day + std::string(time.substr(8)) + (shift ? "" : text.substr(zone));
}

bool isText(DcmEVR vr) {
  switch (vr) {
    case EVR_LO:
    case EVR_SH:
    case EVR_ST:
    case EVR_LT:
    case EVR_UC:
    case EVR_UT: return true;
    default: return false;
  }
}

bool isBulk(DcmEVR vr) {
  switch (vr) {
    case EVR_OB:
    case EVR_OW:
    case EVR_OF:
    case EVR_OD:
    case EVR_OL:
    case EVR_OV:
    case EVR_ox:
    case EVR_lt:
    case EVR_PixelData:
    case EVR_OverlayData:
    case EVR_UN:
    case EVR_UNKNOWN:
    case EVR_UNKNOWN2B: return true;
    default: return false;
  }
}

/// UIDs that name a kind of thing, not a thing.
bool namesAKind(uint32_t tag) {
  switch (tag) {
    case 0x00080016:  // SOP Class
    case 0x0008001A:  // Related General SOP Class
    case 0x0008001B:  // Original Specialized SOP Class
    case 0x00080062:  // SOP Classes in Study
    case 0x0008010C:  // Coding Scheme
    case 0x00080117:  // Context
    case 0x00080118:  // Mapping Resource
    case 0x00081150:  // Referenced SOP Class
    case 0x0008115A:  // SOP Classes Supported
    case 0x00083002:  // Available Transfer Syntax
    case 0x00340003:  // Flow Transfer Syntax
    case 0x04000010:  // MAC Calculation Transfer Syntax
    case 0x04000510:  // Encrypted Content Transfer Syntax
    case 0x30100052:  // Pertinent SOP Classes in Study
    case 0x30100053:  // Pertinent SOP Classes in Series
      return true;
    default: return false;
  }
}

/// Pixel data of the three kinds, and the tables of where its fragments lie.
bool isPixelData(uint32_t tag) {
  const uint32_t element = tag & 0xFFFF;
  return (element >= 1 && element <= 3) || (element >= 8 && element <= 0x10);
}

/// What becomes of one element.
enum class Fate { keep, drop, dummyItems };

class Deidentifier {
 public:
  Deidentifier(const DeidentifyOptions& options, const PseudonymKey& key, const NewIdentity& identity)
      : m_options(options), m_key(key), m_identity(identity) {}

  void apply(DcmItem& root) const {
    std::vector<Visit> open{{&root, true, false}};
    while (!open.empty()) {
      const Visit visit = open.back();
      open.pop_back();
      filter(visit, open);
    }
  }

 private:
  struct Visit {
    DcmItem* item;
    bool isRoot;
    bool dummies;  // every attribute becomes a dummy
  };

  // Takes all elements out and puts those that stay back, which is linear in their number.
  void filter(const Visit& visit, std::vector<Visit>& open) const {
    std::vector<std::unique_ptr<DcmElement>> elements;
    elements.reserve(visit.item->card());
    while (visit.item->card() > 0) elements.emplace_back(visit.item->remove(0UL));
    for (auto& element : elements) {
      if (!element) continue;
      const Fate fate = decide(*element, visit);
      if (fate == Fate::drop) continue;
      if (element->ident() == EVR_SQ) {
        auto& sequence = static_cast<DcmSequenceOfItems&>(*element);
        for (DcmObject* o = sequence.nextInContainer(nullptr); o; o = sequence.nextInContainer(o))
          open.push_back({static_cast<DcmItem*>(o), false, fate == Fate::dummyItems});
      }
      if (visit.item->insert(element.get()).good()) static_cast<void>(element.release());
    }
  }

  Fate decide(DcmElement& element, const Visit& visit) const {
    const uint32_t tag = uint32_t{element.getGTag()} << 16 | element.getETag();
    if (tag >> 16 == 0x7FE0) return visit.isRoot && isPixelData(tag) ? Fate::keep : Fate::drop;
    if ((tag & 0xFFFF) == 0) return Fate::drop;  // group lengths
    if (tag >> 24 == 0x60) return Fate::drop;    // overlays, with what describes them
    const ProfileRow* row = profileRow(tag);
    if (visit.dummies && !(row && row->basic == ProfileAction::remove)) return makeDummy(element, tag);
    return row ? applyRow(element, *row) : applyVr(element, tag);
  }

  Fate applyRow(DcmElement& element, const ProfileRow& row) const {
    if (row.option == ProfileOption::dates && m_options.dates != Dates::remove && keepDate(element, row.vr[0] == 'O'))
      return Fate::keep;
    if (row.option == ProfileOption::descriptors && m_options.cleanDescriptors && keepDescriptor(element))
      return Fate::keep;
    switch (simpleAction(row)) {
      case ProfileAction::remove: return Fate::drop;
      case ProfileAction::empty: return empty(element);
      case ProfileAction::mapUids:
        if (element.ident() == EVR_SQ) return Fate::keep;
        mapUids(element);
        return Fate::keep;
      default: return makeDummy(element, row.tag);
    }
  }

  // What the table does not name.
  Fate applyVr(DcmElement& element, uint32_t tag) const {
    const DcmTag known(element.getGTag(), element.getETag());
    if (known.getEVR() == EVR_UNKNOWN || known.getEVR() == EVR_UN) return Fate::drop;
    if (tag >> 16 == 0 || tag >> 16 == 2) return Fate::drop;  // belong to messages and to the file's own header
    if (isBulk(element.ident()) && !isBulk(known.getEVR())) return Fate::drop;
    switch (element.ident()) {
      case EVR_SQ: return Fate::keep;
      case EVR_UI: return keepUids(element, tag);
      case EVR_PN: return makeDummy(element, tag);
      case EVR_DA:
      case EVR_TM:
      case EVR_DT: return m_options.dates != Dates::remove && keepDate(element, false) ? Fate::keep : Fate::drop;
      default: return isWellFormed(element) ? Fate::keep : empty(element);
    }
  }

  static Fate empty(DcmElement& element) {
    element.clear();
    return Fate::keep;
  }

  static std::string textOf(DcmElement& element) {
    char* text = nullptr;
    Uint32 length = 0;
    if (element.getString(text, length).bad() || text == nullptr) return {};
    return {text, length};
  }

  bool keepDate(DcmElement& element, bool isBinary) const {
    const bool shift = m_options.dates == Dates::shift;
    const int days = shift ? m_identity.shiftDays : 0;
    const DcmEVR vr = element.ident();
    if (vr != EVR_DA && vr != EVR_TM && vr != EVR_DT) return !shift && keepOtherTime(element, isBinary);
    const std::string text = textOf(element);
    if (trimmed(text).empty()) return element.getLength() == 0;
    const auto kept = eachValue(text, [&](const std::string& value) {
      return vr == EVR_DA ? keptDay(value, days) : vr == EVR_TM ? keptTime(value) : keptDateTime(value, shift, days);
    });
    return kept && element.putString(kept->c_str()).good();
  }

  // The offset from UTC, and time stamps of other standards: kept in full or not at all.
  static bool keepOtherTime(DcmElement& element, bool isBinary) {
    if (element.ident() != EVR_SH) return isBinary && isBulk(element.ident());
    const std::string zone = trimmed(textOf(element));
    return zone.size() == 5 && (zone[0] == '+' || zone[0] == '-') && consistsOf(zone.substr(1), "");
  }

  static bool keepDescriptor(DcmElement& element) {
    if (!isText(element.ident())) return false;
    const std::string clean = cleanDescriptor(textOf(element));
    return !clean.empty() && element.putString(clean.c_str()).good();
  }

  Fate keepUids(DcmElement& element, uint32_t tag) const {
    if (!namesAKind(tag)) {
      mapUids(element);
      return Fate::keep;
    }
    const auto kept = eachValue(textOf(element), [](const std::string& value) -> std::optional<std::string> {
      if (value.size() > 64 || !consistsOf(value, ".")) return {};
      return value;
    });
    return kept ? Fate::keep : empty(element);
  }

  void mapUids(DcmElement& element) const {
    const auto mapped = eachValue(textOf(element), [&](const std::string& uid) -> std::optional<std::string> {
      return uid.empty() || dcmFindNameOfUID(uid.c_str()) != nullptr ? uid : m_key.uid(uid);
    });
    if (element.putString(mapped->c_str()).bad()) element.clear();
  }

  Fate makeDummy(DcmElement& element, uint32_t tag) const {
    switch (element.ident()) {
      case EVR_SQ: return Fate::dummyItems;
      case EVR_UI: return keepUids(element, tag);
      case EVR_DA: return put(element, "19000101");
      case EVR_DT: return put(element, "19000101000000");
      case EVR_TM: return put(element, "000000");
      case EVR_AS: return put(element, "000Y");
      case EVR_UR: return put(element, "urn:anonymized");
      case EVR_AE:
      case EVR_CS:
      case EVR_LO:
      case EVR_LT:
      case EVR_PN:
      case EVR_SH:
      case EVR_ST:
      case EVR_UC:
      case EVR_UT: return put(element, kDummyText);
      case EVR_AT: return put(element, "(0000,0000)");
      case EVR_OB:
      case EVR_UN: {
        static constexpr Uint8 kNothing[2] = {0, 0};
        element.clear();
        return element.putUint8Array(kNothing, 2).good() ? Fate::keep : Fate::drop;
      }
      default: return isBulk(element.ident()) ? empty(element) : put(element, "0");
    }
  }

  static Fate put(DcmElement& element, const char* value) {
    return element.putString(value).good() ? Fate::keep : empty(element);
  }

  // Values that are no text of their VR may hide other elements, or be something else altogether.
  static bool isWellFormed(DcmElement& element) {
    const DcmEVR vr = element.ident();
    const bool isNumber = vr == EVR_DS || vr == EVR_IS;
    const bool isCode = vr == EVR_CS || vr == EVR_AS || vr == EVR_AE;
    if (!isNumber && !isCode && !isText(vr) && vr != EVR_UR) return true;
    const std::string text = trimmed(textOf(element));
    if (isNumber) return eachNumber(text);
    if (isCode && text.size() > kLongestShortValue) return false;
    return std::none_of(text.begin(), text.end(), [&](char c) {
      const auto byte = static_cast<unsigned char>(c);
      if (isCode) return byte < 0x20 || byte > 0x7E;
      return byte < 0x20 && std::string_view("\t\n\f\r\x1B").find(c) == std::string_view::npos;
    });
  }

  static bool eachNumber(const std::string& text) {
    return eachValue(text,
                     [](const std::string& value) -> std::optional<std::string> {
                       if (value.size() > 64 || !consistsOf(value, "+-.eE")) return {};
                       return value;
                     })
        .has_value();
  }

  const DeidentifyOptions& m_options;
  const PseudonymKey& m_key;
  const NewIdentity& m_identity;
};

struct Code {
  const char* value;
  const char* meaning;
};

// What was done, in the words of DICOM's own codes (PS3.16 context group 7050).
std::vector<Code> methodCodes(const DeidentifyOptions& options) {
  std::vector<Code> codes{{"113100", "Basic Application Confidentiality Profile"}};
  if (options.cleanDescriptors) codes.push_back({"113105", "Clean Descriptors Option"});
  if (options.dates == Dates::retain)
    codes.push_back({"113106", "Retain Longitudinal Temporal Information Full Dates Option"});
  if (options.dates == Dates::shift)
    codes.push_back({"113107", "Retain Longitudinal Temporal Information Modified Dates Option"});
  return codes;
}

void describeMethod(DcmDataset& set, const DeidentifyOptions& options) {
  set.putAndInsertString(DCM_PatientIdentityRemoved, "YES");
  set.putAndInsertString(DCM_DeidentificationMethod,
                         fmt::format("Lynceus {}: PS3.15 2025b Basic Profile", kVersion).c_str());
  set.findAndDeleteElement(DCM_DeidentificationMethodCodeSequence);
  for (const Code& code : methodCodes(options)) {
    DcmItem* item = nullptr;
    if (set.findOrCreateSequenceItem(DCM_DeidentificationMethodCodeSequence, item, -2).bad()) continue;
    item->putAndInsertString(DCM_CodeValue, code.value);
    item->putAndInsertString(DCM_CodingSchemeDesignator, "DCM");
    item->putAndInsertString(DCM_CodeMeaning, code.meaning);
  }
  set.putAndInsertString(DCM_LongitudinalTemporalInformationModified, options.dates == Dates::remove   ? "REMOVED"
                                                                      : options.dates == Dates::retain ? "UNMODIFIED"
                                                                                                       : "MODIFIED");
}

}  // namespace

void deidentify(DcmDataset& set, const DeidentifyOptions& options, const PseudonymKey& key,
                const NewIdentity& identity) {
  Deidentifier(options, key, identity).apply(set);
  set.putAndInsertString(DCM_PatientName, identity.patientId.c_str());
  set.putAndInsertString(DCM_PatientID, identity.patientId.c_str());
  describeMethod(set, options);
}

}  // namespace lynceus::io::dicom
