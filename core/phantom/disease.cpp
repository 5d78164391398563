#include "core/phantom/disease.h"

#include "core/phantom/random.h"

namespace lynceus::phantom {
namespace {

void drawParenchyma(Disease& d, Random& random, double load) {
  const auto sick = [&](double share) { return random.chance(share * load); };
  const bool smoker = sick(0.34);
  if (smoker) d.centrilobular = random.range(0.15, 1);
  if (sick(smoker ? 0.6 : 0.12)) d.paraseptal = 1 + random.integer(4);
  if (sick(smoker ? 0.3 : 0.05)) d.bullae = 1 + random.integer(4);
  if (sick(0.16)) d.fibrosis = random.range(0.25, 1);
  if (d.fibrosis > 0.55 && random.chance(0.6)) d.honeycombing = random.range(0.3, 1);
  if (sick(0.17)) d.consolidations = 1 + random.integer(3);
  if (sick(0.17)) d.groundGlassAreas = 1 + random.integer(5);
  if (random.chance(0.5)) d.dependentHaze = random.range(0.02, 0.09) + (sick(0.4) ? random.range(0.05, 0.2) : 0);
  if (sick(0.2)) d.mosaic = random.range(0.03, 0.1);
}

void drawPleura(Disease& d, Random& random, double load) {
  const auto sick = [&](double share) { return random.chance(share * load); };
  const bool fluid = sick(0.17), both = random.chance(0.45);
  const int one = random.integer(2);
  for (int side = 0; side < 2; ++side) {
    if (fluid && (both || side == one)) {
      d.effusionMm[side] = random.logRange(6, 48);
      d.effusionLevel[side] = random.range(0.35, 0.8);
    }
    if (sick(0.3)) d.apicalCapMm[side] = random.logRange(1.5, 8);
  }
  if (sick(0.15)) d.plaques = 2 + random.integer(8);
  d.plaqueCalcium = random.chance(0.5) ? random.uniform() : 0;
}

void drawAirways(Disease& d, Random& random, double load) {
  const auto sick = [&](double share) { return random.chance(share * load); };
  d.airwayWall = random.range(0.55, 1.0) * (sick(0.25) ? random.range(1.3, 2.2) : 1);
  if (sick(0.16)) {
    const bool allLobes = random.chance(0.3);
    const int worst = random.integer(5);
    for (int lobe = 0; lobe < 5; ++lobe) {
      const double dilation = random.range(1.4, 2.6);
      if (allLobes || lobe == worst) d.dilation[lobe] = dilation;
    }
  }
  if (sick(0.22)) d.plugged = random.range(0.03, 0.3);
  if (sick(0.2)) d.treeInBud = 1 + random.integer(6);
}

void drawTreatment(Disease& d, Random& random, double load) {
  const auto sick = [&](double share) { return random.chance(share * load); };
  d.clips = sick(0.1);
  d.sutureLine = sick(0.08);
  d.sternalWires = sick(0.1);
  d.stent = sick(0.07);
  if (sick(0.24)) {
    const int which = random.integer(3);
    d.device = which == 0 ? Disease::Device::pacemaker : which == 1 ? Disease::Device::port : Disease::Device::line;
  }
}

}  // namespace

Disease Disease::draw(uint64_t seed, bool tame) {
  Random random(seed, kStreamDisease);
  const double load = tame ? 0 : random.chance(0.5) ? 0.2 : 1;
  const auto sick = [&](double share) { return random.chance(share * load); };
  Disease d;
  drawParenchyma(d, random, load);
  drawPleura(d, random, load);
  drawAirways(d, random, load);
  d.bands = sick(0.55) ? 1 + random.integer(5) : 0;
  d.stellateScars = sick(0.2) ? 1 + random.integer(2) : 0;
  d.plates = sick(0.4) ? 1 + random.integer(4) : 0;
  d.fissureThickenings = sick(0.4) ? 1 + random.integer(3) : 0;
  d.hilarNodes = sick(0.45);
  d.calcifiedNodes = sick(0.3);
  d.hiatalHernia = sick(0.15);
  if (sick(0.5)) d.arterialCalcium = random.range(0.1, 1);
  d.jointWear = tame ? random.range(0, 0.2) : random.uniform() * (random.chance(0.6) ? 1 : 0.3);
  drawTreatment(d, random, load);
  return d;
}

}  // namespace lynceus::phantom
