// Findings as text for a terminal.
#pragma once

#include <string>

#include "core/detect/finding.h"

namespace lynceus::report {

/// A headline that says how the search ended (it reads "no findings" only where the whole input was searched), remarks,
/// and one row for each finding. Slices count from 1 in the order of the volume. UTF-8, ends with a newline.
std::string findingsTable(const detect::DetectionResult& result);

}  // namespace lynceus::report
