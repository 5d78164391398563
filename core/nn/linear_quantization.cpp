#include "core/nn/linear_quantization.h"

#include "core/nn/onnx.pb.h"

namespace lynceus::nn {

Expected<QuantizationAxis> quantizationAxis(const OpCall& call) {
  if (call.integer("block_size", 0) != 0)
    return call.refuse("quantisation by blocks (block_size {}) is not supported: quantise per tensor or per axis",
                       call.integer("block_size", 0));
  const Shape &x = call.shape(0), &scale = call.shape(1);
  if (!call.input(1).type.isFloat()) return call.refuse("the scale holds integers");
  if (call.has(2) && elementCount(call.shape(2)) != elementCount(scale))
    return call.refuse("a zero point of shape {} for a scale of shape {}", shapeText(call.shape(2)), shapeText(scale));
  if (scale.size() > 1) return call.refuse("the scale has shape {}: it must be one number or a row", shapeText(scale));
  if (elementCount(scale) == 1) return QuantizationAxis{};
  const int64_t stated = call.integer("axis", 1);
  const auto axis = checkedAxis(stated, static_cast<int64_t>(x.size()));
  if (!axis || x[*axis] != scale[0])
    return call.refuse("a scale of {} numbers does not fit axis {} of an input of shape {}", scale[0], stated,
                       shapeText(x));
  return QuantizationAxis{scale[0], elementCount(Shape(x.begin() + *axis + 1, x.end()))};
}

Expected<Type> quantizedType(const OpCall& call) {
  const int64_t stated = call.integer("output_dtype", 0);
  std::optional<Type> type;
  if (stated == onnx::TensorProto::UINT8) type = Type::u8;
  if (stated == onnx::TensorProto::INT8) type = Type::i8;
  if (stated != 0 && !type) return call.refuse("output_dtype {} is not supported: quantise to int8 or uint8", stated);
  if (!call.has(2)) return type.value_or(Type::u8);
  const Type zeroPoint = call.input(2).type.type;
  if (zeroPoint != Type::i8 && zeroPoint != Type::u8)
    return call.refuse("the zero point is neither int8 nor uint8: quantise to one of them");
  if (type && *type != zeroPoint) return call.refuse("output_dtype {} is not the type of the zero point", stated);
  return zeroPoint;
}

}  // namespace lynceus::nn
