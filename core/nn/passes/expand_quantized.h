// Operators that compute on integers, written as what they mean: dequantise, compute, quantise. So no backend needs
// kernels of its own for them; those with integer arithmetic find the pattern again (fuse_quantized.h).
#pragma once

#include "core/nn/graph.h"

namespace lynceus::nn {

/// Rewrites QLinearConv, QLinearMatMul, ConvInteger and MatMulInteger into DequantizeLinear, Conv or MatMul, and
/// QuantizeLinear (for the last two Cast: their sums are exact up to 2^24, rounded as float beyond). Needs no shapes.
/// A node with too few inputs stays as it is.
void expandQuantized(Graph& graph);

}  // namespace lynceus::nn
