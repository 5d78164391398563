#include "core/phantom/noise.h"

#include <algorithm>
#include <cmath>

#include "core/phantom/random.h"
#include "core/philox.h"

namespace lynceus::phantom {
namespace {

std::vector<float> gaussianTaps(double sigma) {
  const int radius = std::max(1, static_cast<int>(std::ceil(3 * sigma)));
  std::vector<float> taps(static_cast<size_t>(2 * radius + 1));
  double sum = 0;
  for (int i = -radius; i <= radius; ++i) sum += std::exp(-0.5 * i * i / (sigma * sigma));
  for (int i = -radius; i <= radius; ++i) {
    taps[static_cast<size_t>(i + radius)] = static_cast<float>(std::exp(-0.5 * i * i / (sigma * sigma)) / sum);
  }
  return taps;
}

double overlap(const std::vector<float>& a, const std::vector<float>& b) {
  const auto& narrow = a.size() < b.size() ? a : b;
  const auto& wide = a.size() < b.size() ? b : a;
  const size_t shift = (wide.size() - narrow.size()) / 2;
  double sum = 0;
  for (size_t i = 0; i < narrow.size(); ++i) sum += static_cast<double>(narrow[i]) * wide[i + shift];
  return sum;
}

// Adds weight * white noise. A value is the sum of the four bytes of a Philox word (Irwin-Hall, near Gaussian): the
// filter that follows mixes many of them.
void addWhite(uint64_t seed, int z, float weight, std::vector<float>& out) {
  constexpr float kMean = 510, kInverseSd = 1 / 147.8F;  // of the sum of four uniform bytes: sqrt(4 (256^2 - 1) / 12)
  const auto slice = static_cast<uint32_t>(z);
  for (size_t i = 0; i < out.size(); i += 4) {
    const PhiloxBlock block = philox4x32({{static_cast<uint32_t>(i / 4), slice, 0, kStreamNoise}}, seed);
    for (size_t k = 0; k < std::min<size_t>(4, out.size() - i); ++k) {
      const uint32_t w = block.word[k];
      const auto sum = static_cast<float>((w & 255) + ((w >> 8) & 255) + ((w >> 16) & 255) + (w >> 24));
      out[i + k] += weight * (sum - kMean) * kInverseSd;
    }
  }
}

void convolve(std::vector<float>& image, int width, int height, const std::vector<float>& taps,
              std::vector<float>& scratch) {
  const int radius = static_cast<int>(taps.size() / 2);
  const auto w = static_cast<size_t>(width);
  std::vector<float> padded(w + 2 * static_cast<size_t>(radius));
  scratch.assign(image.size(), 0);
  for (int y = 0; y < height; ++y) {
    float* row = image.data() + static_cast<size_t>(y) * w;
    std::copy(row, row + width, padded.begin() + radius);
    std::fill_n(padded.begin(), radius, row[0]);
    std::fill_n(padded.end() - radius, radius, row[width - 1]);
    float* to = scratch.data() + static_cast<size_t>(y) * w;
    for (size_t k = 0; k < taps.size(); ++k) {
      const float tap = taps[k];
      const float* from = padded.data() + k;
      for (int x = 0; x < width; ++x) to[x] += tap * from[x];
    }
  }
  std::fill(image.begin(), image.end(), 0.0F);
  for (int y = 0; y < height; ++y) {
    float* to = image.data() + static_cast<size_t>(y) * w;
    for (int k = -radius; k <= radius; ++k) {
      const float tap = taps[static_cast<size_t>(k + radius)];
      const float* from = scratch.data() + static_cast<size_t>(std::clamp(y + k, 0, height - 1)) * w;
      for (int x = 0; x < width; ++x) to[x] += tap * from[x];
    }
  }
}

}  // namespace

void gaussianBlur(std::vector<float>& image, int width, int height, double sigmaPixels, std::vector<float>& scratch) {
  if (sigmaPixels < 0.15) return;
  convolve(image, width, height, gaussianTaps(sigmaPixels), scratch);
}

std::vector<float> noiseSlice(const NoiseModel& model, int width, int height, int z) {
  std::vector<float> noise(static_cast<size_t>(width) * static_cast<size_t>(height), 0.0F), scratch;
  const double across = model.betweenSlices;
  addWhite(model.seed, z, 1, noise);
  addWhite(model.seed, z - 1, static_cast<float>(across), noise);
  addWhite(model.seed, z + 1, static_cast<float>(across), noise);

  const auto narrow = gaussianTaps(std::max(0.3, model.sigmaPixels)),
             wide = gaussianTaps(std::max(0.3, 2.2 * model.sigmaPixels));
  const double b = model.highPass;
  const double nn = overlap(narrow, narrow), nw = overlap(narrow, wide), ww = overlap(wide, wide);
  const double power = (nn * nn - 2 * b * nw * nw + b * b * ww * ww) * (1 + 2 * across * across);
  std::vector<float> low;
  if (b > 0) {
    low = noise;
    convolve(low, width, height, wide, scratch);
  }
  convolve(noise, width, height, narrow, scratch);
  const auto scale = static_cast<float>(1 / std::sqrt(power));
  for (size_t i = 0; i < noise.size(); ++i) {
    noise[i] = scale * (b > 0 ? noise[i] - static_cast<float>(b) * low[i] : noise[i]);
  }
  return noise;
}

}  // namespace lynceus::phantom
