// The lines of a tensor along one axis: what Softmax, ArgMax, CumSum, TopK and the like work on.
#pragma once

#include <algorithm>

#include "core/nn/op_call.h"

namespace lynceus::nn::reference {

struct AxisLines {
  int64_t count = 0;  ///< number of lines
  int64_t size = 0;   ///< elements of a line
  int64_t step = 1;   ///< between them

  /// Offset of the first element of a line.
  int64_t first(int64_t line) const { return line / step * step * size + line % step; }
};

inline AxisLines linesAlong(const Shape& shape, size_t axis) {
  const int64_t size = shape[axis], count = elementCount(shape);
  return {size == 0 ? 0 : count / size, size, std::max<int64_t>(stridesOf(shape)[axis], 1)};
}

/// Attribute `axis` as one in [0, rank).
inline Expected<size_t> axisOf(const OpCall& call, int64_t fallback) {
  const int64_t stated = call.integer("axis", fallback);
  const auto axis = checkedAxis(stated, static_cast<int64_t>(call.shape(0).size()));
  if (!axis) return call.refuse("axis {} for an input of shape {}", stated, shapeText(call.shape(0)));
  return static_cast<size_t>(*axis);
}

}  // namespace lynceus::nn::reference
