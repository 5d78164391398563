#include "core/nn/cpu/kernel.h"

#include <algorithm>
#include <cstring>

#include "core/nn/cpu/bfloat16.h"
#include "core/nn/cpu/via_reference.h"
#include "core/parallel.h"

namespace lynceus::nn::cpu {
namespace {

constexpr int64_t kBlock = 256;    // voxels transposed at a time: source and destination lines stay in the cache
constexpr int64_t kRun = 1 << 14;  // numbers copied at a time

/// A number that is moved as it is.
template <size_t kBytes>
struct Raw {
  std::byte bytes[kBytes];
};

template <class To, class From>
To moved(From value) {
  if constexpr (std::is_same_v<To, From>)
    return value;
  else
    return fromFloat<To>(toFloat(value));
}

template <class From, class To>
void copyAll(int64_t count, const From* in, To* out) {
  parallelFor((count + kRun - 1) / kRun,
              [&](int64_t i) {
                const int64_t last = std::min((i + 1) * kRun, count);
                for (int64_t k = i * kRun; k < last; ++k) out[k] = moved<To>(in[k]);
              },
              4);
}

// Calls body(n, first, last) for blocks of voxels.
template <class Body>
void forVoxelBlocks(const Shape5& s, const Body& body) {
  const int64_t voxels = s.voxels(), blocks = (voxels + kBlock - 1) / kBlock;
  parallelFor(
      s.n * blocks,
      [&](int64_t i) {
        const int64_t first = i % blocks * kBlock;
        body(i / blocks, first, std::min(first + kBlock, voxels));
      },
      16);
}

template <class From, class To>
void reorderTyped(const ValueType& from, const From* in, const ValueType& to, To* out) {
  if (from.layout == to.layout) return copyAll(elementCount(from.shape), in, out);
  const Shape5 s = lift(from.shape);
  const int64_t voxels = s.voxels();
  const bool toLast = to.layout == Layout::channelsLast;
  forVoxelBlocks(s, [&](int64_t n, int64_t first, int64_t last) {
    const From* source = in + n * s.c * voxels;
    To* target = out + n * s.c * voxels;
    for (int64_t c = 0; c < s.c; ++c)
      for (int64_t v = first; v < last; ++v) {
        if (toLast)
          target[v * s.c + c] = moved<To>(source[c * voxels + v]);
        else
          target[c * voxels + v] = moved<To>(source[v * s.c + c]);
      }
  });
}

template <class T>
void reorderRaw(const ValueType& from, const void* in, const ValueType& to, void* out) {
  reorderTyped(from, static_cast<const T*>(in), to, static_cast<T*>(out));
}

}  // namespace

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
  if (from.type == to.type) {
    switch (bytesOf(from.type)) {
      case 1: return reorderRaw<Raw<1>>(from, in, to, out);
      case 2: return reorderRaw<Raw<2>>(from, in, to, out);
      case 4: return reorderRaw<Raw<4>>(from, in, to, out);
      default: return reorderRaw<Raw<8>>(from, in, to, out);
    }
  }
  if (to.type == Type::bf16) return reorderTyped(from, static_cast<const float*>(in), to, static_cast<Bfloat16*>(out));
  reorderTyped(from, static_cast<const Bfloat16*>(in), to, static_cast<float*>(out));
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
