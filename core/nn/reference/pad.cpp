// Pad: for every axis of the output, which element of the input it shows.
#include <algorithm>
#include <numeric>

#include "core/nn/reference/kernel.h"

namespace lynceus::nn::reference {
namespace {

struct Padding {
  std::string mode;
  Shape begin, output;  ///< begin may be negative: then the input is cut
};

Expected<std::vector<int64_t>> readPads(const OpCall& call) {
  if (call.opset() < 11) return call.integers("pads");
  const auto pads = call.constantInts(1);
  if (!pads) return call.refuse("the padding is only known while running: export with fixed shapes");
  return *pads;
}

Expected<std::vector<int64_t>> readAxes(const OpCall& call) {
  std::vector<int64_t> axes(call.shape(0).size());
  std::iota(axes.begin(), axes.end(), 0);
  if (!call.has(3)) return axes;
  const auto given = call.constantInts(3);
  if (!given) return call.refuse("the axes are only known while running: export with fixed shapes");
  return *given;
}

Expected<void> checkMode(const OpCall& call) {
  static constexpr const char* kModes[] = {"constant", "reflect", "edge", "wrap"};
  const std::string mode = call.text("mode", "constant");
  if (std::find(std::begin(kModes), std::end(kModes), mode) == std::end(kModes))
    return call.refuse("unknown mode \"{}\"", mode);
  if (call.has(2) && (call.input(2).type.type != call.input(0).type.type || elementCount(call.shape(2)) != 1))
    return call.refuse("the padding value must be one number of the input's type");
  return {};
}

// reflect leaves out the border itself, so it can add one less than there are.
Expected<void> checkAxis(const OpCall& call, const std::string& mode, int64_t axis, int64_t before, int64_t after) {
  constexpr int64_t kMost = int64_t{1} << 32;
  const int64_t size = call.shape(0)[axis], kept = size + std::min<int64_t>(before, 0) + std::min<int64_t>(after, 0);
  const int64_t added = std::max({before, after, int64_t{0}});
  const bool possible = mode == "constant" || added == 0 || (mode == "reflect" ? added < size : size > 0);
  if (before < -kMost || after < -kMost || before > kMost || after > kMost || kept < 0 || !possible)
    return call.refuse("pads {} and {} in mode {} on axis {} of shape {}", before, after, mode, axis,
                       shapeText(call.shape(0)));
  return {};
}

Expected<Padding> paddingOf(const OpCall& call) {
  if (auto ok = checkMode(call); !ok) return passError(ok);
  const auto pads = readPads(call);
  if (!pads) return passError(pads);
  const auto axes = readAxes(call);
  if (!axes) return passError(axes);
  const Shape& in = call.shape(0);
  if (pads->size() != 2 * axes->size()) return call.refuse("{} pads for {} axes", pads->size(), axes->size());
  Padding p{call.text("mode", "constant"), Shape(in.size(), 0), in};
  for (size_t i = 0; i < axes->size(); ++i) {
    const auto axis = checkedAxis((*axes)[i], static_cast<int64_t>(in.size()));
    if (!axis) return call.refuse("axis {} of an input of shape {}", (*axes)[i], shapeText(in));
    const int64_t before = (*pads)[i], after = (*pads)[axes->size() + i];
    if (auto ok = checkAxis(call, p.mode, *axis, before, after); !ok) return passError(ok);
    p.begin[*axis] = before;
    p.output[*axis] = in[*axis] + before + after;
  }
  return p;
}

Expected<std::vector<ValueType>> inferPad(const OpCall& call) {
  const auto p = paddingOf(call);
  if (!p) return passError(p);
  return oneOutput(p->output, call.input(0).type.type);
}

// The element along one axis that position i shows; -1: the padding value.
int64_t sourceOf(const std::string& mode, int64_t i, int64_t size) {
  if (i >= 0 && i < size) return i;
  if (mode == "edge") return std::clamp<int64_t>(i, 0, size - 1);
  if (mode == "wrap") return (i % size + size) % size;
  if (mode == "reflect") return i < 0 ? -i : 2 * (size - 1) - i;
  return -1;
}

std::vector<std::vector<int64_t>> sourcesOf(const Padding& p, const Shape& in) {
  std::vector<std::vector<int64_t>> sources(in.size());
  for (size_t d = 0; d < in.size(); ++d)
    for (int64_t i = 0; i < p.output[d]; ++i) sources[d].push_back(sourceOf(p.mode, i - p.begin[d], in[d]));
  return sources;
}

std::vector<Tensor> pad(const OpCall& call, const std::vector<ValueType>& outputs) {
  const Padding p = *paddingOf(call);
  Tensor out = Tensor::zeros(outputs[0].shape, outputs[0].type);
  if (out.size() == 0) return oneTensor(std::move(out));
  const auto sources = sourcesOf(p, call.shape(0));
  const Shape steps = stridesOf(call.shape(0));
  std::visit(
      [&](const auto& values) {
        auto& result = std::get<std::decay_t<decltype(values)>>(out.data);
        using T = typename std::decay_t<decltype(values)>::value_type;
        T fill{};
        if (call.has(2)) fill = std::get<std::vector<T>>(call.input(2).value->data)[0];
        if constexpr (std::is_same_v<T, float>)
          if (call.opset() < 11) fill = call.real("value", 0);
        Shape index(steps.size(), 0);
        for (T& r : result) {
          int64_t at = 0;
          for (size_t d = 0; d < steps.size() && at >= 0; ++d)
            at = sources[d][index[d]] < 0 ? -1 : at + sources[d][index[d]] * steps[d];
          r = at < 0 ? fill : values[at];
          for (size_t d = steps.size(); d-- > 0;) {
            if (++index[d] < p.output[d]) break;
            index[d] = 0;
          }
        }
      },
      call.input(0).value->data);
  return oneTensor(std::move(out));
}

LYN_REGISTER_OP(reference, "Pad", opset(2, 21), (Kernel{inferPad, pad, 1, 4, Accepts::anything}));

}  // namespace
}  // namespace lynceus::nn::reference
