#include "core/phantom/parenchyma.h"

namespace lynceus::phantom {
namespace {

constexpr float kAirlessHu = 32;

float noise(const LungSample& s, double scaleMm, uint64_t key) {
  return static_cast<float>(valueNoise(s.at, scaleMm, key));
}

float step(float from, float to, float x) { return static_cast<float>(smoothStep(from, to, x)); }

float blend(float under, float over, float share) { return under + (over - under) * share; }

// Centrilobular emphysema: round holes without a wall that run together where there are many.
float withHoles(float hu, const LungSample& s, uint64_t seed) {
  const float n = noise(s, 7, seed + 41) + 0.35F * noise(s, 3.2, seed + 42);
  const float edge = 0.85F - 1.15F * s.holes;
  return blend(hu, -978, 0.92F * step(edge - 0.06F, edge + 0.26F, n));
}

// Thickened septa are where smooth noise crosses zero: sheets of about a millimetre that meet in a net. Honeycombs are
// cysts with such walls.
float withNet(float hu, const LungSample& s, double honeycombing, uint64_t seed) {
  const float coarse = std::abs(noise(s, 6.5, seed + 43)), small = std::abs(noise(s, 3.6, seed + 44));
  const float sheet = std::max(1 - coarse / 0.13F, 0.8F - small / 0.14F);
  hu += s.reticular * (70 + 430 * std::max(0.0F, sheet));
  const float combs = step(0.45F, 0.75F, s.reticular) * static_cast<float>(honeycombing);
  if (combs <= 0) return hu;
  const float cyst = step(0.02F, 0.2F, noise(s, 5.2, seed + 45) + 0.3F * noise(s, 9, seed + 46));
  return blend(hu, blend(-160, -955, cyst), combs);
}

// Consolidation fades through ground glass, in patches of the size of an acinus.
float withDense(float hu, const LungSample& s, uint64_t seed) {
  const float d = s.denseMm + 3 * noise(s, 8, seed + 47) + 2 * noise(s, 3.5, seed + 48);
  const float glass = 0.45F * step(9, 0, d + 4 * s.low);
  return blend(blend(hu, -80, glass), kAirlessHu + 10 * s.fine, step(3.5F, -3.5F, d));
}

}  // namespace

float lungHu(const Anatomy& a, const LungSample& s) {
  float hu = s.base + 26 * s.low + 20 * s.fine;
  if (s.haze > 0.03F) hu += 120 * s.haze * noise(s, 2.6, a.seed + 49);
  hu += 800 * s.haze;
  if (s.holes > 0.02F) hu = withHoles(hu, s, a.seed);
  if (s.reticular > 0.03F) hu = withNet(hu, s, a.disease.honeycombing, a.seed);
  if (s.fissureMm < s.rampMm) {
    const auto gap = static_cast<float>(a.fissureGaps);
    const float thickness = static_cast<float>(a.fissureMm) * std::clamp(1.2F - 0.9F * gap + 1.5F * s.low, 0.0F, 2.5F);
    hu += 850 * std::min(1.0F, thickness / s.rampMm) * (1 - s.fissureMm / s.rampMm);
  }
  if (s.denseMm < 14) hu = withDense(hu, s, a.seed);
  return std::max(hu, -990.0F);
}

}  // namespace lynceus::phantom
