// The reference backend: every operator as plain loops, one after the other. Slow; the oracle of every other backend,
// and what folds constants. Shape inference lives with the operator, because it is the same on every backend.
#pragma once

#include <cmath>
#include <type_traits>

#include "core/nn/op_call.h"
#include "core/nn/registry.h"

namespace lynceus::nn::reference {

/// Shapes and types of the outputs, or why this node cannot run. Checks everything run() relies on.
using Infer = Expected<std::vector<ValueType>> (*)(const OpCall&);
/// The outputs, of the types that Infer gave. Every input value is there.
using Run = std::vector<Tensor> (*)(const OpCall&, const std::vector<ValueType>& outputs);

/// Multiply-adds that run() takes, for operators where they can be many more than the numbers read and written.
using Work = double (*)(const OpCall&, const std::vector<ValueType>& outputs);

enum class Accepts { floats, anything };  ///< anything: infer() checks the types itself

struct Kernel {
  Infer infer;
  Run run;
  size_t fewestInputs, mostInputs;
  Accepts accepts = Accepts::floats;
  Work work = nullptr;
};

Registry<Kernel>& kernels();

inline std::vector<ValueType> oneOutput(Shape shape, Type type = Type::f32) { return {{std::move(shape), type}}; }
inline std::vector<Tensor> oneTensor(Tensor t) {
  std::vector<Tensor> tensors;
  tensors.push_back(std::move(t));
  return tensors;
}

/// Of any type of number; integers are always one.
template <class T>
bool isNotANumber(T x) {
  if constexpr (std::is_floating_point_v<T>)
    return std::isnan(x);
  else
    return false;
}

/// Infer for operators whose output has the shape and type of the first input.
inline Expected<std::vector<ValueType>> sameAsInput(const OpCall& call) { return std::vector{call.input(0).type}; }

}  // namespace lynceus::nn::reference
