#include "core/nn/cpu/kernel.h"

#include "core/nn/cpu/strided_copy.h"
#include "core/nn/cpu/via_reference.h"

namespace lynceus::nn::cpu {

Registry<Kernel>& kernels() {
  static Registry<Kernel> registry;
  return registry;
}

const Kernel& kernelFor(const std::string& op, int opset) {
  static const Kernel fallback{viaReference, rowMajorOnly};
  const Kernel* own = kernels().find(op, opset);
  return own ? *own : fallback;
}

Layouts rowMajorOnly(const OpCall&, const ValueType&) { return {Layout::rowMajor, Layout::rowMajor}; }

Layouts channelsLastOnly(const OpCall&, const ValueType&) { return {Layout::channelsLast, Layout::channelsLast}; }

Layouts alike(const OpCall& call, const ValueType& output) {
  for (size_t i = 0; i < call.inputCount(); ++i)
    if (call.isDynamic(i) && call.shape(i).size() == output.shape.size() && hasChannelsLast(call.shape(i)))
      return {call.input(i).type.layout, call.input(i).type.layout, true};
  return {Layout::rowMajor, Layout::rowMajor, true};
}

const dnnl::engine& engine() {
  static const dnnl::engine cpu(dnnl::engine::kind::cpu, 0);
  return cpu;
}

bool hasChannelsLast(const Shape& shape) {
  if (shape.size() < 3 || shape.size() > 5) return false;
  const Shape5 s = lift(shape);
  return s.c != 1 && s.voxels() != 1;
}

Layout normalised(const Shape& shape, Layout layout) { return hasChannelsLast(shape) ? layout : Layout::rowMajor; }

Shape storedStrides(const ValueType& type) {
  const Shape& shape = type.shape;
  if (type.layout == Layout::rowMajor) return stridesOf(shape);
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

void reorder(const ValueType& from, const void* in, const ValueType& to, void* out) {
  if (elementCount(from.shape) == 0) return;
  StridedCopy(from.shape, {0, storedStrides(from), from.type}, {0, storedStrides(to), to.type}).run(in, out);
}

dnnl::memory::data_type dataType(Type type) {
  switch (type) {
    case Type::f32: return dnnl::memory::data_type::f32;
    case Type::bf16: return dnnl::memory::data_type::bf16;
    case Type::i8: return dnnl::memory::data_type::s8;
    case Type::u8: return dnnl::memory::data_type::u8;
    case Type::i64: break;
  }
  return dnnl::memory::data_type::undef;
}

dnnl::memory::desc channelsLastDesc(int64_t n, int64_t c, const Int3& space, Type type) {
  return {{n, c, space[0], space[1], space[2]}, dataType(type), dnnl::memory::format_tag::ndhwc};
}

dnnl::memory wrap(const dnnl::memory::desc& desc, const void* data) {
  return dnnl::memory(desc, engine(), const_cast<void*>(data));
}

dnnl::primitive_attr scratchpadAttribute() {
  dnnl::primitive_attr attribute;
  attribute.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attribute;
}

}  // namespace lynceus::nn::cpu
