// Turns the tensors of an ONNX file into ours.
#pragma once

#include <filesystem>

#include "core/error.h"
#include "core/nn/onnx.pb.h"
#include "core/nn/tensor.h"

namespace lynceus::nn {

/// @param folder  where external data lies; empty refuses external data. The error does not name the tensor.
Expected<Tensor> readOnnxTensor(const onnx::TensorProto& proto, const std::filesystem::path& folder);

/// The opposite, data inside the file: values and shape; a name that is there stays.
void writeOnnxTensor(const Tensor& tensor, onnx::TensorProto& proto);

/// "float16"
std::string onnxTypeName(int dataType);

}  // namespace lynceus::nn
