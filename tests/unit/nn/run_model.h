// Compiles and runs a model that a test built.
#pragma once

#include <gtest/gtest.h>

#include "core/compute/device.h"
#include "core/nn/onnx_import.h"
#include "tests/support/onnx_builder.h"

namespace lynceus::test {

inline Expected<std::vector<nn::Tensor>> runModel(const OnnxBuilder& model, const char* device,
                                                  const std::vector<nn::NamedTensor>& inputs,
                                                  const compute::CompileOptions& options = {}) {
  const auto graph = nn::parseOnnx(model.bytes(), "test");
  if (!graph) return passError(graph);
  std::map<std::string, nn::Shape> shapes;
  std::vector<nn::Tensor> tensors;
  for (const auto& input : inputs) {
    shapes[input.name] = input.tensor.shape;
    tensors.push_back(input.tensor);
  }
  auto executable = (*compute::openDevice(device))->compile(*graph, shapes, options);
  if (!executable) return passError(executable);
  return (*executable)->run(tensors);
}

/// One input "x", one output.
inline nn::Tensor runOne(const OnnxBuilder& model, const char* device, const nn::Tensor& x) {
  auto outputs = runModel(model, device, {{"x", x}});
  EXPECT_TRUE(outputs) << outputs.error().message;
  return outputs ? outputs->front() : nn::Tensor{};
}

}  // namespace lynceus::test
