// The Reduce operators: which axes vanish, checked; shared by shape inference and every backend.
#pragma once

#include "core/nn/op_call.h"

namespace lynceus::nn {

struct Reduction {
  std::vector<bool> reduced;  ///< for each axis of the input; all false: the input is returned as it is
  Shape output;
  int64_t count = 1;  ///< numbers that go into one result
};

/// The axes are an attribute, and an input since opset 13 (ReduceSum) or 18 (the others). None means all of them, or
/// with noop_with_empty_axes none.
Expected<Reduction> reduction(const OpCall& call);

}  // namespace lynceus::nn
