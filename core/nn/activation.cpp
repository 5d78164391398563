#include "core/nn/activation.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "core/nn/passes/fuse.h"

namespace lynceus::nn {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

struct Definition {
  float (*apply)(float x, float alpha, float beta);
  float alpha, beta;  // defaults
};

// Definitions and defaults: ONNX operator documentation. A function, so that kernels can register before main().
const std::map<std::string, Definition>& definitions() {
  static const std::map<std::string, Definition> table = {
      {"Abs", {[](float x, float, float) { return std::fabs(x); }, 0, 0}},
      {"Ceil", {[](float x, float, float) { return std::ceil(x); }, 0, 0}},
      {"Clip",
       {[](float x, float low, float high) { return std::min(std::max(x, low), high); }, -kInfinity, kInfinity}},
      {"Elu", {[](float x, float alpha, float) { return x > 0 ? x : alpha * std::expm1(x); }, 1, 0}},
      {"Erf", {[](float x, float, float) { return std::erf(x); }, 0, 0}},
      {"Exp", {[](float x, float, float) { return std::exp(x); }, 0, 0}},
      {"Floor", {[](float x, float, float) { return std::floor(x); }, 0, 0}},
      {"HardSigmoid",
       {[](float x, float alpha, float beta) { return std::max(0.0F, std::min(1.0F, alpha * x + beta)); }, 0.2F, 0.5F}},
      {"LeakyRelu", {[](float x, float slope, float) { return x < 0 ? slope * x : x; }, 0.01F, 0}},
      {"Log", {[](float x, float, float) { return std::log(x); }, 0, 0}},
      {"Neg", {[](float x, float, float) { return -x; }, 0, 0}},
      {"Relu", {[](float x, float, float) { return std::max(x, 0.0F); }, 0, 0}},
      {"Sigmoid", {[](float x, float, float) { return 1 / (1 + std::exp(-x)); }, 0, 0}},
      {"Softplus",
       {[](float x, float, float) { return std::max(x, 0.0F) + std::log1p(std::exp(-std::fabs(x))); }, 0, 0}},
      {"Sqrt", {[](float x, float, float) { return std::sqrt(x); }, 0, 0}},
      {"Tanh", {[](float x, float, float) { return std::tanh(x); }, 0, 0}},
  };
  return table;
}

// Clip takes its limits as attributes before opset 11 and as inputs since.
Expected<Activation> clip(const OpCall& call, Activation a) {
  if (call.opset() < 11) {
    a.alpha = call.real("min", a.alpha);
    a.beta = call.real("max", a.beta);
    return a;
  }
  for (const size_t i : {size_t{1}, size_t{2}}) {
    if (!call.has(i)) continue;
    const auto limit = call.constantFloats(i);
    if (!limit || limit->size() != 1) return call.refuse("the limits must be constant scalars");
    (i == 1 ? a.alpha : a.beta) = limit->front();
  }
  return a;
}

}  // namespace

const std::vector<std::string>& activationOperators() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const auto& [name, definition] : definitions()) all.push_back(name);
    return all;
  }();
  return names;
}

Expected<Activation> activation(const OpCall& call) {
  const auto it = definitions().find(call.node().op);
  if (it == definitions().end()) return call.refuse("not an activation");
  const Definition& d = it->second;
  const Activation a{d.apply, d.alpha, d.beta};
  if (call.node().op == "Clip") return clip(call, a);
  return Activation{a.apply, call.real("alpha", a.alpha), call.real("beta", a.beta)};
}

std::optional<Activation> fusedActivation(const OpCall& call) {
  const auto it = definitions().find(call.text(kFusedActivation, ""));
  if (it == definitions().end()) return std::nullopt;
  return Activation{it->second.apply, call.real(kFusedAlpha, 0), call.real(kFusedBeta, 0)};
}

}  // namespace lynceus::nn
