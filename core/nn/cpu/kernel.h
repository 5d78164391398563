// The oneDNN backend: one kernel for each operator, a step for each node. What has no kernel here runs through the
// reference's loops, so every operator of the reference runs.
#pragma once

#include <functional>

#include <oneapi/dnnl/dnnl.hpp>

#include "core/nn/op_call.h"
#include "core/nn/registry.h"
#include "core/nn/window.h"

namespace lynceus::nn::cpu {

struct Arguments {
  std::vector<const void*> inputs;  ///< nullptr: absent, or a constant the step did not ask for
  std::vector<void*> outputs;       ///< nullptr: nobody reads it
  void* scratch;                    ///< Step::scratchBytes
  dnnl::stream& stream;

  template <class T>
  const T* in(size_t i) const {
    return static_cast<const T*>(inputs[i]);
  }
  template <class T>
  T* out(size_t i) const {
    return static_cast<T*>(outputs[i]);
  }
};

/// A node made ready to run. Nothing of the call but its node and the constants named here outlives the building.
struct Step {
  std::function<void(const Arguments&)> run;
  size_t scratchBytes = 0;
  size_t weightBytes = 0;         ///< of what the step keeps
  std::vector<size_t> constants;  ///< constant inputs that run() reads: row-major, of their own type
  int inPlace = -1;               ///< the input whose memory may become that of output 0, where both have the same size
  std::string kernel = "loops";   ///< for people: what runs
};

/// In which order a kernel takes the node's activations and gives its outputs. Constants stay row-major unless said.
struct Layouts {
  Layout inputs, outputs;
  bool constants = false;  ///< constants of the output's rank come in the inputs' layout, too
};

struct Kernel {
  /// Builds the step. The types in call and outputs say how each value is stored. May throw dnnl::error.
  Expected<Step> (*build)(const OpCall& call, const std::vector<ValueType>& outputs);
  /// Called before build(), with the inputs as they are stored so far.
  Layouts (*layouts)(const OpCall& call, const ValueType& output);
  /// Takes activations that are all bf16 and gives bf16 or f32; without it all floats are f32. Constants are f32.
  bool bf16 = false;
};

Registry<Kernel>& kernels();
/// The kernel of this operator, else the reference's loops. The node has passed resolve().
const Kernel& kernelFor(const std::string& op, int opset);

Layouts rowMajorOnly(const OpCall&, const ValueType&);
Layouts channelsLastOnly(const OpCall&, const ValueType&);
/// The layout of the first activation of the output's rank: for kernels that take any, if it is the same for all.
Layouts alike(const OpCall&, const ValueType& output);

/// The one engine; oneDNN runs on OpenMP's threads, which our own loops share.
const dnnl::engine& engine();

/// True if channels last is another order than row-major: rank 3 to 5, several channels, several voxels.
bool hasChannelsLast(const Shape& shape);
/// The layout, or rowMajor where that is the same: so that equal orders compare equal.
Layout normalised(const Shape& shape, Layout layout);

/// Strides in elements of each ONNX dimension in the stored order.
Shape storedStrides(const ValueType& type);

/// Copies a value into another layout or floating type. Both are of the same shape.
void reorder(const ValueType& from, const void* in, const ValueType& to, void* out);

dnnl::memory::data_type dataType(Type type);
/// N, C, D, H, W in channels-last order, as oneDNN sees it.
dnnl::memory::desc channelsLastDesc(int64_t n, int64_t c, const Int3& space, Type type);

/// Wraps a buffer without owning it; oneDNN does not write to its inputs.
dnnl::memory wrap(const dnnl::memory::desc& desc, const void* data);

/// Attributes that let us own the scratchpad.
dnnl::primitive_attr scratchpadAttribute();

/// "oneDNN brgconv:avx512_core"
template <class PrimitiveDesc>
std::string kernelText(const PrimitiveDesc& pd) {
  return std::string("oneDNN ") + pd.impl_info_str();
}

}  // namespace lynceus::nn::cpu
