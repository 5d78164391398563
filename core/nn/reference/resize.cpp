#include "core/nn/resize_plan.h"

#include <algorithm>

#include "core/nn/reference/convert.h"
#include "core/nn/reference/kernel.h"
#include "core/parallel.h"

namespace lynceus::nn::reference {
namespace {

Expected<std::vector<ValueType>> inferResize(const OpCall& call) {
  const Type type = call.input(0).type.type;
  if (!isFloating(type) && call.text("mode", "nearest") != "nearest")
    return call.refuse("the input holds integers, which only the mode nearest keeps");
  const auto plan = resizePlan(call);
  if (!plan) return passError(plan);
  return oneOutput(plan->output, type);
}

// The number at position i of a line of the axis. Integers are only chosen, never mixed.
template <class Number>
Number valueAt(const ResizeAxis& axis, size_t i, const Number* line, int64_t step) {
  if constexpr (std::is_floating_point_v<Number>) {
    if (axis.taps > 0) {
      Number sum = 0;
      for (size_t t = i * static_cast<size_t>(axis.taps); t < (i + 1) * static_cast<size_t>(axis.taps); ++t)
        sum += axis.weight[t] * line[axis.source[t] * step];
      return sum;
    }
    const Number low = line[axis.low[i] * step], high = line[axis.high[i] * step];
    if (axis.highWeight[i] != 0) return low + (high - low) * axis.highWeight[i];
  }
  return line[axis.low[i] * step];
}

// Positions that lie outside of the input along any axis.
template <class T>
void extrapolate(const ResizePlan& plan, std::vector<T>& values) {
  const Shape strides = stridesOf(plan.output);
  for (size_t d = 0; d < plan.axes.size(); ++d) {
    const std::vector<bool>& outside = plan.axes[d].outside;
    if (outside.empty()) continue;
    for (int64_t i = 0; i < static_cast<int64_t>(values.size()); ++i)
      if (outside[i / strides[d] % plan.output[d]]) values[i] = converted<T>(plan.extrapolation);
  }
}

// The axes that shrink the image most come first: in between it never holds more numbers than before or after.
std::vector<size_t> axisOrder(const ResizePlan& plan, const Shape& in) {
  std::vector<size_t> order;
  for (size_t d = 0; d < in.size(); ++d)
    if (!plan.axes[d].unchanged) order.push_back(d);
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return plan.output[a] * in[b] < plan.output[b] * in[a]; });
  return order;
}

// Along one axis after the other; floats in double.
template <class T>
std::vector<T> resized(const OpCall& call, const std::vector<T>& input) {
  using Number = std::conditional_t<std::is_floating_point_v<T>, double, T>;
  const ResizePlan plan = *resizePlan(call);
  Shape shape = call.shape(0);
  std::vector<Number> values(input.begin(), input.end());
  for (const size_t d : axisOrder(plan, shape)) {
    const ResizeAxis& axis = plan.axes[d];
    const int64_t inner = stridesOf(shape)[d], size = shape[d], outer = elementCount(shape) / (inner * size);
    const int64_t positions = plan.output[d];
    std::vector<Number> next(static_cast<size_t>(outer * positions * inner));
    parallelForLarge(outer * positions, outer * positions * inner, [&](int64_t i) {
      const Number* line = values.data() + i / positions * size * inner;
      for (int64_t k = 0; k < inner; ++k) next[i * inner + k] = valueAt(axis, i % positions, line + k, inner);
    });
    values = std::move(next);
    shape[d] = positions;
  }
  std::vector<T> result(values.begin(), values.end());
  extrapolate(plan, result);
  return result;
}

std::vector<Tensor> resize(const OpCall& call, const std::vector<ValueType>& outputs) {
  return std::visit(
      [&](const auto& input) {
        return oneTensor({outputs[0].shape, resized(call, input)});
      },
      call.input(0).value->data);
}

double resizeWork(const OpCall& call, const std::vector<ValueType>&) {
  const ResizePlan plan = *resizePlan(call);
  int64_t taps = 0;  // of all axes
  for (const ResizeAxis& axis : plan.axes) taps += axis.unchanged ? 0 : std::max<int64_t>(axis.taps, 2);
  return static_cast<double>(taps) *
         static_cast<double>(std::max(elementCount(call.shape(0)), *checkedCount(plan.output)));
}

LYN_REGISTER_OP(reference, "Resize", opset(10, 21), (Kernel{inferResize, resize, 1, 4, Accepts::anything, resizeWork}));
LYN_REGISTER_OP(reference, "Upsample", opset(7, 9), (Kernel{inferResize, resize, 1, 2, Accepts::anything, resizeWork}));

}  // namespace
}  // namespace lynceus::nn::reference
