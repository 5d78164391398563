// Operators that give the same numbers another shape, or none at all.
#include <algorithm>

#include "core/nn/reference/kernel.h"

namespace lynceus::nn::reference {
namespace {

// 0 keeps the input's dimension (unless allowzero), one -1 takes what is left.
Expected<std::vector<ValueType>> inferReshape(const OpCall& call) {
  const auto wanted = call.constantInts(1);
  if (!wanted) return call.refuse("the new shape is only known while running: export with fixed shapes");
  const Shape& in = call.shape(0);
  Shape out = *wanted;
  int64_t known = 1, open = -1;
  for (size_t i = 0; i < out.size(); ++i) {
    if (out[i] == 0 && call.integer("allowzero", 0) == 0) {
      if (i >= in.size()) return call.refuse("dimension {} of {} cannot be kept", i, shapeText(in));
      out[i] = in[i];
    }
    if (out[i] < -1 || (out[i] == -1 && open >= 0))
      return call.refuse("the shape {} is not possible", shapeText(*wanted));
    if (out[i] == -1)
      open = static_cast<int64_t>(i);
    else if (const auto product = checkedCount({known, out[i]}))
      known = *product;
    else
      return call.refuse("the shape {} is not possible", shapeText(*wanted));
  }
  const int64_t count = elementCount(in);
  if (open >= 0 && known > 0) out[open] = count / known;
  if (open >= 0 ? known == 0 || count % known != 0 : known != count)
    return call.refuse("an input of shape {} cannot become {}", shapeText(in), shapeText(*wanted));
  return oneOutput(std::move(out), call.input(0).type.type);
}

Expected<std::vector<ValueType>> inferFlatten(const OpCall& call) {
  const Shape& in = call.shape(0);
  const auto rank = static_cast<int64_t>(in.size());
  const int64_t stated = call.integer("axis", 1);
  const int64_t axis = stated < 0 ? stated + rank : stated;
  if (axis < 0 || axis > rank) return call.refuse("axis {} for an input of shape {}", stated, shapeText(in));
  const int64_t rows = elementCount(Shape(in.begin(), in.begin() + axis));
  const int64_t columns = elementCount(Shape(in.begin() + axis, in.end()));
  return oneOutput({rows, columns}, call.input(0).type.type);
}

// Axes are an attribute before opset 13 and an input since.
Expected<std::vector<int64_t>> readAxes(const OpCall& call, int64_t rank) {
  std::vector<int64_t> axes = call.integers("axes");
  if (call.opset() >= 13 && call.has(1)) {
    const auto given = call.constantInts(1);
    if (!given) return call.refuse("the axes are only known while running");
    axes = *given;
  }
  for (int64_t& a : axes) {
    const auto axis = checkedAxis(a, rank);
    if (!axis) return call.refuse("axis {} is outside the {} axes there are", a, rank);
    a = *axis;
  }
  std::sort(axes.begin(), axes.end());
  if (std::adjacent_find(axes.begin(), axes.end()) != axes.end()) return call.refuse("an axis is given twice");
  return axes;
}

Expected<std::vector<ValueType>> inferSqueeze(const OpCall& call) {
  const Shape& in = call.shape(0);
  const auto axes = readAxes(call, static_cast<int64_t>(in.size()));
  if (!axes) return passError(axes);
  Shape out;
  for (size_t i = 0; i < in.size(); ++i) {
    const bool named = std::binary_search(axes->begin(), axes->end(), static_cast<int64_t>(i));
    if (named && in[i] != 1) return call.refuse("axis {} of shape {} is not 1", i, shapeText(in));
    if (!named && !(axes->empty() && in[i] == 1)) out.push_back(in[i]);
  }
  return oneOutput(std::move(out), call.input(0).type.type);
}

Expected<std::vector<ValueType>> inferUnsqueeze(const OpCall& call) {
  const Shape& in = call.shape(0);
  const size_t added =
      call.opset() >= 13 && call.has(1) ? call.constantInts(1).value_or(Shape{}).size() : call.integers("axes").size();
  if (added == 0 || in.size() + added > 16) return call.refuse("no axes, or too many");
  const auto axes = readAxes(call, static_cast<int64_t>(in.size() + added));
  if (!axes) return passError(axes);
  Shape out = in;
  for (const int64_t a : *axes) out.insert(out.begin() + a, 1);
  return oneOutput(std::move(out), call.input(0).type.type);
}

// A network in training mode would not be a function of its input.
Expected<std::vector<ValueType>> inferDropout(const OpCall& call) {
  if (const auto training = call.constantInts(2); call.isDynamic(2) || (training && *training != Shape{0}))
    return call.refuse("is in training mode: export the network in evaluation mode");
  return sameAsInput(call);
}

std::vector<Tensor> sameData(const OpCall& call, const std::vector<ValueType>& outputs) {
  return oneTensor({outputs[0].shape, call.input(0).value->data});
}

LYN_REGISTER_OP(reference, "Reshape", opset(5, 21), (Kernel{inferReshape, sameData, 2, 2, Accepts::anything}));
LYN_REGISTER_OP(reference, "Flatten", opset(1, 21), (Kernel{inferFlatten, sameData, 1, 1, Accepts::anything}));
LYN_REGISTER_OP(reference, "Squeeze", opset(1, 21), (Kernel{inferSqueeze, sameData, 1, 2, Accepts::anything}));
LYN_REGISTER_OP(reference, "Unsqueeze", opset(1, 21), (Kernel{inferUnsqueeze, sameData, 1, 2, Accepts::anything}));
LYN_REGISTER_OP(reference, "Identity", opset(1, 21), (Kernel{sameAsInput, sameData, 1, 1, Accepts::anything}));
LYN_REGISTER_OP(reference, "Dropout", opset(7, 21), (Kernel{inferDropout, sameData, 1, 3, Accepts::anything}));

}  // namespace
}  // namespace lynceus::nn::reference
