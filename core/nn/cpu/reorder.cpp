#include "core/nn/cpu/kernel.h"
#include "core/nn/cpu/storage.h"

namespace lynceus::nn::cpu {
namespace {

// chooseStorage() has set both types; nothing is left to choose.
Layouts asStored(const OpCall& call, const ValueType& output) { return {call.input(0).type.layout, output.layout}; }

Expected<Step> build(const OpCall& call, const std::vector<ValueType>& outputs) {
  Step step;
  if (call.input(0).value) step.constants.push_back(0);
  step.run = [from = call.input(0).type, to = outputs[0]](const Arguments& a) {
    reorder(from, a.inputs[0], to, a.outputs[0]);
  };
  return step;
}

LYN_REGISTER_OP(cpu, kReorder, opset(1, 21), (Kernel{build, asStored}));

}  // namespace
}  // namespace lynceus::nn::cpu
