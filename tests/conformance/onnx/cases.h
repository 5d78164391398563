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
  double bound = 0;  ///< absolute difference that is allowed beside rounding: a quantisation step where ties may differ
};

std::vector<ConformanceCase> operatorCases();
std::vector<ConformanceCase> networkCases();
std::vector<ConformanceCase> quantizedCases();

}  // namespace lynceus::test
