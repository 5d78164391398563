// Resize and Upsample, reduced to two source positions and a weight for each output position of each axis.
#pragma once

#include "core/nn/op_call.h"

namespace lynceus::nn {

/// out[i] = (1 - highWeight[i]) * in[low[i]] + highWeight[i] * in[high[i]] along one axis.
struct ResizeAxis {
  std::vector<int64_t> low, high;
  std::vector<float> highWeight;  ///< all 0 for nearest
  bool unchanged = true;          ///< the output is the input
};

struct ResizePlan {
  Shape output;
  std::vector<ResizeAxis> axes;  ///< one for each dimension
};

/// Nearest and linear, every coordinate mode but tf_crop_and_resize. Coordinates are computed in float32, as ONNX
/// Runtime does: which voxel is nearest may depend on it.
Expected<ResizePlan> resizePlan(const OpCall& call);

}  // namespace lynceus::nn
