// What every Executable checks before it runs.
#pragma once

#include <vector>

#include "core/error.h"
#include "core/nn/graph.h"

namespace lynceus::nn {

/// @return an error if the tensors are not what the graph was compiled for.
inline Expected<void> checkRunInputs(const Graph& graph, const std::vector<Tensor>& inputs) {
  if (inputs.size() != graph.inputs.size())
    return makeError(ErrorCode::wrongUse, "the network takes {} inputs, not {}", graph.inputs.size(), inputs.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    const ValueInfo& expected = graph.inputs[i];
    if (!inputs[i].isFloat() || inputs[i].shape != expected.shape ||
        inputs[i].floats().size() != static_cast<size_t>(elementCount(expected.shape)))
      return makeError(ErrorCode::wrongUse, "input \"{}\" is not the float tensor of shape {} it was compiled for",
                       expected.name, fmt::join(expected.shape, "x"));
  }
  return {};
}

}  // namespace lynceus::nn
