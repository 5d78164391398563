// DICOM PS3.15 (edition 2025b) Table E.1-1: what the Basic Application Level Confidentiality Profile does to each
// attribute, and which attributes the options for dates and for descriptors may keep.
#pragma once

#include <cstdint>
#include <span>

namespace lynceus::io::dicom {

/// The action codes of the table; compound ones leave the choice to the type that the attribute has in its IOD.
enum class ProfileAction {
  remove,                ///< X
  empty,                 ///< Z
  dummy,                 ///< D
  mapUids,               ///< U
  removeOrEmpty,         ///< X/Z
  removeOrDummy,         ///< X/D
  emptyOrDummy,          ///< Z/D
  removeEmptyOrDummy,    ///< X/Z/D
  removeEmptyOrMapUids,  ///< X/Z/U*: a sequence whose items are kept with mapped UIDs
};

/// Which of the options that we offer has an entry for the attribute; none has entries for both.
enum class ProfileOption {
  none,
  dates,        ///< Retain Longitudinal Temporal Information: K with full dates, C with modified dates
  descriptors,  ///< Clean Descriptors: C
};

struct ProfileRow {
  uint32_t tag;  ///< group << 16 | element
  char vr[3];
  ProfileAction basic;
  ProfileOption option;
};

/// Every row of the table that names one attribute, ordered by tag. The rows for repeating groups (50xx,xxxx),
/// (60xx,3000), (60xx,4000) and for private attributes are in profileRow() only.
std::span<const ProfileRow> confidentialityProfile();

/// The row for a tag, that of its repeating group or of private attributes included; null where the table has none.
const ProfileRow* profileRow(uint32_t tag);

/// One action for a compound one, safe whatever the type of the attribute is: X/Z becomes Z; X/D, Z/D and X/Z/D
/// become D; X/Z/U* becomes U. The value is gone in every case, and an attribute that must have a value has one.
/// Referenced Study Sequence (0008,1110), X/Z, becomes X: it is optional in images and may not be empty (PS3.3
/// C.7.2.1).
ProfileAction simpleAction(const ProfileRow& row);

}  // namespace lynceus::io::dicom
