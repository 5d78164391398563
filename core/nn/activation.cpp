#include "core/nn/activation.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "core/nn/passes/fuse.h"

namespace lynceus::nn {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr double kHalfRoot2 = 0.70710678118654752440;
constexpr double kRootOf2OverPi = 0.79788456080286535588;

struct Definition {
  float (*apply)(float x, float alpha, float beta);
  float alpha, beta;  // defaults
};

float gelu(float x, float, float) { return static_cast<float>(0.5 * x * (1 + std::erf(x * kHalfRoot2))); }
float geluByTanh(float x, float, float) {
  const double t = std::tanh(kRootOf2OverPi * (x + 0.044715 * std::pow(static_cast<double>(x), 3)));
  return static_cast<float>(0.5 * x * (1 + t));
}
float softplus(float x) { return std::max(x, 0.0F) + std::log1p(std::exp(-std::fabs(x))); }
float hardSigmoid(float x, float alpha, float beta) { return std::max(0.0F, std::min(1.0F, alpha * x + beta)); }
float celu(float x, float alpha, float) { return std::max(x, 0.0F) + std::min(0.0F, alpha * std::expm1(x / alpha)); }
float selu(float x, float alpha, float gamma) { return gamma * (x > 0 ? x : alpha * std::expm1(x)); }
float shrink(float x, float bias, float threshold) {
  return x < -threshold ? x + bias : x > threshold ? x - bias : 0.0F;
}

// Definitions and defaults: ONNX operator documentation. A function, so that kernels can register before main().
const std::map<std::string, Definition>& definitions() {
  static const std::map<std::string, Definition> table = {
      {"Abs", {[](float x, float, float) { return std::fabs(x); }, 0, 0}},
      {"Acos", {[](float x, float, float) { return std::acos(x); }, 0, 0}},
      {"Acosh", {[](float x, float, float) { return std::acosh(x); }, 0, 0}},
      {"Asin", {[](float x, float, float) { return std::asin(x); }, 0, 0}},
      {"Asinh", {[](float x, float, float) { return std::asinh(x); }, 0, 0}},
      {"Atan", {[](float x, float, float) { return std::atan(x); }, 0, 0}},
      {"Atanh", {[](float x, float, float) { return std::atanh(x); }, 0, 0}},
      {"Ceil", {[](float x, float, float) { return std::ceil(x); }, 0, 0}},
      {"Celu", {celu, 1, 0}},
      {"Clip",
       {[](float x, float low, float high) { return std::min(std::max(x, low), high); }, -kInfinity, kInfinity}},
      {"Cos", {[](float x, float, float) { return std::cos(x); }, 0, 0}},
      {"Cosh", {[](float x, float, float) { return std::cosh(x); }, 0, 0}},
      {"Elu", {[](float x, float alpha, float) { return x > 0 ? x : alpha * std::expm1(x); }, 1, 0}},
      {"Erf", {[](float x, float, float) { return std::erf(x); }, 0, 0}},
      {"Exp", {[](float x, float, float) { return std::exp(x); }, 0, 0}},
      {"Floor", {[](float x, float, float) { return std::floor(x); }, 0, 0}},
      {"Gelu", {gelu, 0, 0}},
      {"HardSigmoid", {hardSigmoid, 0.2F, 0.5F}},
      {"HardSwish", {[](float x, float, float) { return x * hardSigmoid(x, 1.0F / 6, 0.5F); }, 0, 0}},
      {"LeakyRelu", {[](float x, float slope, float) { return x < 0 ? slope * x : x; }, 0.01F, 0}},
      {"Log", {[](float x, float, float) { return std::log(x); }, 0, 0}},
      {"Mish", {[](float x, float, float) { return x * std::tanh(softplus(x)); }, 0, 0}},
      {"Neg", {[](float x, float, float) { return -x; }, 0, 0}},
      {"Reciprocal", {[](float x, float, float) { return 1 / x; }, 0, 0}},
      {"Relu", {[](float x, float, float) { return std::max(x, 0.0F); }, 0, 0}},
      {"Round", {[](float x, float, float) { return std::nearbyint(x); }, 0, 0}},  // half to even
      {"Selu", {selu, 1.67326319217681884765625F, 1.05070102214813232421875F}},
      {"Shrink", {shrink, 0, 0.5F}},
      {"Sigmoid", {[](float x, float, float) { return 1 / (1 + std::exp(-x)); }, 0, 0}},
      {"Sign", {[](float x, float, float) { return static_cast<float>((x > 0) - (x < 0)); }, 0, 0}},
      {"Sin", {[](float x, float, float) { return std::sin(x); }, 0, 0}},
      {"Sinh", {[](float x, float, float) { return std::sinh(x); }, 0, 0}},
      {"Softplus", {[](float x, float, float) { return softplus(x); }, 0, 0}},
      {"Softsign", {[](float x, float, float) { return x / (1 + std::fabs(x)); }, 0, 0}},
      {"Sqrt", {[](float x, float, float) { return std::sqrt(x); }, 0, 0}},
      {"Tan", {[](float x, float, float) { return std::tan(x); }, 0, 0}},
      {"Tanh", {[](float x, float, float) { return std::tanh(x); }, 0, 0}},
      {"ThresholdedRelu", {[](float x, float alpha, float) { return x > alpha ? x : 0.0F; }, 1, 0}},
  };
  return table;
}

// Gelu exactly or by a hyperbolic tangent (Hendrycks and Gimpel 2016).
Expected<Activation> geluOf(const OpCall& call) {
  const std::string approximation = call.text("approximate", "none");
  if (approximation != "none" && approximation != "tanh")
    return call.refuse("unknown approximation \"{}\"", approximation);
  return Activation{approximation == "tanh" ? geluByTanh : gelu, 0, 0};
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
  const std::string& op = call.node().op;
  if (op == "Clip") return clip(call, a);
  if (op == "Gelu") return geluOf(call);
  if (op == "Selu") return Activation{a.apply, call.real("alpha", a.alpha), call.real("gamma", a.beta)};
  if (op == "Shrink") return Activation{a.apply, call.real("bias", a.alpha), call.real("lambd", a.beta)};
  if (op == "Celu" && call.real("alpha", a.alpha) == 0) return call.refuse("alpha is 0");
  return Activation{a.apply, call.real("alpha", a.alpha), call.real("beta", a.beta)};
}

std::optional<Activation> fusedActivation(const OpCall& call) {
  const auto it = definitions().find(call.text(kFusedActivation, ""));
  if (it == definitions().end()) return std::nullopt;
  return Activation{it->second.apply, call.real(kFusedAlpha, 0), call.real(kFusedBeta, 0)};
}

}  // namespace lynceus::nn
