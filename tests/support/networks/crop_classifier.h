// A small classifier of crops.
#pragma once

#include <string>
#include <vector>

#include "tests/support/onnx_builder.h"

namespace lynceus::test {

/// conv3-ReLU-MaxPool stacks, global average, dropout, linear, softmax: a classifier of crops.
inline OnnxBuilder cropClassifier(const std::vector<int64_t>& channels, const nn::Shape& image) {
  OnnxBuilder b;
  std::string x = b.input("image", image);
  int64_t from = image[1];
  unsigned seed = 1;
  for (const int64_t to : channels) {
    x = b.node("Conv", {x, b.weights({to, from, 3, 3, 3}, seed), b.weights({to}, seed + 1)})
            .ints("pads", {1, 1, 1, 1, 1, 1});
    x = b.node("MaxPool", {b.node("Relu", {x}).output()}).ints("kernel_shape", {2, 2, 2}).ints("strides", {2, 2, 2});
    from = to;
    seed += 10;
  }
  x = b.node("Flatten", {b.node("GlobalAveragePool", {x}).output()});
  x = b.node("Dropout", {x});
  x = b.node("Gemm", {x, b.weights({2, from}, 91), b.weights({2}, 92)}).integer("transB", 1);
  x = b.node("Softmax", {x}).integer("axis", -1);
  b.output(x, 2);
  return b;
}

}  // namespace lynceus::test
