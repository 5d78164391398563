// Medical3DNet: a classifier of crops around candidates.
#pragma once

#include "tests/support/networks/torch_export.h"

namespace lynceus::test {

/// conv3-ReLU-MaxPool for each of `channels`, then Flatten, linear to `hidden`, linear to 2, softmax.
/// @param image  (N, 1, D, H, W), input "image"; N may be open, the others not. Output "probability" (N, 2).
/// 32, 64, 128, 256 and 512 at 64^3 are the real one: 6.8 GFLOP.
inline OnnxBuilder medical3DNet(const std::vector<int64_t>& channels, int64_t hidden, const nn::Shape& image) {
  TorchExport t;
  std::string x = t.input("image", image);
  nn::Shape size{image[2], image[3], image[4]};
  int64_t from = image[1];
  for (const int64_t to : channels) {
    x = t.maxPool(t.relu(t.conv(x, {.from = from, .to = to})), 2, 2, 0);
    from = to;
    for (int64_t& side : size) side /= 2;
  }
  x = t.node("Flatten", {x}).integer("axis", 1);
  x = t.relu(t.gemm(x, from * nn::elementCount(size), hidden, kReluGain));
  x = t.gemm(x, hidden, 2, 0.3F);
  t.node("Softmax", {x}).integer("axis", 1);
  t.output("probability", 2);
  return t.take();
}

}  // namespace lynceus::test
