// Comparing what was found with what is known to be there.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/detect/finding.h"

namespace lynceus::evaluate {

/// One known lesion and the mark that hit it.
struct Match {
  size_t truth = 0;
  std::optional<size_t> finding;  ///< index of the strongest mark inside; absent: missed
  double distanceMm = 0;          ///< between the centres
};

struct Comparison {
  std::vector<Match> lesions;      ///< one for each known lesion, in its order
  std::vector<size_t> falseMarks;  ///< findings inside no lesion
  int hits() const;
};

/// A mark hits if its squared distance to a lesion's centre is under the squared radius of the lesion, strictly: the
/// rule of LUNA16 (noduleCADEvaluationLUNA16). Several marks in one lesion count once and are not false.
Comparison compare(const std::vector<detect::Finding>& truth, const std::vector<detect::Finding>& found);

/// For a terminal: each lesion with its diameter and the mark that hit it, then hits, misses and false marks.
std::string comparisonTable(const std::vector<detect::Finding>& truth, const std::vector<detect::Finding>& found);

}  // namespace lynceus::evaluate
