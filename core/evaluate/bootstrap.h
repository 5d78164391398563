// How sure a figure is: computed again on samples drawn with replacement from the scans or patients (Efron).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

namespace lynceus::evaluate {

struct BootstrapOptions {
  int replicates = 1000;
  uint64_t seed = 1;
};

/// Fewer replicates say nothing about the outer 2.5 %.
inline constexpr int kLeastReplicates = 40;

/// The middle 95 % of the replicates, taken as LUNA16 takes it: of n sorted values those at [n / 40] and [39 n / 40].
struct Interval {
  double low = 0, high = 0;
};

/// A figure of the whole sample and how sure it is.
struct Estimate {
  double value = 0;
  std::optional<Interval> interval;  ///< absent where fewer than kLeastReplicates could be computed
};

/// One figure over all replicates.
struct Spread {
  int replicates = 0;  ///< that gave a number
  double mean = 0;     ///< of those
  std::optional<Interval> interval;
};

class Bootstrap {
 public:
  /// @param strata  units (scans, patients), each in one stratum; a replicate draws from each as many as it holds. The
  /// units are numbered from 0 without gaps.
  Bootstrap(std::vector<std::vector<uint32_t>> strata, BootstrapOptions options);

  /// How often each unit occurs in a sample.
  using Weights = std::span<const uint32_t>;
  /// Computes its figures on one sample; NaN where a figure does not exist for it, such as the sensitivity without
  /// findings.
  using Statistic = std::function<void(Weights, std::span<double>)>;

  /// Calls `statistic` on all threads, once for each replicate.
  /// @param figures  how many numbers the statistic writes.
  /// @return for each figure its spread; the same numbers for any number of threads.
  std::vector<Spread> run(size_t figures, const Statistic& statistic) const;

  /// Every unit once: the sample itself.
  std::vector<uint32_t> once() const { return std::vector<uint32_t>(m_units, 1); }

 private:
  std::vector<uint32_t> draw(uint32_t replicate) const;

  std::vector<std::vector<uint32_t>> m_strata;
  BootstrapOptions m_options;
  size_t m_units = 0;
};

}  // namespace lynceus::evaluate
