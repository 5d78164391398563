// De-identification of one data set by the Basic Application Level Confidentiality Profile (DICOM PS3.15 Annex E).
#pragma once

#include <optional>
#include <string>

#include "core/error.h"
#include "io/dicom/pseudonym_key.h"

class DcmDataset;

namespace lynceus::io::dicom {

struct DeidentifyOptions {
  enum class Dates {
    remove,  ///< the basic profile
    retain,  ///< Retain Longitudinal Temporal Information with Full Dates
    shift,   ///< Retain Longitudinal Temporal Information with Modified Dates: times of day stay, days move
  };
  Dates dates = Dates::remove;
  std::optional<int> shiftDays;   ///< for Dates::shift; none: derived from the key for each patient
  bool cleanDescriptors = false;  ///< keep of descriptions what cleanDescriptor() keeps
  bool includeBurnedIn = false;   ///< write images whose pixels may show who the patient is
  std::string patientId;          ///< replaces the pseudonym; letters, digits, '.', '_' and '-', at most 64
};

/// What one file's patient is called afterwards and how far the dates move.
struct NewIdentity {
  std::string patientId;  ///< stands for the name as well
  int shiftDays = 0;
};

/// Applies the profile to `dataSet`, at every depth: the rows of Table E.1-1 with simpleAction() for compound actions.
/// Kept dates and descriptions must be well-formed, else the basic action applies. Beyond the table, to be safe:
/// - every private attribute and every attribute that the dictionary does not know goes;
/// - attributes that the table does not name are treated by their VR: UIDs are mapped (except of classes and coding
///   schemes), dates follow the date option, names of persons become dummies, values that break the rules of their VR
///   are emptied, and bulk data stands only where the dictionary says so;
/// - overlay groups (60xx) go as a whole, and so do pixels that lie in a sequence.
/// UIDs that the standard itself defines stay. A sequence that the table replaces by a dummy keeps its items with a
/// dummy in each attribute. Clean Descriptors keeps no sequences. The pixel data is not touched.
/// Then Patient's Name and ID are set from `identity`, and the attributes that say what was done.
/// Any thread, one data set at a time; the nesting must have passed the pre-scan.
void deidentify(DcmDataset& dataSet, const DeidentifyOptions& options, const PseudonymKey& key,
                const NewIdentity& identity);

}  // namespace lynceus::io::dicom
