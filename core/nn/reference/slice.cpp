// Operators that pick or move elements: Slice, Gather, Transpose, Split, Pad, Expand. Each computes, for every axis of
// the output, where its elements come from.
#include <algorithm>
#include <numeric>

#include "core/nn/reference/kernel.h"

namespace lynceus::nn::reference {
namespace {

/// out[i] = in[start + sum of i[d] * step[d]]
struct View {
  Shape shape;
  int64_t start = 0;
  Shape step;
};

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
  return std::visit([&](const auto& values) { return Tensor{view.shape, readView(view, values)}; }, in.data);
}

// A list that older operator sets have as an attribute and newer ones as an input.
Expected<std::vector<int64_t>> list(const OpCall& call, bool asInput, const char* name, size_t input) {
  if (!asInput) return call.integers(name);
  if (!call.has(input)) return std::vector<int64_t>{};
  auto values = call.constantInts(input);
  if (!values) return call.refuse("{} is only known while running: export with fixed shapes", name);
  return *values;
}

Expected<View> sliceView(const OpCall& call) {
  const bool inputs = call.opset() >= 10;
  const auto starts = list(call, inputs, "starts", 1), ends = list(call, inputs, "ends", 2);
  auto axes = list(call, inputs, "axes", 3);
  const auto steps = list(call, inputs, "steps", 4);
  for (const auto* l : {&starts, &ends, const_cast<const decltype(axes)*>(&axes), &steps})
    if (!*l) return passError(*l);
  if (axes->empty()) {
    axes->resize(starts->size());
    std::iota(axes->begin(), axes->end(), 0);
  }
  if (ends->size() != starts->size() || axes->size() != starts->size() ||
      (!steps->empty() && steps->size() != starts->size()))
    return call.refuse("starts, ends, axes and steps have different lengths");
  View view{call.shape(0), 0, stridesOf(call.shape(0))};
  std::vector<bool> seen(view.shape.size(), false);
  for (size_t i = 0; i < starts->size(); ++i) {
    const auto axis = checkedAxis((*axes)[i], static_cast<int64_t>(view.shape.size()));
    const int64_t step = steps->empty() ? 1 : (*steps)[i];
    if (!axis || seen[*axis] || step == 0) return call.refuse("axis {} with step {}", (*axes)[i], step);
    seen[*axis] = true;
    const int64_t size = call.shape(0)[*axis];
    if (size == 0) continue;
    const auto clampTo = [&](int64_t v, int64_t low, int64_t high) {
      return std::clamp(v < 0 ? v + size : v, low, high);
    };
    const int64_t jump = std::clamp(step, -size - 1, size + 1);  // a longer one takes the first element only, too
    const int64_t first = jump > 0 ? clampTo((*starts)[i], 0, size) : clampTo((*starts)[i], 0, size - 1);
    const int64_t last = jump > 0 ? clampTo((*ends)[i], 0, size) : clampTo((*ends)[i], -1, size - 1);
    const int64_t span = jump > 0 ? last - first : first - last;
    view.shape[*axis] = span > 0 ? (span + std::abs(jump) - 1) / std::abs(jump) : 0;
    view.start += first * view.step[*axis];
    view.step[*axis] *= jump;
  }
  return view;
}

Expected<View> transposeView(const OpCall& call) {
  const Shape& in = call.shape(0);
  std::vector<int64_t> order = call.integers("perm");
  if (order.empty())
    for (size_t i = in.size(); i-- > 0;) order.push_back(static_cast<int64_t>(i));
  std::vector<bool> seen(in.size(), false);
  View view;
  const Shape strides = stridesOf(in);
  for (const int64_t axis : order) {
    if (axis < 0 || axis >= static_cast<int64_t>(in.size()) || seen[axis] || order.size() != in.size())
      return call.refuse("perm {} for an input of shape {}", shapeText(order), shapeText(in));
    seen[axis] = true;
    view.shape.push_back(in[axis]);
    view.step.push_back(strides[axis]);
  }
  return view;
}

Expected<View> expandView(const OpCall& call) {
  const auto wanted = call.constantInts(1);
  if (!wanted) return call.refuse("the new shape is only known while running: export with fixed shapes");
  const Shape& in = call.shape(0);
  const auto shape = broadcast(in, *wanted);
  if (!shape) return call.refuse("an input of shape {} cannot become {}", shapeText(in), shapeText(*wanted));
  View view{*shape, 0, Shape(shape->size(), 0)};
  const Shape strides = stridesOf(in);
  for (size_t i = 0; i < in.size(); ++i)
    if (in[i] != 1) view.step[shape->size() - in.size() + i] = strides[i];
  return view;
}

template <Expected<View> (*kView)(const OpCall&)>
Expected<std::vector<ValueType>> inferView(const OpCall& call) {
  const auto view = kView(call);
  if (!view) return passError(view);
  return oneOutput(view->shape, call.input(0).type.type);
}

template <Expected<View> (*kView)(const OpCall&)>
std::vector<Tensor> runView(const OpCall& call, const std::vector<ValueType>&) {
  return oneTensor(readView(*kView(call), *call.input(0).value));
}

Expected<std::vector<View>> splitViews(const OpCall& call) {
  const Shape& in = call.shape(0);
  const auto axis = checkedAxis(call.integer("axis", 0), static_cast<int64_t>(in.size()));
  auto lengths = list(call, call.opset() >= 13, "split", 1);
  if (!lengths) return passError(lengths);
  const auto parts = static_cast<int64_t>(call.node().outputs.size());
  if (!axis || parts < 1)
    return call.refuse("axis {} for an input of shape {}", call.integer("axis", 0), shapeText(in));
  if (lengths->empty()) {
    const int64_t chunk = (in[*axis] + parts - 1) / parts;
    for (int64_t i = 0; i < parts; ++i) lengths->push_back(std::clamp<int64_t>(in[*axis] - i * chunk, 0, chunk));
  }
  std::vector<View> views;
  int64_t start = 0;
  for (const int64_t length : *lengths) {
    if (length < 0 || length > in[*axis] - start)
      return call.refuse("the parts are more than axis {} of {}", *axis, shapeText(in));
    View view{in, start * stridesOf(in)[*axis], stridesOf(in)};
    view.shape[*axis] = length;
    views.push_back(std::move(view));
    start += length;
  }
  if (start != in[*axis] || static_cast<int64_t>(views.size()) != parts)
    return call.refuse("{} parts of {} elements for {} outputs and {} elements", views.size(), start, parts, in[*axis]);
  return views;
}

Expected<std::vector<ValueType>> inferSplit(const OpCall& call) {
  const auto views = splitViews(call);
  if (!views) return passError(views);
  std::vector<ValueType> types;
  for (const View& v : *views) types.push_back({v.shape, call.input(0).type.type});
  return types;
}

std::vector<Tensor> split(const OpCall& call, const std::vector<ValueType>&) {
  std::vector<Tensor> parts;
  const auto views = splitViews(call);
  for (const View& v : *views) parts.push_back(readView(v, *call.input(0).value));
  return parts;
}

Expected<std::vector<ValueType>> inferGather(const OpCall& call) {
  const Shape& in = call.shape(0);
  const auto axis = checkedAxis(call.integer("axis", 0), static_cast<int64_t>(in.size()));
  const auto indices = call.constantInts(1);
  if (!axis || !indices)
    return call.refuse("needs constant integer indices and an axis within shape {}", shapeText(in));
  for (const int64_t i : *indices)
    if (!checkedAxis(i, in[*axis]))
      return call.refuse("index {} is outside axis {} of shape {}", i, *axis, shapeText(in));
  Shape out(in.begin(), in.begin() + *axis);
  out.insert(out.end(), call.shape(1).begin(), call.shape(1).end());
  out.insert(out.end(), in.begin() + *axis + 1, in.end());
  return oneOutput(std::move(out), call.input(0).type.type);
}

template <class T>
std::vector<T> gatherAlong(const Shape& in, size_t axis, const std::vector<T>& data,
                           const std::vector<int64_t>& indices) {
  const int64_t inner = stridesOf(in)[axis],
                outer = elementCount(Shape(in.begin(), in.begin() + static_cast<int64_t>(axis)));
  std::vector<T> out;
  for (int64_t o = 0; o < outer; ++o)
    for (const int64_t i : indices) {
      const auto from = data.begin() + (o * in[axis] + *checkedAxis(i, in[axis])) * inner;
      out.insert(out.end(), from, from + inner);
    }
  return out;
}

std::vector<Tensor> gather(const OpCall& call, const std::vector<ValueType>& outputs) {
  const Tensor& in = *call.input(0).value;
  const auto& indices = call.input(1).value->ints();
  const auto axis = static_cast<size_t>(*checkedAxis(call.integer("axis", 0), static_cast<int64_t>(in.shape.size())));
  return std::visit(
      [&](const auto& values) {
        return oneTensor({outputs[0].shape, gatherAlong(in.shape, axis, values, indices)});
      },
      in.data);
}

LYN_REGISTER_OP(reference, "Slice", opset(1, 21),
                (Kernel{inferView<sliceView>, runView<sliceView>, 1, 5, Accepts::anything}));
LYN_REGISTER_OP(reference, "Transpose", opset(1, 21),
                (Kernel{inferView<transposeView>, runView<transposeView>, 1, 1, Accepts::anything}));
LYN_REGISTER_OP(reference, "Expand", opset(8, 21),
                (Kernel{inferView<expandView>, runView<expandView>, 2, 2, Accepts::anything}));
LYN_REGISTER_OP(reference, "Split", opset(2, 21), (Kernel{inferSplit, split, 1, 2, Accepts::anything}));
LYN_REGISTER_OP(reference, "Gather", opset(1, 21), (Kernel{inferGather, gather, 2, 2, Accepts::anything}));

}  // namespace
}  // namespace lynceus::nn::reference
