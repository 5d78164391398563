// The two rewritings of an ONNX file that quantisation consists of. What they do not touch stays as it is.
#pragma once

#include <span>

#include "core/error.h"
#include "core/nn/quantize.h"
#include "core/nn/quantize_plan.h"

namespace lynceus::nn {

std::string dequantizedName(const std::string& value);

/// Raises the opset to 13, makes initialisers of Constant nodes and folds batch normalisation into convolutions.
/// @param model  a file that a device has compiled: shapes fit, constants can be read.
Expected<void> prepareToQuantize(onnx::ModelProto& model, const std::string& file);

/// Puts QuantizeLinear and DequantizeLinear behind the values of the plan and makes int8 of the weights.
/// @param values  one for each group of the plan, in its order.
Expected<void> insertQuantization(onnx::ModelProto& model, const QuantizePlan& plan,
                                  std::span<const QuantizedValue> values, const std::string& file);

}  // namespace lynceus::nn
