#include "core/nn/normalization.h"

namespace lynceus::nn {

Expected<GroupNormalization> groupNormalization(const OpCall& call) {
  const Shape& in = call.shape(0);
  if (in.size() < 2) return call.refuse("an input of shape {} has no channels", shapeText(in));
  if (elementCount(in) == 0) return call.refuse("the input is empty");
  GroupNormalization g;
  g.groups = call.integer("num_groups", 0);
  if (g.groups < 1 || g.groups > in[1] || in[1] % g.groups != 0)
    return call.refuse("{} groups do not divide {} channels", g.groups, in[1]);
  g.channelsPerGroup = in[1] / g.groups;
  g.voxels = elementCount(Shape(in.begin() + 2, in.end()));
  g.perChannel = call.opset() >= 21;
  const Shape expected{g.perChannel ? in[1] : g.groups};
  for (const size_t i : {size_t{1}, size_t{2}})
    if (call.shape(i) != expected)
      return call.refuse("parameters of shape {}, expected {} at opset {}", shapeText(call.shape(i)),
                         shapeText(expected), call.opset());
  return g;
}

Expected<LayerNormalization> layerNormalization(const OpCall& call) {
  const Shape& in = call.shape(0);
  const int64_t stated = call.integer("axis", -1);
  const auto axis = checkedAxis(stated, static_cast<int64_t>(in.size()));
  if (!axis) return call.refuse("axis {} for an input of shape {}", stated, shapeText(in));
  LayerNormalization n;
  n.normalised = Shape(in.begin() + *axis, in.end());
  n.rows = elementCount(Shape(in.begin(), in.begin() + *axis));
  n.size = elementCount(n.normalised);
  for (const size_t i : {size_t{1}, size_t{2}}) {
    if (!call.has(i)) continue;
    if (broadcast(n.normalised, call.shape(i)) != n.normalised)
      return call.refuse("parameters of shape {} for the axes {}", shapeText(call.shape(i)), shapeText(n.normalised));
    (i == 1 ? n.scaleStrides : n.biasStrides) = broadcastStrides(n.normalised, call.shape(i));
  }
  return n;
}

}  // namespace lynceus::nn
