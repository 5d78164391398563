// Passes for backends with fused kernels. They keep the graph's results up to rounding.
#pragma once

#include "core/nn/passes/resolve.h"

namespace lynceus::nn {

/// What fuseActivations() leaves on a Conv: output = activation(conv(inputs 0 to 2) + input 3).
inline constexpr size_t kResidualInput = 3;

/// Every normalisation over groups of channels, one kernel for all: InstanceNormalization, GroupNormalization of any
/// opset, and the chains that exporters write. Inputs X (N, C, space), scale (C), bias (C), constant; attributes
/// num_groups (C: instances) and epsilon; activation as below.
inline constexpr const char* kGroupNorm = "lynceus.GroupNorm";

inline constexpr const char* kFusedActivation = "lynceus.fused_activation";  ///< operator name, such as Relu
inline constexpr const char* kFusedAlpha = "lynceus.fused_alpha";
inline constexpr const char* kFusedBeta = "lynceus.fused_beta";

/// Takes out Identity, Dropout and Cast between floats.
void removeIdentities(ResolvedGraph& resolved);

/// Multiplies BatchNormalization behind a Conv or ConvTranspose into its weights and bias.
void foldBatchNorm(ResolvedGraph& resolved);

/// Moves a residual Add of equal shapes into the Conv before it, and an activation into the convolution before it.
void fuseActivations(ResolvedGraph& resolved);

/// Moves the Add of a constant vector behind a MatMul into it, as input 2 (one number for each column), and then an
/// activation into a Gemm or MatMul: result = activation(A * B + bias).
void fuseMatMuls(ResolvedGraph& resolved);

}  // namespace lynceus::nn
