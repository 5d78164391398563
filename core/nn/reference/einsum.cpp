#include "core/nn/einsum.h"

#include "core/nn/reference/kernel.h"
#include "core/parallel.h"

namespace lynceus::nn::reference {
namespace {

Expected<std::vector<ValueType>> inferEinsum(const OpCall& call) {
  const auto plan = einsumPlan(call);
  if (!plan) return passError(plan);
  return oneOutput(plan->output);
}

// The sum that makes one number; `at` holds each operand's offset for it and comes back unchanged.
double sumOfProducts(const EinsumPlan& plan, const std::vector<const float*>& operands, std::vector<int64_t>& at) {
  const size_t first = plan.output.size();
  const int64_t count = elementCount(plan.summed);
  Shape index(plan.summed.size(), 0);
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) {
    double product = 1;
    for (size_t k = 0; k < operands.size(); ++k) product *= operands[k][at[k]];
    sum += product;
    for (size_t d = index.size(); d-- > 0;) {
      for (size_t k = 0; k < at.size(); ++k) at[k] += plan.steps[k][first + d];
      if (++index[d] < plan.summed[d]) break;
      for (size_t k = 0; k < at.size(); ++k) at[k] -= plan.steps[k][first + d] * plan.summed[d];
      index[d] = 0;
    }
  }
  return sum;
}

double einsumWork(const OpCall& call, const std::vector<ValueType>&) {
  const EinsumPlan plan = *einsumPlan(call);
  return static_cast<double>(elementCount(plan.output)) * static_cast<double>(elementCount(plan.summed)) *
         static_cast<double>(call.inputCount());
}

std::vector<Tensor> einsum(const OpCall& call, const std::vector<ValueType>& outputs) {
  const EinsumPlan plan = *einsumPlan(call);
  std::vector<const float*> operands;
  for (size_t k = 0; k < call.inputCount(); ++k) operands.push_back(call.floats(k));
  Tensor out = Tensor::zeros(outputs[0].shape);
  const Shape strides = stridesOf(plan.output);
  const auto compute = [&](int64_t i) {
    std::vector<int64_t> at(operands.size(), 0);
    for (size_t k = 0; k < at.size(); ++k)
      for (size_t d = 0; d < plan.output.size(); ++d) at[k] += i / strides[d] % plan.output[d] * plan.steps[k][d];
    out.floats()[i] = static_cast<float>(sumOfProducts(plan, operands, at));
  };
  parallelForLarge(elementCount(plan.output), static_cast<int64_t>(einsumWork(call, outputs)), compute);
  return oneTensor(std::move(out));
}

constexpr size_t kMostOperands = 64;
LYN_REGISTER_OP(reference, "Einsum", opset(12, 21),
                (Kernel{inferEinsum, einsum, 1, kMostOperands, Accepts::floats, einsumWork}));

}  // namespace
}  // namespace lynceus::nn::reference
