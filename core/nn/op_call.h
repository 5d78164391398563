// One use of an operator: the node with what is known about its inputs. Shape inference and every backend read it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "core/nn/graph.h"

namespace lynceus::nn {

/// The order in memory. channelsLast: N, [D, [H,]] W, C for the logical N, C, [D, [H,]] W; a device's choice.
enum class Layout : uint8_t { rowMajor, channelsLast };

struct ValueType {
  Shape shape;
  Type type = Type::f32;
  Layout layout = Layout::rowMajor;

  bool isFloat() const { return isFloating(type); }
  size_t bytes() const { return static_cast<size_t>(elementCount(shape)) * bytesOf(type); }
};

struct Operand {
  ValueType type;
  const Tensor* value = nullptr;  ///< during shape inference only for constants, while running always
};

/// Refers to the node and the constants; valid as long as they are.
class OpCall {
 public:
  OpCall(const Node& node, int opset, std::vector<std::optional<Operand>> inputs)
      : m_node(node), m_opset(opset), m_inputs(std::move(inputs)) {}

  const Node& node() const { return m_node; }
  int opset() const { return m_opset; }

  size_t inputCount() const { return m_inputs.size(); }
  bool has(size_t i) const { return i < m_inputs.size() && m_inputs[i]; }
  const Operand& input(size_t i) const { return *m_inputs[i]; }
  const Shape& shape(size_t i) const { return m_inputs[i]->type.shape; }
  const float* floats(size_t i) const { return m_inputs[i]->value->floats().data(); }

  /// The values of a constant integer input; nothing where it is absent or not known at compile time.
  std::optional<std::vector<int64_t>> constantInts(size_t i) const;
  /// The same for a float input.
  std::optional<std::vector<float>> constantFloats(size_t i) const;
  /// True if the input is present but only known while running: fatal for inputs that decide shapes.
  bool isDynamic(size_t i) const { return has(i) && !m_inputs[i]->value; }

  /// Attributes, or the fallback where the node has none; resolve() has refused those of another type
  /// (attribute_types.h).
  template <class T>
  T attribute(const std::string& name, T fallback) const {
    const auto it = m_node.attributes.find(name);
    if (it == m_node.attributes.end()) return fallback;
    const T* value = std::get_if<T>(&it->second);
    return value ? *value : fallback;
  }
  int64_t integer(const std::string& name, int64_t fallback) const { return attribute<int64_t>(name, fallback); }
  float real(const std::string& name, float fallback) const { return attribute<float>(name, fallback); }
  std::string text(const std::string& name, const char* fallback) const {
    return attribute<std::string>(name, fallback);
  }
  std::vector<int64_t> integers(const std::string& name, std::vector<int64_t> fallback = {}) const {
    return attribute<std::vector<int64_t>>(name, std::move(fallback));
  }
  bool hasAttribute(const std::string& name) const { return m_node.attributes.count(name) != 0; }

  /// `node "conv1" (Conv): <reason>`
  template <class... Args>
  tl::unexpected<Error> refuse(fmt::format_string<Args...> reason, Args&&... args) const {
    return makeError(ErrorCode::unsupported, "node \"{}\" ({}): {}", m_node.name, m_node.op,
                     fmt::format(reason, std::forward<Args>(args)...));
  }

 private:
  const Node& m_node;
  int m_opset;
  std::vector<std::optional<Operand>> m_inputs;
};

/// Networks of windowed attention in 3D reach 8.
inline constexpr size_t kMostDimensions = 16;

/// "1x32x64x64x64"
std::string shapeText(const Shape& shape);

/// Number of elements, or nothing if a dimension is negative, the product of those that are not 0 exceeds 2^40 (then
/// strides cannot overflow either), or there are too many dimensions.
std::optional<int64_t> checkedCount(const Shape& shape);

/// ONNX axis in [-rank, rank) as one in [0, rank), or nothing.
std::optional<int64_t> checkedAxis(int64_t axis, int64_t rank);

/// NumPy broadcasting of two shapes, or nothing if they do not fit.
std::optional<Shape> broadcast(const Shape& a, const Shape& b);

/// Row-major strides in elements.
Shape stridesOf(const Shape& shape);

/// Strides in elements of a row-major operand that is read in the order of a shape it broadcasts to: 0 where it
/// repeats.
Shape broadcastStrides(const Shape& to, const Shape& operand);

}  // namespace lynceus::nn
