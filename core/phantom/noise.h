// CT noise: Gaussian, correlated as a reconstruction kernel leaves it, the same for the same seed and slice.
#pragma once

#include <cstdint>
#include <vector>

namespace lynceus::phantom {

struct NoiseModel {
  uint64_t seed = 0;
  double sigmaPixels = 0.8;    ///< width of the correlation in the plane
  double highPass = 0;         ///< 0 soft kernel .. 0.8 sharp kernel: how much of the low frequencies is taken out
  double betweenSlices = 0.3;  ///< weight of the neighbouring slices
};

/// Standard deviation 1 and mean 0 over many pixels. @return width * height values of slice `z`.
std::vector<float> noiseSlice(const NoiseModel& model, int width, int height, int z);

/// Convolves rows and columns with a Gaussian; the border repeats. `scratch` is resized as needed.
void gaussianBlur(std::vector<float>& image, int width, int height, double sigmaPixels, std::vector<float>& scratch);

}  // namespace lynceus::phantom
