// How far two networks for the same package find the same lesions, tile by tile.
#pragma once

#include <vector>

#include "core/detect/decode.h"

namespace lynceus::detect {

/// Counts of findings at the operating point, of all candidates in a package with a second stage; summed over tiles.
struct Agreement {
  size_t expected = 0, actual = 0, matched = 0;
  double largestScoreDifference = 0;  ///< of matched findings
  std::vector<double> lostScores,
      newScores;  ///< calibrated (raw in a package with a second stage), of findings that only one of them has
};

/// Decodes and suppresses both as detection does. Findings match one to one where the centre of one lies in the box of
/// the other.
Expected<void> addTile(const TileOutputs& expected, const TileOutputs& actual, const model::Package& package,
                       Agreement& agreement);

}  // namespace lynceus::detect
