// Operators that map each number on its own, with up to two parameters.
#pragma once

#include <optional>
#include <string>

#include "core/nn/op_call.h"

namespace lynceus::nn {

struct Activation {
  float (*apply)(float x, float alpha, float beta);
  float alpha = 0, beta = 0;
};

/// Names of all of them, such as Relu (alpha, beta unused), LeakyRelu (alpha: slope), Clip (alpha..beta).
const std::vector<std::string>& activationOperators();

/// The function and parameters of such a node; Clip's limits may be attributes or constant inputs.
Expected<Activation> activation(const OpCall& call);

/// The activation that the fusion pass moved into a node of another operator (passes/fuse.h), if it did.
std::optional<Activation> fusedActivation(const OpCall& call);

}  // namespace lynceus::nn
