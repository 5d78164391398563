#include "core/nn/activation.h"

#include "core/nn/reference/kernel.h"

namespace lynceus::nn::reference {
namespace {

Expected<std::vector<ValueType>> inferActivation(const OpCall& call) {
  if (const auto a = nn::activation(call); !a) return passError(a);
  return sameAsInput(call);
}

std::vector<Tensor> runActivation(const OpCall& call, const std::vector<ValueType>& outputs) {
  const Activation a = *nn::activation(call);
  Tensor out = Tensor::zeros(outputs[0].shape);
  const float* x = call.floats(0);
  for (float& y : out.floats()) y = a.apply(*x++, a.alpha, a.beta);
  return oneTensor(std::move(out));
}

// The whole table at once: the operators differ in their function alone.
[[maybe_unused]] const bool kRegistered = [] {
  for (const std::string& op : activationOperators())
    kernels().add(op, opset(1, 21), {inferActivation, runActivation, 1, op == "Clip" ? size_t{3} : size_t{1}});
  return true;
}();

}  // namespace
}  // namespace lynceus::nn::reference
