#include "core/nn/cpu/via_reference.h"

#include "core/nn/activation.h"
#include "core/nn/reference/kernel.h"

namespace lynceus::nn::cpu {
namespace {

// As a Tensor holds it.
ValueType plain(const ValueType& type) { return {type.shape, type.type == Type::bf16 ? Type::f32 : type.type}; }

}  // namespace

Expected<Step> viaReference(const OpCall& call, const std::vector<ValueType>& outputs) {
  const reference::Kernel* kernel = reference::kernels().find(call.node().op, call.opset());
  if (!kernel) return call.refuse("has no reference kernel");
  Step step;
  step.kernel = "reference loops";
  for (size_t i = 0; i < call.inputCount(); ++i)
    if (call.has(i) && call.input(i).value) step.constants.push_back(i);
  step.run = [call, outputs, kernel, activation = fusedActivation(call)](const Arguments& arguments) {
    std::vector<std::optional<Operand>> operands(call.inputCount());
    std::vector<Tensor> copies(call.inputCount());
    for (size_t i = 0; i < operands.size(); ++i) {
      if (!call.has(i)) continue;
      operands[i] = call.input(i);
      if (operands[i]->value) continue;
      const ValueType& type = call.input(i).type;
      copies[i] = Tensor::zeros(type.shape, plain(type).type);
      reorder(type, arguments.inputs[i], plain(type), copies[i].bytes());
      operands[i]->value = &copies[i];
    }
    std::vector<Tensor> results = kernel->run(OpCall(call.node(), call.opset(), std::move(operands)), outputs);
    if (activation)
      for (float& v : results[0].floats()) v = activation->apply(v, activation->alpha, activation->beta);
    for (size_t i = 0; i < results.size() && i < arguments.outputs.size(); ++i)
      if (arguments.outputs[i]) reorder(plain(outputs[i]), results[i].bytes(), outputs[i], arguments.outputs[i]);
  };
  return step;
}

}  // namespace lynceus::nn::cpu
