// How oneDNN is told what a convolution is: shared by float and integer kernels.
#pragma once

#include "core/nn/convolution.h"
#include "core/nn/cpu/kernel.h"

namespace lynceus::nn::cpu {

inline dnnl::memory::dims dims(const Int3& v) { return {v[0], v[1], v[2]}; }

/// oneDNN counts the gaps between taps, ONNX the steps.
inline dnnl::memory::dims gaps(const Int3& dilation) { return {dilation[0] - 1, dilation[1] - 1, dilation[2] - 1}; }

inline dnnl::memory::desc anyDesc(const dnnl::memory::dims& shape, Type type) {
  return {shape, dataType(type), dnnl::memory::format_tag::any};
}

/// The weights as the file keeps them: ONNX has (M, C/g, taps) and, transposed, (C, M/g, taps); oneDNN wants
/// (g, M/g, C/g, taps) in any order.
dnnl::memory::desc weightsDesc(const Convolution& c, bool transposed, Type type);

/// What is left of the full size behind a transposed convolution's output; negative with output_padding.
dnnl::memory::dims transposedPadEnd(const Convolution& c);

}  // namespace lynceus::nn::cpu
