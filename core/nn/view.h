// Operators that pick or move elements in regular steps: Slice, Transpose, Expand, Tile, DepthToSpace, SpaceToDepth and
// Split, checked and reduced to where each element comes from; shared by shape inference and every backend.
#pragma once

#include <optional>

#include "core/nn/op_call.h"

namespace lynceus::nn {

/// out[i] = in[start + sum of i[d] * step[d]]
struct View {
  Shape shape;
  int64_t start = 0;
  Shape step;
  std::optional<Shape> output = {};  ///< the output's shape where axes of the view are merged in it

  const Shape& outputShape() const { return output ? *output : shape; }
};

/// Of any of the operators but Split. @param strides  of input 0, in elements, as it is stored.
Expected<View> viewOf(const OpCall& call, const Shape& strides);

/// Of the outputs of Split.
Expected<std::vector<View>> splitViews(const OpCall& call, const Shape& strides);

}  // namespace lynceus::nn
