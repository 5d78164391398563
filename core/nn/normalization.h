// GroupNormalization and LayerNormalization, checked; shared by shape inference and every backend.
#pragma once

#include "core/nn/op_call.h"

namespace lynceus::nn {

struct GroupNormalization {
  int64_t groups = 1, channelsPerGroup = 1, voxels = 1;
  bool perChannel = true;  ///< scale and bias: one for each channel (opset 21), else one for each group (18)
};

/// Inputs: X (N, C, ...), scale, bias.
Expected<GroupNormalization> groupNormalization(const OpCall& call);

struct LayerNormalization {
  int64_t rows = 1, size = 1;       ///< numbers of one row share mean and variance
  Shape scaleStrides, biasStrides;  ///< by the normalised axes
  Shape normalised;                 ///< these axes
};

/// Inputs: X, scale and optional bias that broadcast to the axes from attribute `axis` on.
Expected<LayerNormalization> layerNormalization(const OpCall& call);

}  // namespace lynceus::nn
