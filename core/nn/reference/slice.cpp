// Operators that pick or move elements in regular steps.
#include "core/nn/view.h"

#include "core/nn/reference/kernel.h"

namespace lynceus::nn::reference {
namespace {

template <class T>
std::vector<T> readView(const View& view, const std::vector<T>& in) {
  std::vector<T> out(static_cast<size_t>(elementCount(view.shape)));
  Shape index(view.shape.size(), 0);
  int64_t at = view.start;
  for (T& value : out) {
    value = in[at];
    for (size_t d = index.size(); d-- > 0;) {
      at += view.step[d];
      if (++index[d] < view.shape[d]) break;
      at -= view.step[d] * view.shape[d];
      index[d] = 0;
    }
  }
  return out;
}

Tensor readView(const View& view, const Tensor& in) {
  return std::visit([&](const auto& values) { return Tensor{view.outputShape(), readView(view, values)}; }, in.data);
}

Expected<View> rowMajorView(const OpCall& call) { return viewOf(call, stridesOf(call.shape(0))); }

Expected<std::vector<View>> rowMajorParts(const OpCall& call) { return splitViews(call, stridesOf(call.shape(0))); }

Expected<std::vector<ValueType>> inferView(const OpCall& call) {
  const auto view = rowMajorView(call);
  if (!view) return passError(view);
  return oneOutput(view->outputShape(), call.input(0).type.type);
}

std::vector<Tensor> runView(const OpCall& call, const std::vector<ValueType>&) {
  return oneTensor(readView(*rowMajorView(call), *call.input(0).value));
}

Expected<std::vector<ValueType>> inferSplit(const OpCall& call) {
  const auto views = rowMajorParts(call);
  if (!views) return passError(views);
  std::vector<ValueType> types;
  for (const View& v : *views) types.push_back({v.shape, call.input(0).type.type});
  return types;
}

std::vector<Tensor> split(const OpCall& call, const std::vector<ValueType>&) {
  std::vector<Tensor> parts;
  const auto views = rowMajorParts(call);
  for (const View& v : *views) parts.push_back(readView(v, *call.input(0).value));
  return parts;
}

LYN_REGISTER_OP(reference, "Slice", opset(1, 21), (Kernel{inferView, runView, 1, 5, Accepts::anything}));
LYN_REGISTER_OP(reference, "Transpose", opset(1, 21), (Kernel{inferView, runView, 1, 1, Accepts::anything}));
LYN_REGISTER_OP(reference, "Expand", opset(8, 21), (Kernel{inferView, runView, 2, 2, Accepts::anything}));
LYN_REGISTER_OP(reference, "Split", opset(2, 21), (Kernel{inferSplit, split, 1, 2, Accepts::anything}));
LYN_REGISTER_OP(reference, "Tile", opset(6, 21), (Kernel{inferView, runView, 2, 2, Accepts::anything}));
LYN_REGISTER_OP(reference, "DepthToSpace", opset(1, 21), (Kernel{inferView, runView, 1, 1, Accepts::anything}));
LYN_REGISTER_OP(reference, "SpaceToDepth", opset(1, 21), (Kernel{inferView, runView, 1, 1, Accepts::anything}));

}  // namespace
}  // namespace lynceus::nn::reference
