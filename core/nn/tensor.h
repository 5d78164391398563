// Numbers with a shape: what goes into and comes out of a network.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace lynceus::nn {

using Shape = std::vector<int64_t>;

inline int64_t elementCount(const Shape& shape) {
  int64_t n = 1;
  for (const int64_t d : shape) n *= d;
  return n;
}

/// A dense tensor, last dimension fastest (ONNX order: N, C, D, H, W). Float data, or int64 for shapes and axes.
struct Tensor {
  Shape shape;
  std::variant<std::vector<float>, std::vector<int64_t>> data;

  bool isFloat() const { return data.index() == 0; }
  std::vector<float>& floats() { return std::get<0>(data); }
  const std::vector<float>& floats() const { return std::get<0>(data); }
  std::vector<int64_t>& ints() { return std::get<1>(data); }
  const std::vector<int64_t>& ints() const { return std::get<1>(data); }

  static Tensor zeros(Shape shape) {
    const auto n = static_cast<size_t>(elementCount(shape));
    return {std::move(shape), std::vector<float>(n)};
  }
};

struct NamedTensor {
  std::string name;
  Tensor tensor;
};

}  // namespace lynceus::nn
