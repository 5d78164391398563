#include "core/nn/cpu/kernel.h"

#include <algorithm>

#include "core/nn/reference/kernel.h"
#include "core/parallel.h"

namespace lynceus::nn::cpu {
namespace {

constexpr int64_t kBlock = 256;  // voxels transposed at a time: source and destination lines stay in the cache

// Calls body(n, first, last) for blocks of voxels.
template <class Body>
void forVoxelBlocks(int64_t batch, int64_t voxels, const Body& body) {
  const int64_t blocks = (voxels + kBlock - 1) / kBlock;
  parallelFor(
      batch * blocks,
      [&](int64_t i) {
        const int64_t first = i % blocks * kBlock;
        body(i / blocks, first, std::min(first + kBlock, voxels));
      },
      16);
}

}  // namespace

Registry<Kernel>& kernels() {
  static Registry<Kernel> registry;
  return registry;
}

const dnnl::engine& engine() {
  static const dnnl::engine cpu(dnnl::engine::kind::cpu, 0);
  return cpu;
}

bool isReordered(const Shape& shape) {
  if (shape.size() < 3 || shape.size() > 5) return false;
  const Shape5 s = lift(shape);
  return s.c != 1 && s.voxels() != 1;
}

void toChannelsLast(const Shape& shape, const float* rowMajor, float* out) {
  if (!isReordered(shape)) {
    std::copy_n(rowMajor, elementCount(shape), out);
    return;
  }
  const Shape5 s = lift(shape);
  const int64_t voxels = s.voxels();
  forVoxelBlocks(s.n, voxels, [&](int64_t n, int64_t first, int64_t last) {
    const float* from = rowMajor + n * s.c * voxels;
    float* to = out + n * s.c * voxels;
    for (int64_t c = 0; c < s.c; ++c)
      for (int64_t v = first; v < last; ++v) to[v * s.c + c] = from[c * voxels + v];
  });
}

void toRowMajor(const Shape& shape, const float* channelsLast, float* out) {
  if (!isReordered(shape)) {
    std::copy_n(channelsLast, elementCount(shape), out);
    return;
  }
  const Shape5 s = lift(shape);
  const int64_t voxels = s.voxels();
  forVoxelBlocks(s.n, voxels, [&](int64_t n, int64_t first, int64_t last) {
    const float* from = channelsLast + n * s.c * voxels;
    float* to = out + n * s.c * voxels;
    for (int64_t c = 0; c < s.c; ++c)
      for (int64_t v = first; v < last; ++v) to[c * voxels + v] = from[v * s.c + c];
  });
}

Shape storedStrides(const Shape& shape) {
  if (!isReordered(shape)) return stridesOf(shape);
  Shape strides(shape.size());
  strides[1] = 1;
  int64_t next = shape[1];
  for (size_t d = shape.size(); d-- > 2;) {
    strides[d] = next;
    next *= shape[d];
  }
  strides[0] = next;
  return strides;
}

dnnl::memory::desc channelsLastDesc(int64_t n, int64_t c, const Int3& space) {
  return {{n, c, space[0], space[1], space[2]}, dnnl::memory::data_type::f32, dnnl::memory::format_tag::ndhwc};
}

dnnl::memory wrap(const dnnl::memory::desc& desc, const void* data) {
  return dnnl::memory(desc, engine(), const_cast<void*>(data));
}

dnnl::primitive_attr scratchpadAttribute() {
  dnnl::primitive_attr attribute;
  attribute.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attribute;
}

Expected<Step> viaReference(const OpCall& call, const std::vector<ValueType>& outputs) {
  const reference::Kernel* kernel = reference::kernels().find(call.node().op, call.opset());
  if (!kernel) return call.refuse("has no reference kernel");
  Step step;
  step.run = [call, outputs, kernel](const Arguments& arguments) {
    std::vector<std::optional<Operand>> operands(call.inputCount());
    std::vector<Tensor> copies(call.inputCount());
    for (size_t i = 0; i < operands.size(); ++i) {
      if (!call.has(i)) continue;
      operands[i] = call.input(i);
      if (operands[i]->value) continue;
      copies[i] = Tensor::zeros(call.shape(i));
      toRowMajor(call.shape(i), arguments.inputs[i], copies[i].floats().data());
      operands[i]->value = &copies[i];
    }
    const std::vector<Tensor> results = kernel->run(OpCall(call.node(), call.opset(), std::move(operands)), outputs);
    for (size_t i = 0; i < results.size() && i < arguments.outputs.size(); ++i)
      if (arguments.outputs[i]) toChannelsLast(results[i].shape, results[i].floats().data(), arguments.outputs[i]);
  };
  return step;
}

}  // namespace lynceus::nn::cpu
