#include "core/nn/reduce.h"

namespace lynceus::nn {

Expected<Reduction> reduction(const OpCall& call) {
  const Shape& in = call.shape(0);
  const bool asInput = call.opset() >= (call.node().op == "ReduceSum" ? 13 : 18);
  if (!asInput && call.has(1)) return call.refuse("the axes are an attribute before opset 18 (ReduceSum: 13)");
  std::vector<int64_t> axes = asInput ? std::vector<int64_t>{} : call.integers("axes");
  if (call.has(1)) {
    const auto given = call.constantInts(1);
    if (!given) return call.refuse("the axes are only known while running: export with fixed axes");
    axes = *given;
  }
  const bool keep = call.integer("keepdims", 1) != 0;
  const bool all = axes.empty() && call.integer("noop_with_empty_axes", 0) == 0;
  Reduction r{std::vector<bool>(in.size(), all), {}, 1};
  for (const int64_t a : axes) {
    const auto axis = checkedAxis(a, static_cast<int64_t>(in.size()));
    if (!axis || r.reduced[*axis]) return call.refuse("axis {} of an input of shape {}", a, shapeText(in));
    r.reduced[*axis] = true;
  }
  for (size_t d = 0; d < in.size(); ++d) {
    if (r.reduced[d]) r.count *= in[d];
    if (!r.reduced[d]) r.output.push_back(in[d]);
    if (r.reduced[d] && keep) r.output.push_back(1);
  }
  return r;
}

}  // namespace lynceus::nn
