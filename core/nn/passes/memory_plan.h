// Where each value of a network lies in one arena: values that are never alive together share bytes.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace lynceus::nn {

/// Offsets and sizes in the arena are multiples of this: a cache line, and what AVX-512 loads like best.
inline constexpr size_t kArenaAlignment = 64;

/// Alive from the step that writes it to the last step that reads it, both included; lastStep >= firstStep.
struct Buffer {
  size_t bytes;
  size_t firstStep, lastStep;
};

struct MemoryPlan {
  std::vector<size_t> offsets;  ///< in bytes, one for each buffer
  size_t arenaBytes = 0;
  size_t boundBytes = 0;  ///< the largest sum of bytes alive in one step: no plan needs less
};

/// Buffers that are alive in the same step never overlap; a buffer of no bytes takes none. Several greedy orders and,
/// where none meets the bound, a search of limited length over orders; the smallest arena wins. The same buffers give
/// the same plan. Any thread; the work grows with the square of the number of buffers (2000: some 10 ms).
MemoryPlan planMemory(std::span<const Buffer> buffers);

}  // namespace lynceus::nn
