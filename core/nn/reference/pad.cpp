#include <algorithm>
#include <numeric>

#include "core/nn/reference/kernel.h"

namespace lynceus::nn::reference {
namespace {

struct Padding {
  Shape begin, output;
  float value = 0;
};

Expected<std::vector<int64_t>> readPads(const OpCall& call) {
  if (call.opset() < 11) return call.integers("pads");
  const auto pads = call.constantInts(1);
  if (!pads) return call.refuse("the padding is only known while running: export with fixed shapes");
  return *pads;
}

Expected<Padding> paddingOf(const OpCall& call) {
  if (const std::string mode = call.text("mode", "constant"); mode != "constant")
    return call.refuse("mode {}: export with constant padding", mode);
  const Shape& in = call.shape(0);
  const auto pads = readPads(call);
  if (!pads) return passError(pads);
  Padding p{Shape(in.size(), 0), in, call.opset() < 11 ? call.real("value", 0) : 0};
  if (call.has(2)) {
    const auto value = call.constantFloats(2);
    if (!value || value->size() != 1) return call.refuse("the padding value must be a constant float");
    p.value = value->front();
  }
  std::vector<int64_t> axes(in.size());
  std::iota(axes.begin(), axes.end(), 0);
  if (call.has(3)) axes = call.constantInts(3).value_or(std::vector<int64_t>{});
  if (pads->size() != 2 * axes.size()) return call.refuse("{} pads for {} axes", pads->size(), axes.size());
  constexpr int64_t kMost = int64_t{1} << 32;
  for (size_t i = 0; i < axes.size(); ++i) {
    const auto axis = checkedAxis(axes[i], static_cast<int64_t>(in.size()));
    const int64_t before = (*pads)[i], after = (*pads)[axes.size() + i];
    if (!axis || before < 0 || after < 0 || before > kMost || after > kMost)
      return call.refuse("pads {} and {} on axis {}", before, after, axes[i]);
    p.begin[*axis] = before;
    p.output[*axis] = in[*axis] + before + after;
  }
  return p;
}

Expected<std::vector<ValueType>> inferPad(const OpCall& call) {
  if (!call.input(0).type.isFloat()) return call.refuse("the input holds integers");
  const auto p = paddingOf(call);
  if (!p) return passError(p);
  return oneOutput(p->output);
}

std::vector<Tensor> pad(const OpCall& call, const std::vector<ValueType>&) {
  const Padding p = *paddingOf(call);
  const Shape& in = call.shape(0);
  Tensor out{p.output, std::vector<float>(static_cast<size_t>(elementCount(p.output)), p.value)};
  const Shape strides = stridesOf(p.output), inStrides = stridesOf(in);
  for (int64_t i = 0; i < elementCount(in); ++i) {
    int64_t at = 0;
    for (size_t d = 0; d < in.size(); ++d) at += (i / inStrides[d] % in[d] + p.begin[d]) * strides[d];
    out.floats()[at] = call.floats(0)[i];
  }
  return oneTensor(std::move(out));
}

LYN_REGISTER_OP(reference, "Pad", opset(2, 21), (Kernel{inferPad, pad, 1, 4, Accepts::anything}));

}  // namespace
}  // namespace lynceus::nn::reference
