// What is wrong with the patient of one seed, none of it a nodule: how much of each disease, 0 where it is absent.
#pragma once

#include <cstdint>

namespace lynceus::phantom {

/// Sides count 0 right, 1 left; lobes as in lobeAt().
struct Disease {
  // parenchyma
  double centrilobular = 0;  ///< emphysema, 0..1
  int paraseptal = 0;        ///< rows of cysts under the pleura
  int bullae = 0;
  double fibrosis = 0, honeycombing = 0;  ///< 0..1, at the periphery of the bases
  int consolidations = 0, groundGlassAreas = 0;
  double dependentHaze = 0, mosaic = 0;  ///< share of tissue added
  // pleura
  double effusionMm[2] = {0, 0};     ///< depth of the fluid at the back of the base
  double effusionLevel[2] = {1, 1};  ///< Anatomy::level at which it ends
  double apicalCapMm[2] = {0, 0};
  int plaques = 0;
  double plaqueCalcium = 0;  ///< share of plaques that are calcified
  // airways
  double airwayWall = 1;                 ///< factor on the thickness
  double dilation[5] = {1, 1, 1, 1, 1};  ///< of the airways of each lobe
  double plugged = 0;                    ///< share of small airways full of mucus
  int treeInBud = 0;
  // scars and small things
  int bands = 0, stellateScars = 0, plates = 0;
  int fissureThickenings = 0;
  // mediastinum
  bool hilarNodes = false, calcifiedNodes = false, hiatalHernia = false;
  double arterialCalcium = 0;  ///< 0..1, coronary and aortic
  // bones
  double jointWear = 0;  ///< 0..1: osteophytes, calcified rib cartilage
  // after treatment
  bool clips = false, sutureLine = false, sternalWires = false, stent = false;
  enum class Device { none, pacemaker, port, line } device = Device::none;

  /// Half of the patients are near normal. @param tame  nothing but a few slight changes.
  static Disease draw(uint64_t seed, bool tame);
};

}  // namespace lynceus::phantom
