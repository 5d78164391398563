#include "core/nn/resize_plan.h"

#include "core/nn/reference/kernel.h"

namespace lynceus::nn::reference {
namespace {

Expected<std::vector<ValueType>> inferResize(const OpCall& call) {
  const Type type = call.input(0).type.type;
  if (type == Type::i64) return call.refuse("the input holds 64-bit integers");
  if (!isFloating(type) && call.text("mode", "nearest") != "nearest")
    return call.refuse("the input holds integers, which only the mode nearest keeps");
  const auto plan = resizePlan(call);
  if (!plan) return passError(plan);
  return oneOutput(plan->output, type);
}

// Interpolates along one axis after the other, in double.
template <class T>
std::vector<T> resized(const OpCall& call, const std::vector<T>& input) {
  const ResizePlan plan = *resizePlan(call);
  Shape shape = call.shape(0);
  std::vector<double> values(input.begin(), input.end());
  for (size_t d = 0; d < shape.size(); ++d) {
    const ResizeAxis& axis = plan.axes[d];
    if (axis.unchanged) continue;
    const int64_t inner = stridesOf(shape)[d], size = shape[d], outer = elementCount(shape) / (inner * size);
    std::vector<double> next;
    for (int64_t o = 0; o < outer; ++o)
      for (size_t i = 0; i < axis.low.size(); ++i)
        for (int64_t k = 0; k < inner; ++k) {
          const double low = values[(o * size + axis.low[i]) * inner + k];
          const double high = values[(o * size + axis.high[i]) * inner + k];
          next.push_back(axis.highWeight[i] == 0 ? low : low + (high - low) * axis.highWeight[i]);
        }
    values = std::move(next);
    shape[d] = plan.output[d];
  }
  return std::vector<T>(values.begin(), values.end());
}

std::vector<Tensor> resize(const OpCall& call, const std::vector<ValueType>& outputs) {
  return std::visit(
      [&](const auto& input) {
        return oneTensor({outputs[0].shape, resized(call, input)});
      },
      call.input(0).value->data);
}

LYN_REGISTER_OP(reference, "Resize", opset(10, 21), (Kernel{inferResize, resize, 1, 4, Accepts::anything}));
LYN_REGISTER_OP(reference, "Upsample", opset(7, 9), (Kernel{inferResize, resize, 1, 2, Accepts::anything}));

}  // namespace
}  // namespace lynceus::nn::reference
