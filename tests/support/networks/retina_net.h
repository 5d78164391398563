// MONAI's RetinaNet for lung nodules: ResNet-50 up to its second stage, a feature pyramid, two heads shared over
// levels.
#pragma once

#include <array>

#include "tests/support/networks/torch_export.h"

namespace lynceus::test {

/// The first block of a stage widens by conv1 and may halve the size. BatchNorm is folded, as the exporter does.
inline std::string bottleneck(TorchExport& t, const std::string& x, int64_t from, int64_t width, int64_t stride) {
  const TorchExport::Ints strides(3, stride);
  std::string y = t.relu(t.conv(x, {.from = from, .to = width, .kernel = 1}));
  y = t.relu(t.conv(y, {.from = width, .to = width, .stride = strides}));
  y = t.conv(y, {.from = width, .to = 4 * width, .kernel = 1, .gain = 0.5F});
  if (from == 4 * width) return t.relu(t.add(y, x));
  return t.relu(t.add(y, t.conv(x, {.from = from, .to = 4 * width, .kernel = 1, .stride = strides, .gain = 1})));
}

/// Four times conv3-GroupNorm(8)-ReLU and a last conv3, with the same weights on every level.
class RetinaHead {
 public:
  RetinaHead(TorchExport& t, int64_t channels, int64_t outputs)
      : m_last(t.makeConv({.from = channels, .to = outputs, .gain = 1})) {
    for (int i = 0; i < 4; ++i) {
      m_convs.push_back(t.makeConv({.from = channels, .to = channels}));
      m_norms.push_back(t.makeGroupNorm(channels, 8));
    }
  }
  std::string apply(TorchExport& t, std::string x) const {
    for (size_t i = 0; i < m_convs.size(); ++i) x = t.relu(t.groupNorm(t.conv(x, m_convs[i]), m_norms[i]));
    return t.conv(x, m_last);
  }

 private:
  ConvLayer m_last;
  std::vector<ConvLayer> m_convs;
  std::vector<GroupNormLayer> m_norms;
};

/// The coarse map at the size of the fine one by nearest neighbours, plus the fine one: sizes come from Shape.
inline std::string addUpsampled(TorchExport& t, const std::string& coarse, const std::string& fine) {
  const std::string target = t.node("Cast", {t.sizesOf(fine, 2, 5)}).integer("to", OnnxBuilder::Proto::INT64);
  const std::string sizes = t.joinSizes({t.sizesOf(coarse, 0, 2), target});
  const std::string big = t.node("Resize", {coarse, "", "", sizes})
                              .text("coordinate_transformation_mode", "asymmetric")
                              .real("cubic_coeff_a", -0.75F)
                              .text("mode", "nearest")
                              .text("nearest_mode", "floor");
  return t.add(fine, big);
}

/// @param base  width of the stem, 64 in the real one.  @param pyramid  width of the pyramid, 256; divisible by 8.
/// @param image  (N, 1, D, H, W), any may be open, input "image". Outputs for strides (4,4,2), (8,8,4), (16,16,8):
/// "cls_0..2" (3 anchors) and "box_0..2" (3 anchors x 6). 192x192x80 is the patch of its training.
inline OnnxBuilder monaiRetinaNet(int64_t base, int64_t pyramid, const nn::Shape& image) {
  TorchExport t;
  std::string x = t.input("image", image);
  x = t.relu(t.conv(x, {.from = 1, .to = base, .kernel = 7, .stride = {2, 2, 1}}));
  x = t.maxPool(x, 3, 2, 1);
  for (int i = 0; i < 3; ++i) x = bottleneck(t, x, i == 0 ? base : 4 * base, base, 1);
  const std::string layer1 = x;
  for (int i = 0; i < 4; ++i) x = bottleneck(t, x, i == 0 ? 4 * base : 8 * base, 2 * base, i == 0 ? 2 : 1);
  const std::string top = t.conv(x, {.from = 8 * base, .to = pyramid, .kernel = 1, .gain = 0.7F});
  const std::string lateral = t.conv(layer1, {.from = 4 * base, .to = pyramid, .kernel = 1, .gain = 0.7F});
  const ConvOptions smooth{.from = pyramid, .to = pyramid, .gain = 1};
  const std::string level1 = t.conv(top, smooth);
  const std::string level0 = t.conv(addUpsampled(t, top, lateral), smooth);
  const std::array levels{level0, level1, t.maxPool(level1, 1, 2, 0)};
  const RetinaHead classes(t, pyramid, 3), boxes(t, pyramid, 18);
  for (const auto& [head, name] : {std::pair{&classes, "cls_"}, std::pair{&boxes, "box_"}})
    for (size_t i = 0; i < levels.size(); ++i) {
      head->apply(t, levels[i]);
      t.output(name + std::to_string(i), 5);
    }
  return t.take();
}

}  // namespace lynceus::test
