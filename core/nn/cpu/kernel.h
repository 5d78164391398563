// The oneDNN backend. Every value is float; rank 3 to 5 is stored channels-last (N, [D, [H,]] W, C), because oneDNN's
// fast kernels want it, and any other rank row-major. So a kernel knows the layout of its inputs from their shapes.
#pragma once

#include <functional>

#include <oneapi/dnnl/dnnl.hpp>

#include "core/nn/op_call.h"
#include "core/nn/registry.h"
#include "core/nn/window.h"

namespace lynceus::nn::cpu {

struct Arguments {
  std::vector<const float*> inputs;  ///< nullptr: absent, or a constant the step did not ask for
  std::vector<float*> outputs;
  void* scratch;  ///< Step::scratchBytes
  dnnl::stream& stream;
};

/// A node made ready to run.
struct Step {
  std::function<void(const Arguments&)> run;
  size_t scratchBytes = 0;
  std::vector<size_t> constants;  ///< constant inputs that run() reads like activations
  int inPlace = -1;               ///< the input whose buffer may become that of output 0; same number of elements
};

/// Builds the step. The call and what it refers to outlive the step. May throw dnnl::error.
using Kernel = Expected<Step> (*)(const OpCall& call, const std::vector<ValueType>& outputs);

Registry<Kernel>& kernels();

/// The one engine; oneDNN runs on OpenMP's threads, which our own loops share.
const dnnl::engine& engine();

/// True where values of this shape are stored in another order than row-major.
bool isReordered(const Shape& shape);
void toChannelsLast(const Shape& shape, const float* rowMajor, float* out);
void toRowMajor(const Shape& shape, const float* channelsLast, float* out);

/// Strides in elements of each ONNX dimension in the stored order.
Shape storedStrides(const Shape& shape);

/// N, C, D, H, W as oneDNN sees the stored order.
dnnl::memory::desc channelsLastDesc(int64_t n, int64_t c, const Int3& space);

/// Wraps a buffer without owning it; oneDNN does not write to its inputs.
dnnl::memory wrap(const dnnl::memory::desc& desc, const void* data);

/// Attributes that let us own the scratchpad.
dnnl::primitive_attr scratchpadAttribute();

/// Runs the reference kernel on row-major copies: for operators that are rare or cheap.
Expected<Step> viaReference(const OpCall& call, const std::vector<ValueType>& outputs);

}  // namespace lynceus::nn::cpu
