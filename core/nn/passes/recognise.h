// Finds what exporters spell out in small operators and makes one of it. Results stay the same up to rounding.
#pragma once

#include "core/nn/passes/resolve.h"

namespace lynceus::nn {

/// InstanceNormalization and GroupNormalization, also as Reshape, InstanceNormalization, Reshape, become kGroupNorm
/// (fuse.h); a constant Mul or Add for each channel behind it goes into its scale and bias.
void recogniseGroupNorm(ResolvedGraph& resolved);

/// (x - mean) / sqrt(variance + epsilon) over the last axis, spelled out, becomes LayerNormalization.
void recogniseLayerNorm(ResolvedGraph& resolved);

/// x * 0.5 * (1 + erf(x / sqrt 2)) becomes Gelu.
void recogniseGelu(ResolvedGraph& resolved);

}  // namespace lynceus::nn
