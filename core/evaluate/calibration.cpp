#include "core/evaluate/calibration.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace lynceus::evaluate {
namespace {

constexpr size_t kBins = 10;
constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
enum Figure : size_t { kError, kBrier, kFirstBin, kFigures = kFirstBin + kBins };

struct Sums {
  double count = 0, probability = 0, observed = 0;
};

size_t binOf(double probability) { return std::min(static_cast<size_t>(probability * kBins), kBins - 1); }

void compute(const std::vector<Outcome>& outcomes, Bootstrap::Weights weights, std::array<Sums, kBins>& bins,
             std::span<double> figures) {
  double squares = 0, count = 0;
  for (const Outcome& o : outcomes) {
    const double weight = weights[o.unit], truth = o.isTrue ? 1 : 0;
    Sums& bin = bins[binOf(o.probability)];
    bin.count += weight;
    bin.probability += weight * o.probability;
    bin.observed += weight * truth;
    squares += weight * (o.probability - truth) * (o.probability - truth);
    count += weight;
  }
  double error = 0;
  for (size_t b = 0; b < kBins; ++b) {
    figures[kFirstBin + b] = bins[b].count > 0 ? bins[b].observed / bins[b].count : kNone;
    error += std::abs(bins[b].probability - bins[b].observed);
  }
  figures[kError] = count > 0 ? error / count : kNone;
  figures[kBrier] = count > 0 ? squares / count : kNone;
}

}  // namespace

Calibration calibrate(const std::vector<Outcome>& outcomes, const Bootstrap& bootstrap) {
  const auto spreads = bootstrap.run(kFigures, [&](Bootstrap::Weights weights, std::span<double> figures) {
    std::array<Sums, kBins> bins;
    compute(outcomes, weights, bins, figures);
  });
  std::array<Sums, kBins> bins;
  std::array<double, kFigures> figures{};
  compute(outcomes, bootstrap.once(), bins, figures);
  Calibration result;
  result.count = outcomes.size();
  result.expectedError = {figures[kError], spreads[kError].interval};
  result.brier = {figures[kBrier], spreads[kBrier].interval};
  for (size_t b = 0; b < kBins; ++b) {
    Calibration::Bin& bin = result.bins[b];
    bin.low = static_cast<double>(b) / kBins;
    bin.count = static_cast<size_t>(bins[b].count);
    bin.meanProbability = bins[b].count > 0 ? bins[b].probability / bins[b].count : kNone;
    bin.observed = {figures[kFirstBin + b], spreads[kFirstBin + b].interval};
  }
  return result;
}

}  // namespace lynceus::evaluate
