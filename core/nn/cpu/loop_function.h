// Activations as loops over floats that the compiler turns into vector code: for what oneDNN has no form of, and behind
// a kernel of our own.
#pragma once

#include <optional>

#include "core/nn/cpu/kernel.h"

namespace lynceus::nn::cpu {

/// run(x, y, count, alpha, beta): y = f(x) for count numbers; x and y may be the same.
struct LoopFunction {
  void (*run)(const float*, float*, int64_t, float, float) = nullptr;
  float alpha = 0, beta = 0;

  explicit operator bool() const { return run != nullptr; }
  void operator()(const float* x, float* y, int64_t count) const { run(x, y, count, alpha, beta); }
};

/// Of an activation operator with the parameters of nn::Activation; nothing where there is no vector form.
std::optional<LoopFunction> loopFunction(const std::string& op, float alpha, float beta);

/// What the fusion pass moved into this node: false where there is nothing. An error names an activation without loop.
Expected<LoopFunction> fusedLoop(const OpCall& call);

}  // namespace lynceus::nn::cpu
