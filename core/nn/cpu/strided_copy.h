// Copies of numbers from one order into another: everything that only moves. Each number is read and written once;
// where neighbours stay neighbours they are copied as runs, and where two axes change places in tiles that fit the
// first-level cache.
#pragma once

#include "core/nn/cpu/kernel.h"

namespace lynceus::nn::cpu {

/// Where the numbers of a copy lie on one side: element start + sum of index[d] * strides[d].
struct StridedSide {
  int64_t start = 0;
  Shape strides;
  Type type = Type::f32;
};

class StridedCopy {
 public:
  /// The types are equal or both floating.
  StridedCopy(const Shape& shape, const StridedSide& from, const StridedSide& to);
  void run(const void* in, void* out) const;

 private:
  struct Axis {
    int64_t size, in, out;
  };
  template <class From, class To>
  void runTyped(const From* in, To* out) const;

  std::vector<Axis> m_outer;
  Axis m_rows{1, 0, 0}, m_inner{1, 0, 0};  // the two that a tile spans
  int64_t m_rowsPerTile = 1, m_numbersPerTile = 1;
  StridedSide m_from, m_to;
};

}  // namespace lynceus::nn::cpu
