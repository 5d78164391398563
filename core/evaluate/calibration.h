// Whether scores are probabilities: of the marks with a score of 0.8, are 80 % true?
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "core/evaluate/bootstrap.h"

namespace lynceus::evaluate {

/// One prediction and what it turned out to be.
struct Outcome {
  double probability = 0;  ///< 0 to 1
  bool isTrue = false;
  uint32_t unit = 0;  ///< scan or patient: what the bootstrap draws together
};

struct Calibration {
  /// Predictions of [low, low + 0.1); the last bin includes 1.
  struct Bin {
    double low = 0;
    size_t count = 0;
    double meanProbability = 0;  ///< of the predictions in the bin; no number where there is none
    Estimate observed;           ///< the share of them that is true
  };
  size_t count = 0;
  std::array<Bin, 10> bins;
  Estimate expectedError;  ///< mean over predictions of |mean probability - observed share| of their bin (ECE)
  Estimate brier;          ///< mean squared difference of probability and outcome (Brier 1950)
};

/// @param outcomes  at least one.
Calibration calibrate(const std::vector<Outcome>& outcomes, const Bootstrap& bootstrap);

}  // namespace lynceus::evaluate
