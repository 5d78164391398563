// Elementwise loops over operands with NumPy broadcasting.
#pragma once

#include <array>

#include "core/nn/op_call.h"

namespace lynceus::nn::reference {

/// An operand with its values in row-major order.
template <class T>
struct Values {
  const Shape& shape;
  const std::vector<T>& data;
};

/// f of every combination of the operands, in the order of `out`, to which each of them broadcasts.
template <class Result, class F, class... T>
std::vector<Result> broadcastLoop(const Shape& out, const F& f, const Values<T>&... in) {
  const std::array<Shape, sizeof...(T)> strides{broadcastStrides(out, in.shape)...};
  std::array<int64_t, sizeof...(T)> at{};
  std::vector<Result> result(static_cast<size_t>(elementCount(out)));
  Shape index(out.size(), 0);
  for (Result& r : result) {
    size_t operand = 0;
    // Braces fix the order of evaluation, so `operand` counts up.
    const std::tuple<T...> values{in.data[static_cast<size_t>(at[operand++])]...};
    r = std::apply(f, values);
    for (size_t d = out.size(); d-- > 0;) {
      for (size_t k = 0; k < at.size(); ++k) at[k] += strides[k][d];
      if (++index[d] < out[d]) break;
      for (size_t k = 0; k < at.size(); ++k) at[k] -= strides[k][d] * out[d];
      index[d] = 0;
    }
  }
  return result;
}

/// The shape that all inputs broadcast to.
inline Expected<Shape> commonShape(const OpCall& call) {
  Shape out;
  for (size_t i = 0; i < call.inputCount(); ++i) {
    if (!call.has(i)) return call.refuse("input {} is missing", i);
    const auto both = broadcast(out, call.shape(i));
    if (!both) return call.refuse("shapes {} and {} do not broadcast", shapeText(out), shapeText(call.shape(i)));
    out = *both;
  }
  return out;
}

}  // namespace lynceus::nn::reference
