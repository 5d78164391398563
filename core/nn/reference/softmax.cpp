#include <algorithm>
#include <cmath>

#include "core/nn/reference/kernel.h"

namespace lynceus::nn::reference {
namespace {

Expected<std::vector<ValueType>> inferSoftmax(const OpCall& call) {
  const int64_t axis = call.integer("axis", call.opset() < 13 ? 1 : -1);
  if (!checkedAxis(axis, static_cast<int64_t>(call.shape(0).size())))
    return call.refuse("axis {} for an input of shape {}", axis, shapeText(call.shape(0)));
  return sameAsInput(call);
}

// Since opset 13 over one axis; before, over all axes from `axis` on.
std::vector<Tensor> softmax(const OpCall& call, const std::vector<ValueType>& outputs) {
  Tensor out = Tensor::zeros(outputs[0].shape);
  const bool old = call.opset() < 13;
  const Shape& shape = out.shape;
  const auto axis =
      static_cast<size_t>(*checkedAxis(call.integer("axis", old ? 1 : -1), static_cast<int64_t>(shape.size())));
  const int64_t inner = old ? 1 : stridesOf(shape)[axis];
  const int64_t size = old ? stridesOf(shape)[axis] * shape[axis] : shape[axis];
  const int64_t lines = size == 0 ? 0 : elementCount(shape) / size;
  for (int64_t line = 0; line < lines; ++line) {
    const int64_t first = line / inner * inner * size + line % inner;
    const float* x = call.floats(0) + first;
    float* y = out.floats().data() + first;
    float largest = x[0];
    for (int64_t i = 1; i < size; ++i) largest = std::max(largest, x[i * inner]);
    double sum = 0;
    for (int64_t i = 0; i < size; ++i) sum += std::exp(static_cast<double>(x[i * inner]) - largest);
    for (int64_t i = 0; i < size; ++i)
      y[i * inner] = static_cast<float>(std::exp(static_cast<double>(x[i * inner]) - largest) / sum);
  }
  return oneTensor(std::move(out));
}

LYN_REGISTER_OP(reference, "Softmax", opset(1, 21), (Kernel{inferSoftmax, softmax, 1, 1}));

}  // namespace
}  // namespace lynceus::nn::reference
