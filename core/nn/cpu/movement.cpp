// Operators that only move numbers, or not even that.
#include <cstring>

#include "core/nn/cpu/strided_copy.h"
#include "core/nn/cpu/via_reference.h"
#include "core/nn/view.h"

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
  const Type from = call.input(0).type.type, to = outputs[0].type;
  Step step = copyStep(outputs[0].bytes());
  if (from != to) {
    const Shape all{elementCount(outputs[0].shape)};
    step = {};
    step.run = [copy = StridedCopy(all, {0, {1}, from}, {0, {1}, to})](const Arguments& a) {
      copy.run(a.inputs[0], a.outputs[0]);
    };
  }
  if (call.input(0).value) step.constants.push_back(0);
  return step;
}

Expected<Step> concat(const OpCall& call, const std::vector<ValueType>& outputs) {
  const ValueType& out = outputs[0];
  const auto axis = checkedAxis(call.integer("axis", 1), static_cast<int64_t>(out.shape.size()));
  StridedSide to{0, storedStrides(out), out.type};
  Step step;
  std::vector<StridedCopy> copies;
  for (size_t i = 0; i < call.inputCount(); ++i) {
    const ValueType& part = call.input(i).type;
    copies.emplace_back(part.shape, StridedSide{0, storedStrides(part), part.type}, to);
    to.start += part.shape[*axis] * to.strides[*axis];
    if (call.input(i).value) step.constants.push_back(i);
  }
  step.run = [copies](const Arguments& a) {
    for (size_t i = 0; i < copies.size(); ++i) copies[i].run(a.inputs[i], a.outputs[0]);
  };
  return step;
}

// An axis of a view that lies in the output as it does in the input: nothing has to move.
bool liesAs(const View& view, const ValueType& output) {
  if (view.output || view.start != 0) return false;
  const Shape strides = storedStrides(output);
  for (size_t d = 0; d < strides.size(); ++d)
    if (view.shape[d] != 1 && view.step[d] != strides[d]) return false;
  return true;
}

// Inputs are read in any order. Results stay in the input's, but for Transpose: its result is stored so that nothing
// has to move, if there is such an order (tokens of channels-last voxels, and back).
Layouts viewLayouts(const OpCall& call, const ValueType& output) {
  const ValueType& in = call.input(0).type;
  if (call.node().op != "Transpose") {
    const bool stays =
        in.shape.size() == output.shape.size() && (call.node().op == "Slice" || call.node().op == "Split");
    return {in.layout, stays ? in.layout : Layout::rowMajor};
  }
  const auto view = viewOf(call, storedStrides(in));
  const ValueType last{output.shape, in.type, normalised(output.shape, Layout::channelsLast)};
  return {in.layout, view && liesAs(*view, last) ? last.layout : Layout::rowMajor};
}

StridedCopy copyOf(const View& view, Type from, const ValueType& output) {
  // Axes that are merged in a result lie one behind the other in it.
  const Shape strides = view.output ? stridesOf(view.shape) : storedStrides(output);
  return {view.shape, {view.start, view.step, from}, {0, strides, output.type}};
}

Expected<Step> moveView(const OpCall& call, const std::vector<ValueType>& outputs) {
  const ValueType &in = call.input(0).type, &out = outputs[0];
  const auto view = viewOf(call, storedStrides(in));
  if (!view) return passError(view);
  if (elementCount(out.shape) == 0) return viaReference(call, outputs);
  Step step;
  if (in.type == out.type && liesAs(*view, out) && elementCount(in.shape) == elementCount(out.shape))
    step = copyStep(out.bytes());
  else
    step.run = [copy = copyOf(*view, in.type, out)](const Arguments& a) { copy.run(a.inputs[0], a.outputs[0]); };
  if (call.input(0).value) step.constants.push_back(0);
  return step;
}

Expected<Step> split(const OpCall& call, const std::vector<ValueType>& outputs) {
  const ValueType& in = call.input(0).type;
  const auto views = splitViews(call, storedStrides(in));
  if (!views) return passError(views);
  Step step;
  std::vector<StridedCopy> copies;
  for (size_t i = 0; i < views->size(); ++i) {
    ValueType out = outputs[i];
    if (out.shape.empty()) out = {(*views)[i].shape, in.type, in.layout};  // nobody reads it
    copies.push_back(copyOf((*views)[i], in.type, out));
  }
  if (call.input(0).value) step.constants.push_back(0);
  step.run = [copies](const Arguments& a) {
    for (size_t i = 0; i < copies.size(); ++i)
      if (a.outputs[i]) copies[i].run(a.inputs[0], a.outputs[i]);
  };
  return step;
}

// With indices that are known: each picks a slab of the input.
Expected<Step> gather(const OpCall& call, const std::vector<ValueType>& outputs) {
  constexpr size_t kMostSlabs = 1024;  // each is a copy of its own
  const ValueType &in = call.input(0).type, &out = outputs[0];
  const auto indices = call.constantInts(1);
  const auto axis = checkedAxis(call.integer("axis", 0), static_cast<int64_t>(in.shape.size()));
  if (!indices || indices->empty() || indices->size() > kMostSlabs || !axis || elementCount(out.shape) == 0)
    return viaReference(call, outputs);
  Shape slab = in.shape;
  slab[*axis] = 1;
  const Shape strides = stridesOf(in.shape);
  // One index after the other takes the place of the axis, whatever the shape of the indices.
  Shape merged = in.shape;
  merged[*axis] = static_cast<int64_t>(indices->size());
  const Shape mergedStrides = stridesOf(merged);
  Step step;
  std::vector<StridedCopy> copies;
  for (size_t i = 0; i < indices->size(); ++i) {
    const int64_t index = *checkedAxis((*indices)[i], in.shape[*axis]);
    copies.emplace_back(slab, StridedSide{index * strides[*axis], strides, in.type},
                        StridedSide{static_cast<int64_t>(i) * mergedStrides[*axis], mergedStrides, out.type});
  }
  if (call.input(0).value) step.constants.push_back(0);
  step.run = [copies](const Arguments& a) {
    for (const StridedCopy& copy : copies) copy.run(a.inputs[0], a.outputs[0]);
  };
  return step;
}

LYN_REGISTER_OP(cpu, "Concat", opset(4, 21), (Kernel{concat, alike, true}));
LYN_REGISTER_OP(cpu, "Split", opset(2, 21), (Kernel{split, viewLayouts, true}));
LYN_REGISTER_OP(cpu, "Gather", opset(1, 21), (Kernel{gather, rowMajorOnly, true}));
LYN_REGISTER_OP(cpu, "Reshape", opset(5, 21), (Kernel{reshape, reshapeLayouts, true}));
LYN_REGISTER_OP(cpu, "Flatten", opset(1, 21), (Kernel{reshape, reshapeLayouts, true}));
LYN_REGISTER_OP(cpu, "Squeeze", opset(1, 21), (Kernel{reshape, reshapeLayouts, true}));
LYN_REGISTER_OP(cpu, "Unsqueeze", opset(1, 21), (Kernel{reshape, reshapeLayouts, true}));

[[maybe_unused]] const bool kRegistered = [] {
  for (const char* op : {"Slice", "Transpose", "Expand", "Tile", "DepthToSpace", "SpaceToDepth"})
    kernels().add(op, opset(1, 21), Kernel{moveView, viewLayouts, true});
  return true;
}();

}  // namespace
}  // namespace lynceus::nn::cpu
