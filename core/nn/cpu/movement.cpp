// Operators that only move numbers.
#include <cstring>

#include "core/nn/cpu/via_reference.h"
#include "core/parallel.h"

namespace lynceus::nn::cpu {
namespace {

bool keepsBatchAndChannels(const Shape& a, const Shape& b) {
  return a.size() >= 3 && b.size() >= 3 && hasChannelsLast(b) && a[0] == b[0] && a[1] == b[1];
}

// Another shape of the same numbers in the same order: row-major, or channels last where only spatial axes change.
Layouts reshapeLayouts(const OpCall& call, const ValueType& output) {
  const bool stays =
      call.input(0).type.layout == Layout::channelsLast && keepsBatchAndChannels(call.shape(0), output.shape);
  const Layout layout = stays ? Layout::channelsLast : Layout::rowMajor;
  return {layout, layout};
}

Step copyStep(size_t bytes) {
  Step step;
  step.inPlace = 0;
  step.kernel = "nothing moves";
  step.run = [bytes](const Arguments& a) {
    if (a.inputs[0] != a.outputs[0]) std::memcpy(a.outputs[0], a.inputs[0], bytes);
  };
  return step;
}

Expected<Step> reshape(const OpCall& call, const std::vector<ValueType>& outputs) {
  Step step = copyStep(outputs[0].bytes());
  if (call.input(0).value) step.constants.push_back(0);
  return step;
}

// Joins runs of numbers: everything behind the axis in the stored order is contiguous in each input.
Expected<Step> concat(const OpCall& call, const std::vector<ValueType>& outputs) {
  if (outputs[0].type != call.input(0).type.type) return viaReference(call, outputs);
  const Shape& out = outputs[0].shape;
  const auto size = static_cast<int64_t>(bytesOf(outputs[0].type));
  const auto axis = static_cast<size_t>(*checkedAxis(call.integer("axis", 1), static_cast<int64_t>(out.size())));
  const bool channelsLast = outputs[0].layout == Layout::channelsLast;
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
    runs.push_back(call.shape(i)[axis] * inner * size);
    total += runs.back();
    if (call.input(i).value) step.constants.push_back(i);
  }
  step.run = [outer, runs, total](const Arguments& a) {
    parallelFor(
        outer,
        [&](int64_t o) {
          auto* to = a.out<std::byte>(0) + o * total;
          for (size_t i = 0; i < runs.size(); ++i) {
            std::memcpy(to, a.in<std::byte>(i) + o * runs[i], static_cast<size_t>(runs[i]));
            to += runs[i];
          }
        },
        256);
  };
  return step;
}

LYN_REGISTER_OP(cpu, "Concat", opset(4, 21), (Kernel{concat, alike}));
LYN_REGISTER_OP(cpu, "Reshape", opset(5, 21), (Kernel{reshape, reshapeLayouts}));
LYN_REGISTER_OP(cpu, "Flatten", opset(1, 21), (Kernel{reshape, reshapeLayouts}));
LYN_REGISTER_OP(cpu, "Squeeze", opset(1, 21), (Kernel{reshape, reshapeLayouts}));
LYN_REGISTER_OP(cpu, "Unsqueeze", opset(1, 21), (Kernel{reshape, reshapeLayouts}));

}  // namespace
}  // namespace lynceus::nn::cpu
