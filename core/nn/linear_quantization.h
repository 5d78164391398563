// The affine map between numbers and 8-bit integers of QuantizeLinear and DequantizeLinear, checked; shared by shape
// inference and every backend. Definition: ONNX operator documentation.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/nn/op_call.h"

namespace lynceus::nn {

/// Which scale and zero point belong to element i of the tensor: those at i / inner % channels.
struct QuantizationAxis {
  int64_t channels = 1, inner = 1;  ///< channels 1: one scale for the whole tensor
};

/// Inputs: X, scale (one number, or one for each index along `axis`), optional zero point (shaped as the scale).
/// Refuses quantisation by blocks.
Expected<QuantizationAxis> quantizationAxis(const OpCall& call);

/// What QuantizeLinear makes: the zero point's type, else output_dtype (opset 21), else u8.
Expected<Type> quantizedType(const OpCall& call);

/// round(x / scale) + zero, halves to even, saturated; NaN gives the lowest value.
template <class To>
To quantize(float x, float scale, To zero) {
  constexpr float kLow = std::numeric_limits<To>::min(), kHigh = std::numeric_limits<To>::max();
  const float q = std::nearbyint(x / scale) + static_cast<float>(zero);
  return static_cast<To>(q > kLow ? std::min(q, kHigh) : kLow);
}

}  // namespace lynceus::nn
