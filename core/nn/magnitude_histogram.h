// How large the numbers of a value are, and where to clip them for 8 bits.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace lynceus::nn {

/// Counts of |x| in equal bins from 0 to a power of two that doubles when a larger number comes, so the order in which
/// numbers come does not matter. Zeros are not counted: they have no error. One thread.
class MagnitudeHistogram {
 public:
  /// @return false if a number is infinite or NaN; the histogram is of no use then.
  bool add(std::span<const float> values);
  void add(const MagnitudeHistogram& other);

  float largest() const { return m_largest; }

  /// The threshold of the smallest expected squared error when numbers are rounded to multiples of threshold / levels
  /// and clipped there: an exhaustive search over multiples of 8 bins, as TensorRT and its like calibrate by a
  /// criterion of their own. 0 if only zeros came.
  float bestThreshold(int levels) const;

 private:
  static constexpr size_t kBins = 2048;
  void growTo(float largest);
  double width() const;  // of a bin
  double errorOf(double threshold, int levels) const;

  std::array<uint64_t, kBins> m_counts{};
  int m_exponent = -64;  // bins reach to 2^exponent
  float m_largest = 0;
};

}  // namespace lynceus::nn
