#include "core/nn/view.h"

#include <algorithm>
#include <numeric>

namespace lynceus::nn {
namespace {

// A list that older operator sets have as an attribute and newer ones as an input.
Expected<std::vector<int64_t>> list(const OpCall& call, bool asInput, const char* name, size_t input) {
  if (!asInput) return call.integers(name);
  if (!call.has(input)) return std::vector<int64_t>{};
  auto values = call.constantInts(input);
  if (!values) return call.refuse("{} is only known while running: export with fixed shapes", name);
  return *values;
}

Expected<View> sliceView(const OpCall& call, const Shape& strides) {
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
  View view{call.shape(0), 0, strides};
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

Expected<View> transposeView(const OpCall& call, const Shape& strides) {
  const Shape& in = call.shape(0);
  std::vector<int64_t> order = call.integers("perm");
  if (order.empty())
    for (size_t i = in.size(); i-- > 0;) order.push_back(static_cast<int64_t>(i));
  std::vector<bool> seen(in.size(), false);
  View view;
  for (const int64_t axis : order) {
    if (axis < 0 || axis >= static_cast<int64_t>(in.size()) || seen[axis] || order.size() != in.size())
      return call.refuse("perm {} for an input of shape {}", shapeText(order), shapeText(in));
    seen[axis] = true;
    view.shape.push_back(in[axis]);
    view.step.push_back(strides[axis]);
  }
  return view;
}

Expected<View> expandView(const OpCall& call, const Shape& strides) {
  const auto wanted = call.constantInts(1);
  if (!wanted) return call.refuse("the new shape is only known while running: export with fixed shapes");
  const Shape& in = call.shape(0);
  const auto shape = broadcast(in, *wanted);
  if (!shape) return call.refuse("an input of shape {} cannot become {}", shapeText(in), shapeText(*wanted));
  View view{*shape, 0, Shape(shape->size(), 0)};
  for (size_t d = 0; d < in.size(); ++d)
    if (in[d] != 1) view.step[shape->size() - in.size() + d] = strides[d];
  return view;
}

// Every axis becomes two: which copy, and where in it.
Expected<View> tileView(const OpCall& call, const Shape& strides) {
  const auto repeats = call.constantInts(1);
  if (!repeats) return call.refuse("the repeats are only known while running: export with fixed shapes");
  const Shape& in = call.shape(0);
  if (repeats->size() != in.size()) return call.refuse("{} repeats for shape {}", repeats->size(), shapeText(in));
  View view{{}, 0, {}, Shape{}};
  for (size_t d = 0; d < in.size(); ++d) {
    const auto size = checkedCount({in[d], (*repeats)[d]});
    if (!size) return call.refuse("{} copies along axis {} of shape {}", (*repeats)[d], d, shapeText(in));
    view.shape.insert(view.shape.end(), {(*repeats)[d], in[d]});
    view.step.insert(view.step.end(), {0, strides[d]});
    view.output->push_back(*size);
  }
  return view;
}

Expected<int64_t> blockOf(const OpCall& call) {
  const int64_t block = call.integer("blocksize", 0);
  if (call.shape(0).size() != 4 || elementCount(call.shape(0)) == 0 || block < 1 || block > (1 << 20))
    return call.refuse("blocks of {} of an input of shape {}: needs N, C, H, W", block, shapeText(call.shape(0)));
  return block;
}

// Blocks of channels become squares: (N, b, b, C', H, W), or (N, C', b, b, H, W) in mode CRD, to (N, C', H, b, W, b).
Expected<View> depthToSpaceView(const OpCall& call, const Shape& strides) {
  const auto block = blockOf(call);
  if (!block) return passError(block);
  const Shape& in = call.shape(0);
  const std::string mode = call.text("mode", "DCR");
  const int64_t b = *block, channels = in[1] / (b * b);
  if (in[1] % (b * b) != 0 || (mode != "DCR" && mode != "CRD"))
    return call.refuse("{} channels in blocks of {} by {}, mode {}", in[1], b, b, mode);
  const bool columnsFirst = mode == "CRD";
  const int64_t stepC = columnsFirst ? b * b * strides[1] : strides[1];
  const int64_t stepX = columnsFirst ? strides[1] : channels * strides[1], stepY = stepX * b;
  return View{{in[0], channels, in[2], b, in[3], b},
              0,
              {strides[0], stepC, strides[2], stepY, strides[3], stepX},
              Shape{in[0], channels, in[2] * b, in[3] * b}};
}

Expected<View> spaceToDepthView(const OpCall& call, const Shape& strides) {
  const auto block = blockOf(call);
  if (!block) return passError(block);
  const Shape& in = call.shape(0);
  const int64_t b = *block;
  if (in[2] % b != 0 || in[3] % b != 0) return call.refuse("blocks of {} in shape {}", b, shapeText(in));
  return View{{in[0], b, b, in[1], in[2] / b, in[3] / b},
              0,
              {strides[0], strides[2], strides[3], strides[1], strides[2] * b, strides[3] * b},
              Shape{in[0], in[1] * b * b, in[2] / b, in[3] / b}};
}

}  // namespace

Expected<View> viewOf(const OpCall& call, const Shape& strides) {
  const std::string& op = call.node().op;
  if (op == "Slice") return sliceView(call, strides);
  if (op == "Transpose") return transposeView(call, strides);
  if (op == "Expand") return expandView(call, strides);
  if (op == "Tile") return tileView(call, strides);
  if (op == "DepthToSpace") return depthToSpaceView(call, strides);
  if (op == "SpaceToDepth") return spaceToDepthView(call, strides);
  return call.refuse("not a view of its input");
}

Expected<std::vector<View>> splitViews(const OpCall& call, const Shape& strides) {
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
    View view{in, start * strides[*axis], strides};
    view.shape[*axis] = length;
    views.push_back(std::move(view));
    start += length;
  }
  if (start != in[*axis] || static_cast<int64_t>(views.size()) != parts)
    return call.refuse("{} parts of {} elements for {} outputs and {} elements", views.size(), start, parts, in[*axis]);
  return views;
}

}  // namespace lynceus::nn
