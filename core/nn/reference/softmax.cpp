// Softmax, LogSoftmax and Hardmax. Since opset 13 over one axis; before, over all axes from `axis` on.
#include <algorithm>
#include <cmath>

#include "core/nn/reference/axis_lines.h"
#include "core/nn/reference/kernel.h"
#include "core/parallel.h"

namespace lynceus::nn::reference {
namespace {

int64_t defaultAxis(const OpCall& call) { return call.opset() < 13 ? 1 : -1; }

Expected<std::vector<ValueType>> inferSoftmax(const OpCall& call) {
  if (const auto axis = axisOf(call, defaultAxis(call)); !axis) return passError(axis);
  return sameAsInput(call);
}

AxisLines linesOf(const OpCall& call) {
  const Shape& shape = call.shape(0);
  const size_t axis = *axisOf(call, defaultAxis(call));
  if (call.opset() >= 13) return linesAlong(shape, axis);
  const int64_t size = elementCount(Shape(shape.begin() + static_cast<int64_t>(axis), shape.end()));
  return {size == 0 ? 0 : elementCount(shape) / size, size, 1};
}

void softmaxLine(const AxisLines& lines, const float* x, float* y) {
  const int64_t step = lines.step;
  float largest = x[0];
  for (int64_t i = 1; i < lines.size; ++i) largest = std::max(largest, x[i * step]);
  double sum = 0;
  for (int64_t i = 0; i < lines.size; ++i) sum += std::exp(static_cast<double>(x[i * step]) - largest);
  for (int64_t i = 0; i < lines.size; ++i)
    y[i * step] = static_cast<float>(std::exp(static_cast<double>(x[i * step]) - largest) / sum);
}

void logSoftmaxLine(const AxisLines& lines, const float* x, float* y) {
  const int64_t step = lines.step;
  float largest = x[0];
  for (int64_t i = 1; i < lines.size; ++i) largest = std::max(largest, x[i * step]);
  double sum = 0;
  for (int64_t i = 0; i < lines.size; ++i) sum += std::exp(static_cast<double>(x[i * step]) - largest);
  const double shift = largest + std::log(sum);
  for (int64_t i = 0; i < lines.size; ++i) y[i * step] = static_cast<float>(x[i * step] - shift);
}

// 1 at the first largest number, 0 elsewhere.
void hardmaxLine(const AxisLines& lines, const float* x, float* y) {
  int64_t best = 0;
  for (int64_t i = 1; i < lines.size; ++i)
    if (x[i * lines.step] > x[best * lines.step]) best = i;
  y[best * lines.step] = 1;
}

template <void (*kLine)(const AxisLines&, const float*, float*)>
std::vector<Tensor> softmax(const OpCall& call, const std::vector<ValueType>& outputs) {
  Tensor out = Tensor::zeros(outputs[0].shape);
  const AxisLines lines = linesOf(call);
  parallelForLarge(lines.count, elementCount(out.shape), [&](int64_t line) {
    kLine(lines, call.floats(0) + lines.first(line), out.floats().data() + lines.first(line));
  });
  return oneTensor(std::move(out));
}

LYN_REGISTER_OP(reference, "Softmax", opset(1, 21), (Kernel{inferSoftmax, softmax<softmaxLine>, 1, 1}));
LYN_REGISTER_OP(reference, "LogSoftmax", opset(1, 21), (Kernel{inferSoftmax, softmax<logSoftmaxLine>, 1, 1}));
LYN_REGISTER_OP(reference, "Hardmax", opset(1, 21), (Kernel{inferSoftmax, softmax<hardmaxLine>, 1, 1}));

}  // namespace
}  // namespace lynceus::nn::reference
