// Moves a Transpose before a MatMul into it: the product reads its operands by strides, so nothing needs to move.
#pragma once

#include "core/nn/passes/resolve.h"

namespace lynceus::nn {

/// On a MatMul: it reads input 0 (input 1) as Transpose with this perm would give it.
inline constexpr const char* kTransposeA = "lynceus.transpose_a";
inline constexpr const char* kTransposeB = "lynceus.transpose_b";

/// A MatMul that backends can add to: both operands have 2 to 8 axes, and nothing is empty.
bool isPlainMatMul(const ResolvedGraph& resolved, const Node& node);

/// For backends whose MatMul knows the two attributes. A Transpose that others read, too, stays for them.
void foldTransposes(ResolvedGraph& resolved);

}  // namespace lynceus::nn
