// Turns the tensors of an ONNX file into ours.
#pragma once

#include <cstdint>
#include <filesystem>

#include "core/error.h"
#include "core/nn/onnx.pb.h"
#include "core/nn/tensor.h"

namespace lynceus::nn {

/// The files beside a model that hold its weights.
struct ExternalData {
  std::filesystem::path folder;             ///< where they lie; empty refuses external data
  uint64_t bytesLeft = uint64_t{16} << 30;  ///< that the model may still read: many tensors may name the same bytes
};

/// Reads external data straight into the tensor. The error does not name the tensor.
Expected<Tensor> readOnnxTensor(const onnx::TensorProto& proto, ExternalData& external);
/// The same for a file whose data are inside.
Expected<Tensor> readOnnxTensor(const onnx::TensorProto& proto);

/// The opposite, data inside the file: values and shape; a name that is there stays.
void writeOnnxTensor(const Tensor& tensor, onnx::TensorProto& proto);

/// "float16"
std::string onnxTypeName(int dataType);

}  // namespace lynceus::nn
