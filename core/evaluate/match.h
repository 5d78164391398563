// Which mark found what: the hit rule of LUNA16 (noduleCADEvaluationLUNA16), for every comparison with known findings.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/detect/finding.h"

namespace lynceus::evaluate {

/// A place known to hold a finding.
struct Ball {
  image::Point3 centerMm;  ///< LPS
  double diameterMm = 0;
};

/// A place that a detector points at.
struct Mark {
  image::Point3 centerMm;  ///< LPS
  double score = 0;
};

enum class Fate {
  hit,        ///< the strongest mark in at least one finding
  duplicate,  ///< in a finding that a stronger mark hit: neither hit nor false
  ignored,    ///< in an excluded finding and in no other: neither hit nor false
  surplus,    ///< beyond the strongest marks that count: as if it were not there
  falseMark,
};

struct Matching {
  std::vector<std::optional<size_t>> strongest;  ///< for each finding its hitting mark; absent: missed
  std::vector<Fate> fates;                       ///< for each mark
};

/// Marks of one scan that count, as in LUNA16.
inline constexpr size_t kMostMarks = 100;

/// A mark lies in a finding if its squared distance to the centre is under the squared radius, strictly. One mark may
/// hit several overlapping findings. Of marks with equal scores in a finding the first counts.
/// @param mostMarks  where there are more, those count whose score is above that of the next strongest, strictly: marks
/// that tie at the border all drop.
Matching match(std::span<const Ball> findings, std::span<const Ball> excluded, std::span<const Mark> marks,
               size_t mostMarks = kMostMarks);

/// By the mask where there is one, else what the network says.
double diameterOf(const detect::Finding& finding);

/// For a terminal: each lesion with its diameter and the mark that hit it, then hits, misses and false marks. All marks
/// count, however many.
std::string comparisonTable(const std::vector<detect::Finding>& truth, const std::vector<detect::Finding>& found);

}  // namespace lynceus::evaluate
