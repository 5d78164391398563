// Elementwise loops over operands with NumPy broadcasting.
#pragma once

#include <array>
#include <utility>

#include "core/nn/op_call.h"

namespace lynceus::nn::reference {

/// An operand with its values in row-major order.
template <class T>
struct Values {
  const Shape& shape;
  const std::vector<T>& data;
};

template <class F, size_t kInputs, size_t... k, class... T>
auto applyAt(const F& f, const std::array<int64_t, kInputs>& at, std::index_sequence<k...>, const Values<T>&... in) {
  return f(in.data[at[k]]...);
}

/// f of every combination of the operands, in the order of `out`, to which each of them broadcasts.
template <class Result, class F, class... T>
std::vector<Result> broadcastLoop(const Shape& out, const F& f, const Values<T>&... in) {
  const std::array<Shape, sizeof...(T)> strides{broadcastStrides(out, in.shape)...};
  std::array<int64_t, sizeof...(T)> at{};
  std::vector<Result> result(static_cast<size_t>(elementCount(out)));
  Shape index(out.size(), 0);
  for (Result& r : result) {
    r = applyAt(f, at, std::index_sequence_for<T...>{}, in...);
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
