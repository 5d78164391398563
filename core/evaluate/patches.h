// Classification of patches, such as nodule or not: accuracy, ROC curve and calibration.
#pragma once

#include <vector>

#include "core/error.h"
#include "core/evaluate/calibration.h"

namespace lynceus::evaluate {

/// A sample is called true from this probability.
inline constexpr double kPatchThreshold = 0.5;

struct Patches {
  struct RocPoint {
    double falsePositiveRate = 0, truePositiveRate = 0;
  };
  size_t patches = 0, positives = 0, patients = 0;
  Estimate accuracy, sensitivity, specificity;  ///< at kPatchThreshold
  Estimate rocArea;           ///< the chance that a positive scores above a negative, ties by half (Mann and Whitney)
  std::vector<RocPoint> roc;  ///< from (0, 0) to (1, 1), one point for each score
  Calibration calibration;
};

/// @param outcomes  the unit is the patient, numbered from 0 without gaps: patches of one are drawn together.
/// @return ErrorCode::badInput unless there are positives and negatives.
Expected<Patches> evaluatePatches(const std::vector<Outcome>& outcomes, const BootstrapOptions& options);

}  // namespace lynceus::evaluate
