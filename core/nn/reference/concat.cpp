#include <algorithm>

#include "core/nn/reference/kernel.h"

namespace lynceus::nn::reference {
namespace {

Expected<std::vector<ValueType>> inferConcat(const OpCall& call) {
  Shape out = call.shape(0);
  const auto axis = checkedAxis(call.integer("axis", 1), static_cast<int64_t>(out.size()));
  if (!axis) return call.refuse("axis {} for inputs of shape {}", call.integer("axis", 1), shapeText(out));
  out[*axis] = 0;
  for (size_t i = 0; i < call.inputCount(); ++i) {
    if (!call.has(i)) return call.refuse("input {} is missing", i);
    Shape rest = call.shape(i);
    const int64_t length = rest.size() == out.size() ? rest[*axis] : 0;
    if (rest.size() == out.size()) rest[*axis] = out[*axis];
    if (rest != out || call.input(i).type.type != call.input(0).type.type)
      return call.refuse("inputs of shapes {} and {} do not fit along axis {}", shapeText(call.shape(0)),
                         shapeText(call.shape(i)), *axis);
    out[*axis] += length;
  }
  return oneOutput(std::move(out), call.input(0).type.type);
}

template <class T>
std::vector<T> join(const OpCall& call, const Shape& out, size_t axis) {
  int64_t outer = 1;
  for (size_t d = 0; d < axis; ++d) outer *= out[d];
  std::vector<T> result;
  result.reserve(static_cast<size_t>(elementCount(out)));
  for (int64_t o = 0; o < outer; ++o)
    for (size_t i = 0; i < call.inputCount(); ++i) {
      const auto& part = std::get<std::vector<T>>(call.input(i).value->data);
      const auto length = static_cast<int64_t>(part.size()) / outer;
      result.insert(result.end(), part.begin() + o * length, part.begin() + (o + 1) * length);
    }
  return result;
}

std::vector<Tensor> concat(const OpCall& call, const std::vector<ValueType>& outputs) {
  const Shape& shape = outputs[0].shape;
  const auto axis = static_cast<size_t>(*checkedAxis(call.integer("axis", 1), static_cast<int64_t>(shape.size())));
  Tensor result = Tensor::zeros(shape, outputs[0].type);
  if (elementCount(shape) == 0) return oneTensor(std::move(result));
  std::visit(
      [&](auto& values) { values = join<typename std::decay_t<decltype(values)>::value_type>(call, shape, axis); },
      result.data);
  return oneTensor(std::move(result));
}

LYN_REGISTER_OP(reference, "Concat", opset(4, 21), (Kernel{inferConcat, concat, 1, 4096, Accepts::anything}));

}  // namespace
}  // namespace lynceus::nn::reference
