// Numbers with a shape: what goes into and comes out of a network.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace lynceus::nn {

using Shape = std::vector<int64_t>;

inline int64_t elementCount(const Shape& shape) {
  int64_t n = 1;
  for (const int64_t d : shape) n *= d;
  return n;
}

/// How numbers are stored. Files know more types: the importer makes f32 of every floating type, i64 of bool and of
/// every integer but 8 bit. bf16 exists inside a device only, never in a Tensor.
enum class Type : uint8_t { f32, i64, i8, u8, bf16 };

constexpr size_t bytesOf(Type type) {
  switch (type) {
    case Type::i64: return 8;
    case Type::f32: return 4;
    case Type::bf16: return 2;
    default: return 1;
  }
}

constexpr bool isFloating(Type type) { return type == Type::f32 || type == Type::bf16; }

/// A dense tensor, last dimension fastest (ONNX order: N, C, D, H, W).
struct Tensor {
  Shape shape;
  std::variant<std::vector<float>, std::vector<int64_t>, std::vector<int8_t>, std::vector<uint8_t>> data;

  Type type() const { return static_cast<Type>(data.index()); }  // the variant is in the order of Type
  bool isFloat() const { return data.index() == 0; }
  std::vector<float>& floats() { return std::get<0>(data); }
  const std::vector<float>& floats() const { return std::get<0>(data); }
  std::vector<int64_t>& ints() { return std::get<1>(data); }
  const std::vector<int64_t>& ints() const { return std::get<1>(data); }
  /// Number of values there are; agrees with the shape in every tensor that was checked.
  size_t size() const {
    return std::visit([](const auto& values) { return values.size(); }, data);
  }
  const void* bytes() const {
    return std::visit([](const auto& values) { return static_cast<const void*>(values.data()); }, data);
  }
  void* bytes() {
    return std::visit([](auto& values) { return static_cast<void*>(values.data()); }, data);
  }

  /// @param type  any but bf16.
  static Tensor zeros(Shape shape, Type type = Type::f32) {
    const auto n = static_cast<size_t>(elementCount(shape));
    switch (type) {
      case Type::i64: return {std::move(shape), std::vector<int64_t>(n)};
      case Type::i8: return {std::move(shape), std::vector<int8_t>(n)};
      case Type::u8: return {std::move(shape), std::vector<uint8_t>(n)};
      default: return {std::move(shape), std::vector<float>(n)};
    }
  }
};

struct NamedTensor {
  std::string name;
  Tensor tensor;
};

}  // namespace lynceus::nn
