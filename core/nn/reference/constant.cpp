// Operators that make or convert numbers without computing: Constant, ConstantOfShape, Shape, Cast, CastLike.
#include <algorithm>

#include "core/nn/onnx.pb.h"
#include "core/nn/reference/convert.h"
#include "core/nn/reference/kernel.h"

namespace lynceus::nn::reference {
namespace {

// The tensor of a Constant node, whichever attribute holds it.
Expected<Tensor> constantValue(const OpCall& call) {
  if (call.hasAttribute("value")) return call.attribute<Tensor>("value", {});
  if (call.hasAttribute("value_float")) return Tensor{{}, std::vector<float>{call.real("value_float", 0)}};
  if (call.hasAttribute("value_int")) return Tensor{{}, std::vector<int64_t>{call.integer("value_int", 0)}};
  if (call.hasAttribute("value_floats")) {
    auto values = call.attribute<std::vector<float>>("value_floats", {});
    return Tensor{{static_cast<int64_t>(values.size())}, std::move(values)};
  }
  if (call.hasAttribute("value_ints")) {
    auto values = call.integers("value_ints");
    return Tensor{{static_cast<int64_t>(values.size())}, std::move(values)};
  }
  return call.refuse("has no numeric value");
}

Expected<std::vector<ValueType>> inferConstant(const OpCall& call) {
  const auto value = constantValue(call);
  if (!value) return passError(value);
  return oneOutput(value->shape, value->type());
}

std::vector<Tensor> constant(const OpCall& call, const std::vector<ValueType>&) {
  return oneTensor(*constantValue(call));
}

Expected<std::vector<ValueType>> inferConstantOfShape(const OpCall& call) {
  const auto shape = call.constantInts(0);
  if (!shape) return call.refuse("the shape is only known while running: export with fixed shapes");
  const auto value = call.attribute<Tensor>("value", Tensor::zeros({1}));
  if (elementCount(value.shape) != 1) return call.refuse("value has {} elements", elementCount(value.shape));
  return oneOutput(*shape, value.type());
}

std::vector<Tensor> constantOfShape(const OpCall& call, const std::vector<ValueType>& outputs) {
  const auto value = call.attribute<Tensor>("value", Tensor::zeros({1}));
  const auto count = static_cast<size_t>(elementCount(outputs[0].shape));
  return std::visit(
      [&](const auto& values) {
        return oneTensor({outputs[0].shape, std::decay_t<decltype(values)>(count, values[0])});
      },
      value.data);
}

// start and end came with opset 15; both are clamped to the rank.
Shape shapeSlice(const OpCall& call) {
  const Shape& in = call.shape(0);
  const auto rank = static_cast<int64_t>(in.size());
  const auto position = [&](int64_t i) { return std::clamp<int64_t>(i < 0 ? i + rank : i, 0, rank); };
  const int64_t start = position(call.integer("start", 0)), end = position(call.integer("end", rank));
  return start < end ? Shape(in.begin() + start, in.begin() + end) : Shape{};
}

Expected<std::vector<ValueType>> inferShape(const OpCall& call) {
  return oneOutput({static_cast<int64_t>(shapeSlice(call).size())}, Type::i64);
}

std::vector<Tensor> shape(const OpCall& call, const std::vector<ValueType>& outputs) {
  return oneTensor({outputs[0].shape, shapeSlice(call)});
}

using Proto = onnx::TensorProto;

bool isBool(const OpCall& call) { return call.node().op == "Cast" && call.integer("to", 0) == Proto::BOOL; }

Expected<std::vector<ValueType>> inferCast(const OpCall& call) {
  switch (const int64_t to = call.integer("to", 0)) {
    case Proto::FLOAT:
    case Proto::DOUBLE:
    case Proto::FLOAT16:
    case Proto::BFLOAT16: return oneOutput(call.shape(0));  // all computed in float
    case Proto::INT8: return oneOutput(call.shape(0), Type::i8);
    case Proto::UINT8: return oneOutput(call.shape(0), Type::u8);
    case Proto::BOOL:
    case Proto::INT16:
    case Proto::UINT16:
    case Proto::INT32:
    case Proto::UINT32:
    case Proto::INT64: return oneOutput(call.shape(0), Type::i64);
    default: return call.refuse("cannot cast to type {}: cast to float, int32, int64, int8 or uint8", to);
  }
}

std::vector<Tensor> cast(const OpCall& call, const std::vector<ValueType>& outputs) {
  const Tensor& in = *call.input(0).value;
  Tensor out = Tensor::zeros(in.shape, outputs[0].type);
  std::visit(
      [&](const auto& from, auto& to) {
        using To = typename std::decay_t<decltype(to)>::value_type;
        for (size_t i = 0; i < to.size(); ++i)
          to[i] = isBool(call) ? static_cast<To>(from[i] != 0) : converted<To>(from[i]);
      },
      in.data, out.data);
  return oneTensor(std::move(out));
}

Expected<std::vector<ValueType>> inferCastLike(const OpCall& call) {
  return oneOutput(call.shape(0), call.input(1).type.type);
}

LYN_REGISTER_OP(reference, "Constant", opset(1, 21), (Kernel{inferConstant, constant, 0, 0}));
LYN_REGISTER_OP(reference, "ConstantOfShape", opset(9, 21),
                (Kernel{inferConstantOfShape, constantOfShape, 1, 1, Accepts::anything}));
LYN_REGISTER_OP(reference, "Shape", opset(1, 21), (Kernel{inferShape, shape, 1, 1, Accepts::anything}));
LYN_REGISTER_OP(reference, "Cast", opset(6, 21), (Kernel{inferCast, cast, 1, 1, Accepts::anything}));
LYN_REGISTER_OP(reference, "CastLike", opset(15, 21), (Kernel{inferCastLike, cast, 2, 2, Accepts::anything}));

}  // namespace
}  // namespace lynceus::nn::reference
