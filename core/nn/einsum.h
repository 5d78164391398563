// Einsum: a product of tensors, summed over the indices that the result does not have. Checked; shared by shape
// inference and every backend.
#pragma once

#include "core/nn/op_call.h"

namespace lynceus::nn {

/// An index: a letter, or an axis of "..." counted from its last as 0, -1, -2, … so that those of operands with fewer
/// axes align at the end.
using EinsumLabel = int;
using EinsumLabels = std::vector<EinsumLabel>;

struct EinsumPlan {
  std::vector<EinsumLabels> operands;  ///< the index of each of their axes
  EinsumLabels result;
  Shape output;  ///< sizes of the result's indices
  Shape summed;  ///< sizes of the indices that are summed over
  std::vector<Shape>
      steps;  ///< for each operand: stride in elements by each index, the output's first, then the summed
};

/// Any number of operands; explicit ("bij,bjk->bik") and implicit results, repeated indices (diagonals), and "..." for
/// axes without a name, which broadcast. As in NumPy's einsum.
Expected<EinsumPlan> einsumPlan(const OpCall& call);

}  // namespace lynceus::nn
