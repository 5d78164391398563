#include "core/detect/agreement.h"

#include <algorithm>
#include <cmath>

namespace lynceus::detect {
namespace {

Expected<std::vector<Candidate>> findings(const TileOutputs& outputs, const model::Package& package) {
  auto candidates = decode(outputs, package.output, package.preprocessing.spacingMm);
  if (!candidates) return candidates;
  auto kept = suppress(std::move(*candidates), package.output.nmsIou, package.output.maxFindings);
  if (package.secondStage) return kept;  // its operating point lies behind the second stage
  kept.erase(std::remove_if(kept.begin(), kept.end(),
                            [&](const Candidate& c) {
                              return calibratedScore(c, package.calibration) < package.output.threshold;
                            }),
             kept.end());
  return kept;
}

/// Of one network alone: where the second stage is part of the calibration, the raw score.
double scoreOf(const Candidate& c, const model::Package& package) {
  return calibratedScore(c, package.secondStage ? model::Calibration{} : package.calibration);
}

bool inBox(const Candidate& box, const Candidate& c) {
  const image::Vec3 off = c.center - box.center;
  return std::fabs(off.x) <= box.size.x / 2 && std::fabs(off.y) <= box.size.y / 2 && std::fabs(off.z) <= box.size.z / 2;
}

}  // namespace

Expected<void> addTile(const TileOutputs& expected, const TileOutputs& actual, const model::Package& package,
                       Agreement& agreement) {
  const auto a = findings(expected, package);
  if (!a) return passError(a);
  auto b = findings(actual, package);
  if (!b) return passError(b);
  agreement.expected += a->size();
  agreement.actual += b->size();
  for (const Candidate& one : *a) {  // strongest first
    const double score = scoreOf(one, package);
    const auto match = std::find_if(b->begin(), b->end(), [&](const Candidate& c) { return inBox(one, c); });
    if (match == b->end()) {
      agreement.lostScores.push_back(score);
      continue;
    }
    ++agreement.matched;
    agreement.largestScoreDifference =
        std::max(agreement.largestScoreDifference, std::fabs(score - scoreOf(*match, package)));
    b->erase(match);
  }
  for (const Candidate& one : *b) agreement.newScores.push_back(scoreOf(one, package));
  return {};
}

}  // namespace lynceus::detect
