// Makes MatMul of an Einsum that is a product of matrices.
#pragma once

#include "core/nn/passes/resolve.h"

namespace lynceus::nn {

/// "bhid,bhjd->bhij" and its like: two operands, one index that is summed over, one that only the first and one that
/// only the second operand shares with the result, the others in all three. Transpositions become nodes; see
/// fold_transpose.h. Any other Einsum stays.
void lowerEinsum(ResolvedGraph& resolved);

}  // namespace lynceus::nn
