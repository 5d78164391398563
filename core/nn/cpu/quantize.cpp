// QuantizeLinear, DequantizeLinear and the sum of two quantised tensors as loops: one scale for all numbers, so any
// order in memory does. Each computes exactly what the reference does, in float.
#include "core/nn/linear_quantization.h"

#include "core/nn/cpu/loop_function.h"
#include "core/nn/cpu/via_reference.h"
#include "core/nn/passes/fuse_quantized.h"
#include "core/parallel.h"

namespace lynceus::nn::cpu {
namespace {

constexpr int64_t kRun = 2048;  // numbers at a time: they stay in the first-level cache

// Calls body(first, count) for runs of at most kRun numbers.
template <class Body>
void forRuns(int64_t count, const Body& body) {
  parallelFor((count + kRun - 1) / kRun, [&](int64_t i) { body(i * kRun, std::min(kRun, count - i * kRun)); }, 8);
}

// Calls body with a value of the integer type.
template <class Body>
void withType(Type type, const Body& body) {
  if (type == Type::u8)
    body(uint8_t{});
  else
    body(int8_t{});
}

template <class From>
void toReal(const From* from, float* to, int64_t count, float scale, float zero) {
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) to[i] = (static_cast<float>(from[i]) - zero) * scale;
}

template <class To>
void toIntegers(const float* from, To* to, int64_t count, float scale, To zero) {
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) to[i] = quantize<To>(from[i], scale, zero);
}

bool isEightBit(Type type) { return type == Type::i8 || type == Type::u8; }

// True if the loops here do: constant parameters, one for the whole tensor.
bool isSimple(const OpCall& call, Type integers) {
  const bool constant = !call.isDynamic(1) && !call.isDynamic(2);
  return constant && isEightBit(integers) && elementCount(call.shape(1)) == 1;
}

int64_t zeroPoint(const OpCall& call) {
  if (!call.has(2)) return 0;
  return std::visit([](const auto& v) { return static_cast<int64_t>(v[0]); }, call.input(2).value->data);
}

Layouts layouts(const OpCall& call, const ValueType& output) {
  const Type integers = output.isFloat() ? call.input(0).type.type : output.type;
  return isSimple(call, integers) ? alike(call, output) : rowMajorOnly(call, output);
}

// QuantizeLinear and DequantizeLinear.
Expected<Step> convert(const OpCall& call, const std::vector<ValueType>& outputs) {
  const bool dequantizes = outputs[0].isFloat();
  const Type type = dequantizes ? call.input(0).type.type : outputs[0].type;
  if (!isSimple(call, type)) return viaReference(call, outputs);
  Step step;
  if (call.input(0).value) step.constants.push_back(0);
  step.run = [count = elementCount(outputs[0].shape), scale = call.floats(1)[0], zero = zeroPoint(call), type,
              dequantizes](const Arguments& a) {
    withType(type, [&](auto sample) {
      using Integer = decltype(sample);
      forRuns(count, [&](int64_t first, int64_t n) {
        if (dequantizes)
          toReal(a.in<Integer>(0) + first, a.out<float>(0) + first, n, scale, static_cast<float>(zero));
        else
          toIntegers(a.in<float>(0) + first, a.out<Integer>(0) + first, n, scale, static_cast<Integer>(zero));
      });
    });
  };
  return step;
}

Expected<Step> integerAdd(const OpCall& call, const std::vector<ValueType>& outputs) {
  const auto after = fusedLoop(call);
  if (!after) return passError(after);
  Step step;
  for (const size_t i : {size_t{0}, size_t{1}})
    if (call.input(i).value) step.constants.push_back(i);
  step.inPlace = 0;
  step.run = [count = elementCount(outputs[0].shape), after = *after, to = outputs[0].type,
              types = std::array{call.input(0).type.type, call.input(1).type.type},
              scales = std::array{call.real(kInputScale, 1), call.real(kResidualScale, 1)},
              scale = call.real(kOutputScale, 1)](const Arguments& a) {
    forRuns(count, [&](int64_t first, int64_t n) {
      alignas(64) std::array<std::array<float, kRun>, 2> real;
      for (const size_t i : {size_t{0}, size_t{1}})
        withType(types[i],
                 [&](auto sample) { toReal(a.in<decltype(sample)>(i) + first, real[i].data(), n, scales[i], 0); });
      float* sum = real[0].data();
#pragma omp simd
      for (int64_t k = 0; k < n; ++k) sum[k] += real[1][static_cast<size_t>(k)];
      if (after) after(sum, sum, n);
      withType(
          to, [&](auto sample) { toIntegers(sum, a.out<decltype(sample)>(0) + first, n, scale, decltype(sample){0}); });
    });
  };
  return step;
}

LYN_REGISTER_OP(cpu, "QuantizeLinear", opset(10, 21), (Kernel{convert, layouts}));
LYN_REGISTER_OP(cpu, "DequantizeLinear", opset(10, 21), (Kernel{convert, layouts}));
LYN_REGISTER_OP(cpu, kIntegerAdd, opset(1, 21), (Kernel{integerAdd, alike}));

}  // namespace
}  // namespace lynceus::nn::cpu
