// Operators on two tensors with NumPy broadcasting, in the stored order.
#include <algorithm>
#include <cmath>

#include "core/nn/cpu/kernel.h"
#include "core/nn/cpu/via_reference.h"
#include "core/parallel.h"

namespace lynceus::nn::cpu {
namespace {

/// One axis of the loop, in the stored order of the result; stride 0 where an input is broadcast.
struct Axis {
  int64_t size, strideA, strideB;
};

// The result's axes from outermost to innermost, neighbours merged where both inputs allow it.
std::vector<Axis> loopAxes(const ValueType& output, const ValueType& a, const ValueType& b) {
  const Shape& out = output.shape;
  const auto strideOf = [&](const ValueType& type, size_t d) -> int64_t {
    const size_t missing = out.size() - type.shape.size();
    return d < missing || type.shape[d - missing] == 1 ? 0 : storedStrides(type)[d - missing];
  };
  std::vector<size_t> order(out.size());
  for (size_t d = 0; d < order.size(); ++d) order[d] = d;
  const Shape strides = storedStrides(output);
  std::stable_sort(order.begin(), order.end(), [&](size_t x, size_t y) { return strides[x] > strides[y]; });
  std::vector<Axis> axes;
  for (const size_t d : order) {
    if (out[d] == 1) continue;
    const Axis axis{out[d], strideOf(a, d), strideOf(b, d)};
    Axis* last = axes.empty() ? nullptr : &axes.back();
    if (last && last->strideA == axis.strideA * axis.size && last->strideB == axis.strideB * axis.size)
      *last = {last->size * axis.size, axis.strideA, axis.strideB};
    else
      axes.push_back(axis);
  }
  if (axes.empty()) axes.push_back({1, 0, 0});
  return axes;
}

// The strides that matter are 0 and 1: written out, the compiler makes vector code of them.
template <class Function>
void row(const Axis& axis, const float* a, const float* b, float* out, const Function& f) {
  const int64_t n = axis.size;
  if (axis.strideA == 1 && axis.strideB == 1) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) out[i] = f(a[i], b[i]);
  } else if (axis.strideA == 1 && axis.strideB == 0) {
    const float constant = *b;
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) out[i] = f(a[i], constant);
  } else {
    for (int64_t i = 0; i < n; ++i) out[i] = f(a[i * axis.strideA], b[i * axis.strideB]);
  }
}

constexpr int64_t kLongestRow = 1 << 14;  // so that a single merged axis still feeds all threads

template <class Function>
Step makeStep(const OpCall& call, const ValueType& out, const Function& f) {
  std::vector<Axis> axes = loopAxes(out, call.input(0).type, call.input(1).type);
  const Axis inner = axes.back();
  axes.pop_back();
  int64_t rows = 1;
  for (const Axis& axis : axes) rows *= axis.size;
  const int64_t pieces = (inner.size + kLongestRow - 1) / kLongestRow;
  Step step;
  for (const size_t i : {size_t{0}, size_t{1}})
    if (call.input(i).value) step.constants.push_back(i);
  if (call.shape(0) == out.shape && !call.input(0).value) step.inPlace = 0;
  step.run = [axes, inner, rows, pieces, f](const Arguments& arguments) {
    parallelFor(
        rows * pieces,
        [&](int64_t i) {
          const float *a = arguments.in<float>(0), *b = arguments.in<float>(1);
          int64_t rest = i / pieces;
          for (size_t d = axes.size(); d-- > 0;) {
            a += rest % axes[d].size * axes[d].strideA;
            b += rest % axes[d].size * axes[d].strideB;
            rest /= axes[d].size;
          }
          const int64_t first = i % pieces * kLongestRow;
          const Axis part{std::min(kLongestRow, inner.size - first), inner.strideA, inner.strideB};
          row(part, a + first * inner.strideA, b + first * inner.strideB,
              arguments.out<float>(0) + i / pieces * inner.size + first, f);
        },
        64);
  };
  return step;
}

Expected<Step> binary(const OpCall& call, const std::vector<ValueType>& outputs) {
  const ValueType& out = outputs[0];
  if (!out.isFloat()) return viaReference(call, outputs);
  const std::string& op = call.node().op;
  if (op == "Add") return makeStep(call, out, [](float a, float b) { return a + b; });
  if (op == "Sub") return makeStep(call, out, [](float a, float b) { return a - b; });
  if (op == "Mul") return makeStep(call, out, [](float a, float b) { return a * b; });
  if (op == "Div") return makeStep(call, out, [](float a, float b) { return a / b; });
  if (op == "Pow") return makeStep(call, out, [](float a, float b) { return std::pow(a, b); });
  return makeStep(call, out, [](float a, float slope) { return a < 0 ? a * slope : a; });  // PRelu
}

LYN_REGISTER_OP(cpu, "Add", opset(7, 21), (Kernel{binary, alike}));
LYN_REGISTER_OP(cpu, "Sub", opset(7, 21), (Kernel{binary, alike}));
LYN_REGISTER_OP(cpu, "Mul", opset(7, 21), (Kernel{binary, alike}));
LYN_REGISTER_OP(cpu, "Div", opset(7, 21), (Kernel{binary, alike}));
LYN_REGISTER_OP(cpu, "Pow", opset(7, 21), (Kernel{binary, alike}));
LYN_REGISTER_OP(cpu, "PRelu", opset(7, 21), (Kernel{binary, alike}));

}  // namespace
}  // namespace lynceus::nn::cpu
