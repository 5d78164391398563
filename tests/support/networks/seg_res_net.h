// MONAI's SegResNet: residual blocks with GroupNorm and ReLU before each convolution, trilinear upsampling.
#pragma once

#include "tests/support/networks/torch_export.h"

namespace lynceus::test {

inline std::string segResConv(TorchExport& t, const std::string& x, int64_t from, int64_t to, int64_t kernel = 3,
                              int64_t stride = 1, float gain = kReluGain) {
  const TorchExport::Ints strides(3, stride);
  return t.conv(x, {.from = from, .to = to, .kernel = kernel, .stride = strides, .bias = false, .gain = gain});
}

inline std::string segResBlock(TorchExport& t, const std::string& x, int64_t channels) {
  const auto unit = [&](const std::string& in, float gain) {
    return segResConv(t, t.relu(t.groupNorm(in, t.makeGroupNorm(channels, 8))), channels, channels, 3, 1, gain);
  };
  return t.add(unit(unit(x, kReluGain), 0.7F), x);
}

inline std::string segResUp(TorchExport& t, const std::string& x, int64_t from) {
  const std::string half = segResConv(t, x, from, from / 2, 1, 1, 1);
  const std::string scales = t.node("Constant", {}).tensor("value", {{5}, std::vector<float>{1, 1, 2, 2, 2}});
  return t.node("Resize", {half, "", scales})
      .text("coordinate_transformation_mode", "half_pixel")
      .real("cubic_coeff_a", -0.75F)
      .text("mode", "linear")
      .text("nearest_mode", "floor")
      .output();
}

/// Stages of 1, 2, 2, 4 blocks down and 1, 1, 1 up.
/// @param filters  width of the first stage, doubled by each: 8 or 16 in the real one; divisible by 8.
/// @param image  (N, channels, D, H, W), sides divisible by 8, input "image"; output "logits" (N, classes, D, H, W).
inline OnnxBuilder segResNet(int64_t filters, int64_t classes, const nn::Shape& image) {
  TorchExport t;
  std::string x = segResConv(t, t.input("image", image), image[1], filters);
  std::vector<std::string> skips;
  int64_t width = filters;
  for (const int blocks : {1, 2, 2, 4}) {
    if (!skips.empty()) {
      x = segResConv(t, x, width, 2 * width, 3, 2, 1);
      width *= 2;
    }
    for (int i = 0; i < blocks; ++i) x = segResBlock(t, x, width);
    skips.push_back(x);
  }
  for (int level = 2; level >= 0; --level) {
    x = t.add(segResUp(t, x, width), skips[static_cast<size_t>(level)]);
    width /= 2;
    x = segResBlock(t, x, width);
  }
  x = t.relu(t.groupNorm(x, t.makeGroupNorm(width, 8)));
  t.conv(x, {.from = width, .to = classes, .kernel = 1, .gain = 1});
  t.output("logits", 5);
  return t.take();
}

}  // namespace lynceus::test
