// Resize and Upsample, reduced to source positions and weights for each output position of each axis.
#pragma once

#include "core/nn/op_call.h"

namespace lynceus::nn {

/// out[i] = (1 - highWeight[i]) * in[low[i]] + highWeight[i] * in[high[i]] along one axis, or where taps is not 0 the
/// sum of weight[t] * in[source[t]] for t from i * taps on.
struct ResizeAxis {
  std::vector<int64_t> low, high;
  std::vector<float> highWeight;  ///< all 0 for nearest
  bool unchanged = true;          ///< the output is the input

  int64_t taps = 0;  ///< sources of each position, where there may be more than two: cubic, antialias
  std::vector<int64_t> source = {};
  std::vector<float> weight = {};
  std::vector<bool> outside = {};  ///< not empty: where the output is the plan's `extrapolation`
};

struct ResizePlan {
  Shape output;
  std::vector<ResizeAxis> axes;  ///< one for each dimension
  float extrapolation = 0;

  /// True if low, high and highWeight say everything.
  bool twoTaps() const {
    for (const ResizeAxis& axis : axes)
      if (axis.taps != 0 || !axis.outside.empty()) return false;
    return true;
  }
};

/// Every mode and coordinate mode. Coordinates are computed in float32, as ONNX Runtime does: which voxel is nearest
/// may depend on it.
Expected<ResizePlan> resizePlan(const OpCall& call);

}  // namespace lynceus::nn
