// Stored numbers in pieces that stay in the first-level cache: widened to float, worked on, narrowed again. So a loop
// is written once, for floats, and memory sees each number once, whatever it is stored as.
#pragma once

#include <array>

#include "core/nn/cpu/kernel.h"

namespace lynceus::nn::cpu {

/// Numbers in a piece: 8 KiB of floats.
inline constexpr int64_t kPiece = 2048;

struct alignas(64) PieceBuffer {
  std::array<float, kPiece> values;
  float* data() { return values.data(); }
};

/// Numbers `first` to `first + count` as floats: where they lie if they are, else in the buffer. count <= kPiece.
const float* widened(const void* from, Type type, int64_t first, int64_t count, PieceBuffer& buffer);

/// Where to compute the numbers from `first` on: in place if they are floats, else in the buffer.
float* target(void* to, Type type, int64_t first, PieceBuffer& buffer);

/// Stores what target() gave; nothing is left to do for floats.
void narrow(const float* from, void* to, Type type, int64_t first, int64_t count);

/// For primitives that give only what they take: the step with its bf16 result widened into an output of f32.
Step withFloatResult(Step step, const ValueType& output);

}  // namespace lynceus::nn::cpu
