#include "core/phantom/scanner.h"

#include <algorithm>

#include "core/phantom/random.h"

namespace lynceus::phantom {
namespace {

void drawArtefacts(Scanner& s, Random& random, bool tame) {
  const auto unusual = [&](double share) { return random.chance(tame ? 0 : share); };
  s.huOffset = tame ? 0 : random.range(-6, 6);
  if (unusual(0.18)) s.breathingMm = random.range(1.5, 5);
  if (unusual(0.5)) s.heartbeatMm = random.range(0.8, 3);
  if (unusual(0.5)) s.starvation = random.range(0.3, 1.3);
  s.table.halfWidthMm = random.range(190, 235);
  s.table.heightMm = random.range(18, 60);
  s.table.sagMm = random.logRange(600, 6000);
  s.table.shellHu = random.range(-350, 60);
  s.table.fillHu = random.range(-990, -880);
}

}  // namespace

Scanner Scanner::draw(uint64_t seed, double bodyWidthMm, bool tame) {
  struct Kernel {
    const char* name;
    double share, blurMm, edgeBoost, noiseLow, noiseHigh, noiseWidthMm, highPass;
  };
  constexpr Kernel kKernels[] = {{"ITERATIVE", 0.12, 0.70, 0, 5, 12, 1.25, 0.1},
                                 {"SOFT", 0.26, 0.72, 0, 9, 24, 0.85, 0.1},
                                 {"STANDARD", 0.28, 0.58, 0.08, 12, 36, 0.62, 0.3},
                                 {"LUNG", 0.22, 0.45, 0.4, 24, 65, 0.42, 0.65},
                                 {"BONE", 0.12, 0.36, 0.8, 38, 100, 0.36, 0.75}};
  Random random(seed, kStreamScanner);
  double which = random.uniform();
  const Kernel* k = kKernels;
  while (k + 1 < std::end(kKernels) && which >= k->share) which -= (k++)->share;
  Scanner s;
  s.kernel = k->name;
  s.blurMm = k->blurMm * random.range(0.9, 1.1);
  s.edgeBoost = k->edgeBoost * random.range(0.6, 1.4);
  s.noiseSdHu = random.logRange(k->noiseLow, k->noiseHigh);
  s.noiseWidthMm = k->noiseWidthMm * random.range(0.9, 1.1);
  s.noiseHighPass = k->highPass;
  // cut close, the field of view still holds the lungs
  s.fieldOfViewMm = bodyWidthMm * (!tame && random.chance(0.3) ? random.range(0.8, 0.95) : random.range(0.95, 1.2));
  s.circle = random.chance(0.3);
  Random artefacts(seed, kStreamAcquisition);
  drawArtefacts(s, artefacts, tame);
  return s;
}

void Scanner::adaptNoise(double sliceThicknessMm, double sliceDistanceMm) {
  constexpr double kUsualMm = 1.5;  // what noiseSdHu is drawn for
  noiseSdHu *= std::clamp(std::sqrt(kUsualMm / sliceThicknessMm), 0.5, 1.7);
  betweenSlices = std::clamp(0.3 * sliceThicknessMm / sliceDistanceMm - 0.12, 0.05, 0.6);
}

}  // namespace lynceus::phantom
