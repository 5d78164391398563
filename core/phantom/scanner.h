// How the scanner of one seed sees the patient: field of view, sharpness, noise.
#pragma once

#include <string>

#include "core/phantom/noise.h"

namespace lynceus::phantom {

struct Scanner {
  std::string kernel;         ///< for the DICOM header
  double blurMm = 0.5;        ///< standard deviation of the point spread in the plane
  double edgeBoost = 0;       ///< sharp kernels overshoot at edges: weight of the unsharp mask
  double noiseSdHu = 20;      ///< in the middle of the body
  double noiseWidthMm = 0.6;  ///< correlation in the plane
  double noiseHighPass = 0;
  double fieldOfViewMm = 360;
  bool circle = false;  ///< outside the reconstructed circle lies padding

  static Scanner draw(uint64_t seed, double bodyWidthMm);
};

}  // namespace lynceus::phantom
