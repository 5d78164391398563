// QuantizeLinear, DequantizeLinear, DynamicQuantizeLinear.
#include "core/nn/linear_quantization.h"
#include "core/nn/reference/kernel.h"

namespace lynceus::nn::reference {
namespace {

Expected<std::vector<ValueType>> inferQuantize(const OpCall& call) {
  if (!call.input(0).type.isFloat()) return call.refuse("its input holds integers: dequantise it first");
  const auto axis = quantizationAxis(call);
  if (!axis) return passError(axis);
  const auto type = quantizedType(call);
  if (!type) return passError(type);
  return oneOutput(call.shape(0), *type);
}

std::vector<Tensor> quantizeLinear(const OpCall& call, const std::vector<ValueType>& outputs) {
  const QuantizationAxis axis = *quantizationAxis(call);
  Tensor out = Tensor::zeros(outputs[0].shape, outputs[0].type);
  const auto run = [&](auto& to) {
    using To = typename std::decay_t<decltype(to)>::value_type;
    const auto* zero = call.has(2) ? std::get<std::vector<To>>(call.input(2).value->data).data() : nullptr;
    for (size_t i = 0; i < to.size(); ++i) {
      const auto c = static_cast<int64_t>(i) / axis.inner % axis.channels;
      to[i] = quantize<To>(call.floats(0)[i], call.floats(1)[c], zero ? zero[c] : To{0});
    }
  };
  if (out.type() == Type::i8)
    run(std::get<std::vector<int8_t>>(out.data));
  else
    run(std::get<std::vector<uint8_t>>(out.data));
  return oneTensor(std::move(out));
}

// int32, which is i64 here, is the form of biases.
Expected<std::vector<ValueType>> inferDequantize(const OpCall& call) {
  if (call.input(0).type.isFloat()) return call.refuse("its input is float already");
  if (call.has(2) && call.input(2).type.type != call.input(0).type.type)
    return call.refuse("its zero point has another type than its input");
  const auto axis = quantizationAxis(call);
  if (!axis) return passError(axis);
  return oneOutput(call.shape(0));
}

std::vector<Tensor> dequantizeLinear(const OpCall& call, const std::vector<ValueType>& outputs) {
  const QuantizationAxis axis = *quantizationAxis(call);
  Tensor out = Tensor::zeros(outputs[0].shape);
  std::visit(
      [&](const auto& from) {
        using From = typename std::decay_t<decltype(from)>::value_type;
        const auto* zero = call.has(2) ? std::get<std::vector<From>>(call.input(2).value->data).data() : nullptr;
        for (size_t i = 0; i < from.size(); ++i) {
          const auto c = static_cast<int64_t>(i) / axis.inner % axis.channels;
          const double steps = static_cast<double>(from[i]) - (zero ? static_cast<double>(zero[c]) : 0.0);
          out.floats()[i] = static_cast<float>(steps) * call.floats(1)[c];
        }
      },
      call.input(0).value->data);
  return oneTensor(std::move(out));
}

Expected<std::vector<ValueType>> inferDynamicQuantize(const OpCall& call) {
  return std::vector<ValueType>{{call.shape(0), Type::u8}, {{}, Type::f32}, {{}, Type::u8}};
}

std::vector<Tensor> dynamicQuantizeLinear(const OpCall& call, const std::vector<ValueType>& outputs) {
  float low = 0, high = 0;  // the range always includes 0
  const std::vector<float>& x = call.input(0).value->floats();
  for (const float v : x) {
    low = std::min(low, v);
    high = std::max(high, v);
  }
  const float scale = high > low ? (high - low) / 255 : 1;
  const auto zero = quantize<uint8_t>(-low, scale, 0);
  Tensor y = Tensor::zeros(outputs[0].shape, Type::u8);
  auto& to = std::get<std::vector<uint8_t>>(y.data);
  for (size_t i = 0; i < to.size(); ++i) to[i] = quantize<uint8_t>(x[i], scale, zero);
  std::vector<Tensor> all = oneTensor(std::move(y));
  all.push_back({{}, std::vector<float>{scale}});
  all.push_back({{}, std::vector<uint8_t>{zero}});
  return all;
}

LYN_REGISTER_OP(reference, "QuantizeLinear", opset(10, 21),
                (Kernel{inferQuantize, quantizeLinear, 2, 3, Accepts::anything}));
LYN_REGISTER_OP(reference, "DequantizeLinear", opset(10, 21),
                (Kernel{inferDequantize, dequantizeLinear, 2, 3, Accepts::anything}));
LYN_REGISTER_OP(reference, "DynamicQuantizeLinear", opset(11, 21),
                (Kernel{inferDynamicQuantize, dynamicQuantizeLinear, 1, 1}));

}  // namespace
}  // namespace lynceus::nn::reference
