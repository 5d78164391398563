// A small residual U-Net that marks lesions.
#pragma once

#include <string>

#include "tests/support/onnx_builder.h"

namespace lynceus::test {

/// conv3-BatchNorm-ReLU-conv3-BatchNorm, plus the input, ReLU.
inline std::string residualBlock(OnnxBuilder& b, const std::string& x, int64_t channels, unsigned seed) {
  const auto convolve = [&](const std::string& from, unsigned s) {
    const std::string y =
        b.node("Conv", {from, b.weights({channels, channels, 3, 3, 3}, s)}).ints("pads", {1, 1, 1, 1, 1, 1});
    return b
        .node("BatchNormalization",
              {y, b.constant(randomTensor({channels}, s + 1, 0.5F, 1)), b.weights({channels}, s + 2),
               b.weights({channels}, s + 3), b.constant(randomTensor({channels}, s + 4, 0.5F, 1.5F))})
        .output();
  };
  const std::string middle = b.node("Relu", {convolve(x, seed)});
  const std::string sum = b.node("Add", {convolve(middle, seed + 10), x});
  return b.node("Relu", {sum});
}

/// Input "image" (batch, 1, D, H, W), sides divisible by 8; outputs "heat" (sigmoid) and "box" (7 channels) at half
/// size. 1 -> c (k4 s2), residual blocks at c, 2c, 4c, up by transposed convolutions, 1x1x1 heads.
inline OnnxBuilder residualUNet(int64_t c, const nn::Shape& image) {
  OnnxBuilder b;
  const auto down = [&](const std::string& x, int64_t from, int64_t to, int64_t k, unsigned seed) {
    return b
        .node("Relu", {b.node("Conv", {x, b.weights({to, from, k, k, k}, seed), b.weights({to}, seed + 1)})
                           .ints("strides", {2, 2, 2})
                           .ints("pads", {1, 1, 1, 1, 1, 1})
                           .output()})
        .output();
  };
  const auto up = [&](const std::string& x, const std::string& skip, int64_t from, int64_t to, unsigned seed) {
    const std::string big =
        b.node("ConvTranspose", {x, b.weights({from, to, 2, 2, 2}, seed), b.weights({to}, seed + 1)})
            .ints("strides", {2, 2, 2});
    const std::string both = b.node("Concat", {big, skip}).integer("axis", 1);
    return b
        .node("Relu", {b.node("Conv", {both, b.weights({to, 2 * to, 3, 3, 3}, seed + 2), b.weights({to}, seed + 3)})
                           .ints("pads", {1, 1, 1, 1, 1, 1})
                           .output()})
        .output();
  };
  const auto head = [&](const std::string& x, const char* name, int64_t channels, bool sigmoid, unsigned seed) {
    auto conv = b.node("Conv", {x, b.weights({channels, c, 1, 1, 1}, seed), b.weights({channels}, seed + 1)});
    const auto last = sigmoid ? b.node("Sigmoid", {conv.output()}) : conv;
    b.graph().mutable_node(b.graph().node_size() - 1)->set_output(0, name);
    b.output(name, 5);
    return last;
  };
  const std::string x = b.input("image", image);
  const std::string level1 = residualBlock(b, down(x, 1, c, 4, 1), c, 100);
  const std::string level2 = residualBlock(b, down(level1, c, 2 * c, 3, 11), 2 * c, 200);
  std::string deep = residualBlock(b, down(level2, 2 * c, 4 * c, 3, 21), 4 * c, 300);
  deep = residualBlock(b, deep, 4 * c, 400);
  const std::string back2 = residualBlock(b, up(deep, level2, 4 * c, 2 * c, 31), 2 * c, 500);
  const std::string back1 = residualBlock(b, up(back2, level1, 2 * c, c, 41), c, 600);
  head(back1, "heat", 1, true, 51);
  head(back1, "box", 7, false, 61);
  return b;
}

}  // namespace lynceus::test
