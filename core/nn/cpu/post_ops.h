// Activations as oneDNN knows them, alone and behind a convolution.
#pragma once

#include <optional>

#include "core/nn/activation.h"
#include "core/nn/cpu/kernel.h"

namespace lynceus::nn::cpu {

struct Eltwise {
  dnnl::algorithm algorithm;
  float alpha, beta;
};

/// The oneDNN form of an activation operator, where there is one that means the same.
std::optional<Eltwise> eltwise(const std::string& op, float alpha, float beta);

/// What the fusion pass moved into this node: the residual to add (input 3), then the activation.
dnnl::primitive_attr fusedAttribute(const OpCall& call);

}  // namespace lynceus::nn::cpu
