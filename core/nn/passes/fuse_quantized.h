// Finds what a quantised network computes on integers: the inverse of how files write it, as dequantise, compute in
// float, quantise.
#pragma once

#include <functional>

#include "core/nn/passes/resolve.h"

namespace lynceus::nn {

/// Conv, ConvTranspose and Add on int8 and uint8 with zero points 0, each real number an integer times a scale.
/// Convolutions: inputs X, W (int8), optional B (float, in real numbers), optional residual; the attributes of the
/// operator and of fuseActivations(). Add: two inputs of equal shapes. Without an output scale the result is float.
inline constexpr const char* kIntegerConv = "lynceus.IntegerConv";
inline constexpr const char* kIntegerConvTranspose = "lynceus.IntegerConvTranspose";
inline constexpr const char* kIntegerAdd = "lynceus.IntegerAdd";
inline constexpr const char* kInputScale = "lynceus.input_scale";
inline constexpr const char* kWeightScales = "lynceus.weight_scales";    ///< one for each output channel
inline constexpr const char* kResidualScale = "lynceus.residual_scale";  ///< of the residual, or of Add's second input
inline constexpr const char* kOutputScale = "lynceus.output_scale";

/// Makes those nodes of DequantizeLinear -> operator -> QuantizeLinear, and lets operators that only pass numbers on
/// (MaxPool, Concat, nearest Resize, Reshape and its like) do so with the integers where both scales are the same. What
/// does not match stays as it is. Comes after fuseActivations().
/// @param canRun  whether the backend runs such a convolution; others stay as they are, too.
void fuseQuantized(ResolvedGraph& resolved,
                   const std::function<bool(const OpCall& call, const ValueType& output)>& canRun);

}  // namespace lynceus::nn
