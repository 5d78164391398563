// The residual detector of lung nodules that won the Data Science Bowl 2017, the shape of many detectors since.
#pragma once

#include "tests/support/networks/torch_export.h"

namespace lynceus::test {

/// conv3-BatchNorm-ReLU-conv3-BatchNorm, plus the input (through conv1-BatchNorm where the width changes), ReLU.
inline std::string dsbBlock(TorchExport& t, const std::string& x, int64_t from, int64_t to) {
  const auto unit = [&](const std::string& in, int64_t channels, int64_t kernel, float gain) {
    return t.batchNorm(t.conv(in, {.from = channels, .to = to, .kernel = kernel, .gain = gain}), to);
  };
  const std::string middle = t.relu(unit(x, from, 3, kReluGain));
  const std::string residual = unit(middle, to, 3, 0.5F);
  return t.relu(t.add(residual, from == to ? x : unit(x, from, 1, 1)));
}

inline std::string dsbStage(TorchExport& t, std::string x, int64_t from, int64_t to, int blocks) {
  for (int i = 0; i < blocks; ++i) x = dsbBlock(t, x, i == 0 ? from : to, to);
  return x;
}

/// Widths are multiples of `base`, 8 in the real one: 24 before the first pooling, 32, 64, 64, 64 down, 64, 128 up.
/// Inputs "image" (N, 1, D, H, W), sides divisible by 16, and "coord" (N, 3, D/4, H/4, W/4), where each voxel lies;
/// output "boxes" (N, D/4, H/4, W/4, 3, 5): a logit and a box for each of three anchors. 335 GFLOP at 128^3.
inline OnnxBuilder dsbRes18(int64_t base, const nn::Shape& image) {
  TorchExport t;
  const auto quarter = [](int64_t side) { return side < 0 ? side : side / 4; };
  std::string x = t.input("image", image);
  const std::string coord = t.input("coord", {image[0], 3, quarter(image[2]), quarter(image[3]), quarter(image[4])});
  const auto pool = [&](const std::string& in) { return t.maxPool(in, 2, 2, 0, 2); };  // with indices nobody uses
  const auto up = [&](const std::string& in) {
    return t.relu(t.batchNorm(t.convTranspose(in, 8 * base, 8 * base, true), 8 * base));
  };
  for (const int64_t from : {int64_t{1}, 3 * base})
    x = t.relu(t.batchNorm(t.conv(x, {.from = from, .to = 3 * base}), 3 * base));
  x = dsbStage(t, pool(x), 3 * base, 4 * base, 2);
  const std::string level4 = dsbStage(t, pool(x), 4 * base, 8 * base, 2);
  const std::string level8 = dsbStage(t, pool(level4), 8 * base, 8 * base, 3);
  x = dsbStage(t, pool(level8), 8 * base, 8 * base, 3);
  x = dsbStage(t, t.concatChannels({up(x), level8}), 16 * base, 8 * base, 3);
  x = dsbStage(t, t.concatChannels({up(x), level4, coord}), 16 * base + 3, 16 * base, 3);
  x = t.relu(t.conv(x, {.from = 16 * base, .to = 8 * base, .kernel = 1}));
  x = t.conv(x, {.from = 8 * base, .to = 15, .kernel = 1, .gain = 1});
  const std::string flat = t.joinSizes({t.sizeOf(x, 0), t.sizeOf(x, 1), t.ints({-1})});
  const std::string full =
      t.joinSizes({t.sizeOf(x, 0), t.sizeOf(x, 2), t.sizeOf(x, 3), t.sizeOf(x, 4), t.ints({3}), t.ints({5})});
  const std::string rows = t.node("Reshape", {x, flat});
  const std::string turned = t.node("Transpose", {rows}).ints("perm", {0, 2, 1});
  t.node("Reshape", {turned, full});
  t.output("boxes", 6);
  return t.take();
}

}  // namespace lynceus::test
