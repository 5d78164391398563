#include "core/evaluate/patches.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace lynceus::evaluate {
namespace {

enum Figure : size_t { kAccuracy, kSensitivity, kSpecificity, kRocArea, kFigures };

double ratio(double part, double whole) { return whole > 0 ? part / whole : std::numeric_limits<double>::quiet_NaN(); }

/// @param sorted  highest probability first.
void compute(const std::vector<Outcome>& sorted, Bootstrap::Weights weights, std::span<double> figures,
             std::vector<Patches::RocPoint>* roc = nullptr) {
  double positives = 0, negatives = 0, area = 0;
  double truePositives = 0, falsePositives = 0;  // at the threshold
  for (size_t i = 0; i < sorted.size();) {
    double positive = 0, negative = 0;  // of one score
    const double score = sorted[i].probability;
    for (; i < sorted.size() && sorted[i].probability == score; ++i)
      (sorted[i].isTrue ? positive : negative) += weights[sorted[i].unit];
    area += negative * (positives + positive / 2);
    positives += positive;
    negatives += negative;
    if (roc) roc->push_back({negatives, positives});
    if (score < kPatchThreshold) continue;
    truePositives = positives;
    falsePositives = negatives;
  }
  figures[kAccuracy] = ratio(truePositives + negatives - falsePositives, positives + negatives);
  figures[kSensitivity] = ratio(truePositives, positives);
  figures[kSpecificity] = ratio(negatives - falsePositives, negatives);
  figures[kRocArea] = ratio(area, positives * negatives);
}

}  // namespace

Expected<Patches> evaluatePatches(const std::vector<Outcome>& outcomes, const BootstrapOptions& options) {
  std::vector<Outcome> sorted = outcomes;
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const Outcome& a, const Outcome& b) { return a.probability > b.probability; });
  Patches result;
  result.patches = sorted.size();
  uint32_t units = 0;
  for (const Outcome& o : sorted) {
    result.positives += o.isTrue ? 1 : 0;
    units = std::max(units, o.unit + 1);
  }
  if (result.positives == 0 || result.positives == result.patches) {
    return makeError(ErrorCode::badInput, "{} of {} patches have label 1: an ROC curve needs both labels",
                     result.positives, result.patches);
  }
  result.patients = units;
  std::vector<uint32_t> patients(units);
  std::iota(patients.begin(), patients.end(), 0U);
  const Bootstrap bootstrap({patients}, options);
  const auto spreads = bootstrap.run(
      kFigures, [&](Bootstrap::Weights weights, std::span<double> out) { compute(sorted, weights, out); });
  double whole[kFigures];
  result.roc.push_back({});
  compute(sorted, bootstrap.once(), whole, &result.roc);
  for (Patches::RocPoint& p : result.roc) {
    p.truePositiveRate /= static_cast<double>(result.positives);
    p.falsePositiveRate /= static_cast<double>(result.patches - result.positives);
  }
  Estimate* const estimates[] = {&result.accuracy, &result.sensitivity, &result.specificity, &result.rocArea};
  for (size_t f = 0; f < kFigures; ++f) *estimates[f] = {whole[f], spreads[f].interval};
  result.calibration = calibrate(sorted, bootstrap);
  return result;
}

}  // namespace lynceus::evaluate
