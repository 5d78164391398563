#include "core/nn/op_call.h"

#include <algorithm>

namespace lynceus::nn {

std::optional<std::vector<int64_t>> OpCall::constantInts(size_t i) const {
  if (!has(i) || !input(i).value || input(i).type.type != Type::i64) return std::nullopt;
  return input(i).value->ints();
}

std::optional<std::vector<float>> OpCall::constantFloats(size_t i) const {
  if (!has(i) || !input(i).value || !input(i).type.isFloat()) return std::nullopt;
  return input(i).value->floats();
}

std::string shapeText(const Shape& shape) {
  if (shape.empty()) return "scalar";
  if (shape.size() > kMostDimensions) return fmt::format("of {} dimensions", shape.size());
  return fmt::format("{}", fmt::join(shape, "x"));
}

std::optional<int64_t> checkedCount(const Shape& shape) {
  constexpr int64_t kMost = int64_t{1} << 40;
  if (shape.size() > kMostDimensions) return std::nullopt;
  int64_t n = 1;
  for (const int64_t d : shape) {
    if (d < 0 || (d > 0 && n > kMost / d)) return std::nullopt;
    n *= std::max<int64_t>(d, 1);
  }
  return std::find(shape.begin(), shape.end(), 0) == shape.end() ? n : 0;
}

std::optional<int64_t> checkedAxis(int64_t axis, int64_t rank) {
  if (axis < -rank || axis >= rank) return std::nullopt;
  return axis < 0 ? axis + rank : axis;
}

std::optional<Shape> broadcast(const Shape& a, const Shape& b) {
  Shape out(std::max(a.size(), b.size()), 1);
  for (size_t i = 0; i < out.size(); ++i) {
    const int64_t da = i < a.size() ? a[a.size() - 1 - i] : 1;
    const int64_t db = i < b.size() ? b[b.size() - 1 - i] : 1;
    if (da != db && da != 1 && db != 1) return std::nullopt;
    out[out.size() - 1 - i] = da == 1 ? db : da;
  }
  return out;
}

Shape stridesOf(const Shape& shape) {
  Shape strides(shape.size(), 1);
  for (size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
  return strides;
}

Shape broadcastStrides(const Shape& to, const Shape& operand) {
  const Shape own = stridesOf(operand);
  Shape strides(to.size(), 0);
  for (size_t i = 0; i < operand.size(); ++i)
    if (operand[i] != 1) strides[to.size() - operand.size() + i] = own[i];
  return strides;
}

}  // namespace lynceus::nn
