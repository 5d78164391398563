#include "core/evaluate/bootstrap.h"

#include <algorithm>
#include <cmath>

#include "core/parallel.h"
#include "core/philox.h"

namespace lynceus::evaluate {
namespace {

Spread spreadOf(std::vector<double> values) {
  values.erase(std::remove_if(values.begin(), values.end(), [](double v) { return std::isnan(v); }), values.end());
  Spread spread;
  spread.replicates = static_cast<int>(values.size());
  if (values.empty()) return spread;
  std::sort(values.begin(), values.end());
  double sum = 0;
  for (const double v : values) sum += v;
  spread.mean = sum / static_cast<double>(values.size());
  const size_t n = values.size();
  if (spread.replicates >= kLeastReplicates) spread.interval = Interval{values[n / 40], values[n * 39 / 40]};
  return spread;
}

}  // namespace

Bootstrap::Bootstrap(std::vector<std::vector<uint32_t>> strata, BootstrapOptions options)
    : m_strata(std::move(strata)), m_options(options) {
  for (const auto& stratum : m_strata) m_units += stratum.size();
}

std::vector<uint32_t> Bootstrap::draw(uint32_t replicate) const {
  std::vector<uint32_t> weights(m_units);
  for (uint32_t s = 0; s < m_strata.size(); ++s) {
    const std::vector<uint32_t>& stratum = m_strata[s];
    PhiloxBlock random;
    for (uint32_t i = 0; i < stratum.size(); ++i) {
      if (i % 4 == 0) random = philox4x32({{i / 4, s, replicate, 0}}, m_options.seed);
      // The upper half of word * size is uniform over the stratum but for 2^-32 of its size.
      ++weights[stratum[uint64_t{random.word[i % 4]} * stratum.size() >> 32]];
    }
  }
  return weights;
}

std::vector<Spread> Bootstrap::run(size_t figures, const Statistic& statistic) const {
  const auto replicates = static_cast<size_t>(m_options.replicates);
  std::vector<double> values(replicates * figures);
  parallelFor(m_options.replicates, [&](int64_t r) {
    statistic(draw(static_cast<uint32_t>(r)), std::span(values).subspan(static_cast<size_t>(r) * figures, figures));
  });
  std::vector<Spread> spreads(figures);
  parallelFor(static_cast<int64_t>(figures), [&](int64_t f) {
    std::vector<double> column(replicates);
    for (size_t r = 0; r < replicates; ++r) column[r] = values[r * figures + static_cast<size_t>(f)];
    spreads[static_cast<size_t>(f)] = spreadOf(std::move(column));
  });
  return spreads;
}

}  // namespace lynceus::evaluate
