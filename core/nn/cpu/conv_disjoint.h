// Transposed convolutions whose windows do not overlap (kernel and stride are the same, no padding): every input voxel
// becomes a block of output voxels of its own, so each row of such blocks is a product of matrices.
#pragma once

#include <optional>

#include "core/nn/convolution.h"
#include "core/nn/cpu/kernel.h"

namespace lynceus::nn::cpu {

/// The step of a ConvTranspose, or nothing where windows overlap or have gaps. May throw dnnl::error.
std::optional<Step> disjointStep(const OpCall& call, const Convolution& convolution, const ValueType& output);

}  // namespace lynceus::nn::cpu
