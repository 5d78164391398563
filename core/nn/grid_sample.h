// GridSample, checked; shared by shape inference and every backend. And the weights of cubic interpolation.
#pragma once

#include <array>

#include "core/nn/window.h"

namespace lynceus::nn {

struct GridSampling {
  enum class Mode { nearest, linear, cubic } mode = Mode::linear;
  enum class Padding { zeros, border, reflection } padding = Padding::zeros;
  bool alignCorners = false;
  Shape output;
};

/// Inputs: X (N, C, [D,] H, W) and the grid (N, [D',] H', W', 2 or 3), whose positions are x, y[, z] in [-1, 1]. Cubic
/// for two spatial axes only, as in the operator's definition.
Expected<GridSampling> gridSampling(const OpCall& call);

/// Weights of the voxels at -1, 0, 1 and 2 for a position t in [0, 1) (Keys 1981; a is its free parameter).
std::array<double, 4> cubicWeights(double t, double a);

}  // namespace lynceus::nn
