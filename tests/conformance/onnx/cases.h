// The models that are compared with ONNX Runtime: every operator in several shapes, and small whole networks.
#pragma once

#include <string>
#include <vector>

#include "core/nn/tensor.h"
#include "tests/support/onnx_builder.h"

namespace lynceus::test {

struct ConformanceCase {
  std::string name;
  OnnxBuilder model;
  std::vector<nn::NamedTensor> inputs;
};

std::vector<ConformanceCase> operatorCases();
std::vector<ConformanceCase> networkCases();

}  // namespace lynceus::test
