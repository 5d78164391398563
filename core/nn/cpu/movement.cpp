// Operators that only move numbers. They are rare between convolutions, so most go through the reference.
#include <cstring>

#include "core/nn/cpu/kernel.h"
#include "core/parallel.h"

namespace lynceus::nn::cpu {
namespace {

// Nothing moves where neither shape is stored in another order than row-major.
Expected<Step> reshape(const OpCall& call, const std::vector<ValueType>& outputs) {
  if (isReordered(call.shape(0)) || isReordered(outputs[0].shape)) return viaReference(call, outputs);
  const size_t bytes = static_cast<size_t>(elementCount(outputs[0].shape)) * sizeof(float);
  Step step;
  step.inPlace = 0;
  step.run = [bytes](const Arguments& a) {
    if (a.inputs[0] != a.outputs[0]) std::memcpy(a.outputs[0], a.inputs[0], bytes);
  };
  return step;
}

// Joins runs of numbers: everything behind the axis in the stored order is contiguous in each input.
Expected<Step> concat(const OpCall& call, const std::vector<ValueType>& outputs) {
  const Shape& out = outputs[0].shape;
  const auto axis = static_cast<size_t>(*checkedAxis(call.integer("axis", 1), static_cast<int64_t>(out.size())));
  // A size-1 axis may change whether a shape counts as reordered, so the rank alone decides the order here.
  const bool channelsLast = out.size() >= 3 && out.size() <= 5;
  int64_t outer = 1, inner = 1;
  for (size_t d = 0; d < out.size(); ++d) {
    const bool before =
        channelsLast ? d != axis && (d == 0 || (axis != 0 && d != 1 && (axis == 1 || d < axis))) : d < axis;
    if (d != axis) (before ? outer : inner) *= out[d];
  }
  std::vector<int64_t> runs;
  int64_t total = 0;
  Step step;
  for (size_t i = 0; i < call.inputCount(); ++i) {
    runs.push_back(call.shape(i)[axis] * inner);
    total += runs.back();
    if (call.input(i).value) step.constants.push_back(i);
  }
  step.run = [outer, runs, total](const Arguments& a) {
    parallelFor(
        outer,
        [&](int64_t o) {
          float* to = a.outputs[0] + o * total;
          for (size_t i = 0; i < runs.size(); ++i) {
            std::memcpy(to, a.inputs[i] + o * runs[i], static_cast<size_t>(runs[i]) * sizeof(float));
            to += runs[i];
          }
        },
        256);
  };
  return step;
}

LYN_REGISTER_OP(cpu, "Concat", opset(4, 21), concat);
LYN_REGISTER_OP(cpu, "Reshape", opset(5, 21), reshape);
LYN_REGISTER_OP(cpu, "Flatten", opset(1, 21), reshape);
LYN_REGISTER_OP(cpu, "Squeeze", opset(1, 21), reshape);
LYN_REGISTER_OP(cpu, "Unsqueeze", opset(1, 21), reshape);
LYN_REGISTER_OP(cpu, "Identity", opset(1, 21), viaReference);
LYN_REGISTER_OP(cpu, "Dropout", opset(7, 21), viaReference);
LYN_REGISTER_OP(cpu, "Cast", opset(6, 21), viaReference);
LYN_REGISTER_OP(cpu, "Transpose", opset(1, 21), viaReference);
LYN_REGISTER_OP(cpu, "Slice", opset(1, 21), viaReference);
LYN_REGISTER_OP(cpu, "Gather", opset(1, 21), viaReference);
LYN_REGISTER_OP(cpu, "Pad", opset(2, 21), viaReference);
LYN_REGISTER_OP(cpu, "Split", opset(2, 21), viaReference);
LYN_REGISTER_OP(cpu, "Expand", opset(8, 21), viaReference);

}  // namespace
}  // namespace lynceus::nn::cpu
