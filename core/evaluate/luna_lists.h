// Reads the lists that an evaluation starts from, in the columns of LUNA16, and says what is wrong with them.
#pragma once

#include <string>
#include <vector>

#include "core/evaluate/csv.h"
#include "core/evaluate/froc.h"

namespace lynceus::evaluate {

/// Files of LUNA16; columns are found by their names, in any order.
struct LunaFiles {
  std::string annotations;  ///< seriesuid, coordX, coordY, coordZ (LPS, mm), diameter_mm
  std::string excluded;     ///< the same columns; a negative diameter stands for 10 mm, as in LUNA16; may be empty
  std::string series;       ///< one UID a line, with or without a first line "seriesuid"
  std::string detections;   ///< seriesuid, coordX, coordY, coordZ, probability
  std::string background;   ///< as `series`: where false marks are counted; empty: everywhere
  std::vector<std::string> groupColumns;  ///< of the annotations, which must have them
};

struct LunaInput {
  FrocInput input;
  /// Rows about series that are not listed: left out, as the official script does.
  size_t otherFindings = 0, otherExcluded = 0, otherMarks = 0;
};

/// Findings are grouped by `groupColumns` and by texture and attachment where the annotations have these columns.
/// @return ErrorCode::badInput with file, line, column, value and remedy; also where all detections are of series that
/// are not listed.
Expected<LunaInput> readLunaLists(const LunaFiles& files);

/// Counts false marks only in the scans that the file names. ErrorCode::badInput for one that is not in the input.
Expected<void> setBackground(const std::string& file, FrocInput& input);

/// Columns patient, label (0 or 1) and score (probability of 1).
Expected<std::vector<Outcome>> readPatches(const std::string& file);

}  // namespace lynceus::evaluate
