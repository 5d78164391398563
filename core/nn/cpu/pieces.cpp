#include "core/nn/cpu/pieces.h"

#include "core/nn/cpu/bfloat16.h"

namespace lynceus::nn::cpu {

const float* widened(const void* from, Type type, int64_t first, int64_t count, PieceBuffer& buffer) {
  if (type == Type::f32) return static_cast<const float*>(from) + first;
  const Bfloat16* in = static_cast<const Bfloat16*>(from) + first;
  float* out = buffer.data();
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) out[i] = toFloat(in[i]);
  return out;
}

float* target(void* to, Type type, int64_t first, PieceBuffer& buffer) {
  return type == Type::f32 ? static_cast<float*>(to) + first : buffer.data();
}

void narrow(const float* from, void* to, Type type, int64_t first, int64_t count) {
  if (type == Type::f32) return;
  Bfloat16* out = static_cast<Bfloat16*>(to) + first;
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) out[i] = fromFloat<Bfloat16>(from[i]);
}

Step withFloatResult(Step step, const ValueType& output) {
  ValueType narrowType = output;
  narrowType.type = Type::bf16;
  const size_t result = (step.scratchBytes + 63) / 64 * 64;
  step.scratchBytes = result + narrowType.bytes();
  step.inPlace = -1;
  step.run = [run = step.run, result, narrowType, output](const Arguments& a) {
    Arguments inner = a;
    inner.outputs[0] = static_cast<std::byte*>(a.scratch) + result;
    run(inner);
    a.stream.wait();
    reorder(narrowType, inner.outputs[0], output, a.outputs[0]);
  };
  return step;
}

}  // namespace lynceus::nn::cpu
