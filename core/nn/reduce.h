// The Reduce operators: which axes vanish, checked; shared by shape inference and every backend.
#pragma once

#include "core/nn/op_call.h"

namespace lynceus::nn {

struct Reduction {
  std::vector<bool> reduced;  ///< for each axis of the input; all false: every number is one of its own
  Shape output;
  int64_t count = 1;  ///< numbers that go into one result
};

/// The axes are an attribute, and an input since opset 13 (ReduceSum) or 18 (the others). None means all of them, or
/// with noop_with_empty_axes none: then the operator works on each number alone.
Expected<Reduction> reduction(const OpCall& call);

}  // namespace lynceus::nn
