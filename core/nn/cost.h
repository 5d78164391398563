// What a node costs: arithmetic and memory traffic, from its shapes alone.
#pragma once

#include "core/nn/op_call.h"

namespace lynceus::nn {

struct Cost {
  double flops = 0, bytes = 0;
};

/// @param outputs  types of the node's outputs, in its order; those of absent outputs are not read.
/// @return flops: a multiplication and an addition are two, a function such as exp is one, and a window counts where it
/// reaches over the border too (as published counts of convolutions do). A bias or a beta * C is in the count of its
/// product. Operators that only move or convert values have none.
/// bytes: every input read once (weights included) and every output written once, in the types they are stored in: the
/// least that a kernel can move.
Cost costOf(const OpCall& call, const std::vector<ValueType>& outputs);

}  // namespace lynceus::nn
