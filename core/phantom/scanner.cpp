#include "core/phantom/scanner.h"

#include "core/phantom/random.h"

namespace lynceus::phantom {

Scanner Scanner::draw(uint64_t seed, double bodyWidthMm) {
  struct Kernel {
    const char* name;
    double blurMm, edgeBoost, noiseLow, noiseHigh, noiseWidthMm, highPass;
  };
  constexpr Kernel kKernels[] = {{"SOFT", 0.72, 0, 9, 22, 0.85, 0.1},
                                 {"STANDARD", 0.58, 0.05, 12, 32, 0.62, 0.3},
                                 {"LUNG", 0.45, 0.35, 24, 60, 0.42, 0.65}};
  Random random(seed, kStreamScanner);
  const double which = random.uniform();
  const Kernel& k = kKernels[which < 0.4 ? 0 : which < 0.7 ? 1 : 2];
  Scanner s;
  s.kernel = k.name;
  s.blurMm = k.blurMm * random.range(0.9, 1.1);
  s.edgeBoost = k.edgeBoost * random.range(0.7, 1.3);
  s.noiseSdHu = random.logRange(k.noiseLow, k.noiseHigh);
  s.noiseWidthMm = k.noiseWidthMm * random.range(0.9, 1.1);
  s.noiseHighPass = k.highPass;
  s.fieldOfViewMm = bodyWidthMm * random.range(0.93, 1.12);
  s.circle = random.chance(0.3);
  return s;
}

}  // namespace lynceus::phantom
