// How the scanner of one seed sees the patient: field of view, sharpness, noise, motion.
#pragma once

#include <string>

#include "core/phantom/noise.h"

namespace lynceus::phantom {

struct Scanner {
  struct Table {
    double halfWidthMm = 215, heightMm = 38;
    double sagMm = 900;  ///< its top falls by x^2 / sagMm
    double shellHu = -150, fillHu = -930;
  };

  std::string kernel;         ///< for the DICOM header
  double blurMm = 0.5;        ///< standard deviation of the point spread in the plane
  double edgeBoost = 0;       ///< sharp kernels overshoot at edges: weight of the unsharp mask
  double noiseSdHu = 20;      ///< in the middle of the body
  double noiseWidthMm = 0.6;  ///< correlation in the plane
  double noiseHighPass = 0;
  double betweenSlices = 0.3;  ///< weight of the neighbouring slices in the noise
  double fieldOfViewMm = 360;
  bool circle = false;     ///< outside the reconstructed circle lies padding
  double huOffset = 0;     ///< calibration error
  double breathingMm = 0;  ///< way of the lung at the diaphragm while a slice is taken
  double heartbeatMm = 0;  ///< way of the heart's border, seen as doubling
  double starvation = 0;   ///< streaks through the shoulders, relative to the noise
  Table table;

  /// @param tame  no motion, no streaks, the whole body in view.
  static Scanner draw(uint64_t seed, double bodyWidthMm, bool tame = false);

  /// Thin slices hold few photons, and slices that overlap share them.
  void adaptNoise(double sliceThicknessMm, double sliceDistanceMm);
};

}  // namespace lynceus::phantom
