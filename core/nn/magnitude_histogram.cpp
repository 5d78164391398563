#include "core/nn/magnitude_histogram.h"

#include <algorithm>
#include <cmath>

namespace lynceus::nn {

double MagnitudeHistogram::width() const { return std::ldexp(1.0, m_exponent) / kBins; }

void MagnitudeHistogram::growTo(float largest) {
  while (largest >= std::ldexp(1.0, m_exponent)) {
    for (size_t i = 0; i < kBins; ++i) m_counts[i] = i < kBins / 2 ? m_counts[2 * i] + m_counts[2 * i + 1] : 0;
    ++m_exponent;
  }
}

bool MagnitudeHistogram::add(std::span<const float> values) {
  float largest = 0;
  bool finite = true;
  for (const float v : values) {
    finite = finite && std::isfinite(v);
    largest = std::max(largest, std::fabs(v));
  }
  if (!finite) return false;
  growTo(largest);
  m_largest = std::max(m_largest, largest);
  const auto perUnit = static_cast<float>(1 / width());  // a power of two: exact
  for (const float v : values)
    if (v != 0) ++m_counts[static_cast<size_t>(std::fabs(v) * perUnit)];
  return true;
}

void MagnitudeHistogram::add(const MagnitudeHistogram& other) {
  MagnitudeHistogram scaled = other;
  growTo(other.m_largest);
  if (m_exponent < scaled.m_exponent) growTo(static_cast<float>(std::ldexp(1.0, scaled.m_exponent - 1)));
  scaled.growTo(static_cast<float>(std::ldexp(1.0, m_exponent - 1)));
  for (size_t i = 0; i < kBins; ++i) m_counts[i] += scaled.m_counts[i];
  m_largest = std::max(m_largest, other.m_largest);
}

// Each bin stands at its middle; where steps are finer than bins, rounding errors are uniform: step^2 / 12.
double MagnitudeHistogram::errorOf(double threshold, int levels) const {
  const double step = threshold / levels;
  double error = 0;
  for (size_t i = 0; i < kBins; ++i) {
    if (m_counts[i] == 0) continue;
    const double x = (static_cast<double>(i) + 0.5) * width();
    const double off = x - std::min(std::nearbyint(x / step) * step, threshold);
    error += static_cast<double>(m_counts[i]) * (x < threshold && step < width() ? step * step / 12 : off * off);
  }
  return error;
}

float MagnitudeHistogram::bestThreshold(int levels) const {
  constexpr size_t kStride = 8;
  double best = m_largest, leastError = m_largest > 0 ? errorOf(m_largest, levels) : 0;
  for (size_t bin = kStride; bin <= kBins; bin += kStride) {
    const double threshold = static_cast<double>(bin) * width();
    if (threshold >= m_largest) break;
    if (const double error = errorOf(threshold, levels); error < leastError) {
      leastError = error;
      best = threshold;
    }
  }
  return static_cast<float>(best);
}

}  // namespace lynceus::nn
