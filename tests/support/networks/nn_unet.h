// The plain convolutional U-Net that nnU-Net plans for CT.
#pragma once

#include "tests/support/networks/torch_export.h"

namespace lynceus::test {

/// Twice conv3-InstanceNorm-LeakyReLU, the first with `stride`.
inline std::string nnUNetStage(TorchExport& t, std::string x, int64_t from, int64_t to, int64_t stride) {
  for (int i = 0; i < 2; ++i) {
    const TorchExport::Ints strides(3, i == 0 ? stride : 1);
    x = t.conv(x, {.from = i == 0 ? from : to, .to = to, .stride = strides});
    x = t.leakyRelu(t.instanceNorm(x, to, true));
  }
  return x;
}

/// @param features  width of each stage; each but the first halves the size: 32, 64, 128, 256, 320, 320 at 128^3.
/// @param image  (N, 1, D, H, W), input "image"; output "logits" (N, classes, D, H, W).
inline OnnxBuilder nnUNet(const std::vector<int64_t>& features, int64_t classes, const nn::Shape& image) {
  TorchExport t;
  std::string x = t.input("image", image);
  std::vector<std::string> skips;
  int64_t from = image[1];
  for (const int64_t to : features) {
    x = nnUNetStage(t, x, from, to, skips.empty() ? 1 : 2);
    skips.push_back(x);
    from = to;
  }
  for (size_t i = features.size() - 1; i-- > 0;) {
    const std::string up = t.convTranspose(x, from, features[i], true);
    x = nnUNetStage(t, t.concatChannels({up, skips[i]}), 2 * features[i], features[i], 1);
    from = features[i];
  }
  t.conv(x, {.from = from, .to = classes, .kernel = 1, .gain = 1});
  t.output("logits", 5);
  return t.take();
}

}  // namespace lynceus::test
