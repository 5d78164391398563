#include "core/nn/cpu/loop_function.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>

#include "core/nn/passes/fuse.h"

namespace lynceus::nn::cpu {
namespace {

// e^x = 2^n * e^r with |r| <= ln(2) / 2; Taylor's series of e^r to r^7 is off by less than 2^-27 there. In two factors
// 2^n reaches infinity and 0, the results of the limits of x.
inline float exponential(float x) {
  constexpr float kLog2E = 1.44269504F, kLn2High = 0.693359375F, kLn2Low = -2.12194440e-4F;
  constexpr float kToInteger = 12582912;  // 1.5 * 2^23: adding it rounds to an integer
  x = x < -104.0F ? -104.0F : x;
  x = x > 89.0F ? 89.0F : x;
  const float shifted = x * kLog2E + kToInteger;
  const float n = shifted - kToInteger;
  const float r = (x - n * kLn2High) - n * kLn2Low;
  float sum = 1.0F / 5040;
  sum = sum * r + 1.0F / 720;
  sum = sum * r + 1.0F / 120;
  sum = sum * r + 1.0F / 24;
  sum = sum * r + 1.0F / 6;
  sum = sum * r + 0.5F;
  sum = sum * r + 1;
  sum = sum * r + 1;
  const int32_t exponent = std::bit_cast<int32_t>(shifted) - std::bit_cast<int32_t>(kToInteger);
  const int32_t half = exponent >> 1;
  return sum * std::bit_cast<float>((half + 127) << 23) * std::bit_cast<float>((exponent - half + 127) << 23);
}

inline float sigmoid(float x) { return 1 / (1 + exponential(-x)); }

// Below 1 Maclaurin's series, 2 / sqrt(pi) * sum of (-1)^n x^(2n + 1) / (n! (2n + 1)): its relative error is the first
// term that is left out, 1 / (11! * 23) or 1e-9. Above, Abramowitz and Stegun 7.1.26: off by at most 1.5e-7 of 0.84.
inline float errorFunction(float x) {
  const float a = std::fabs(x), square = a * a, t = 1 / (1 + 0.3275911F * a);
  const float sum =
      ((((1.061405429F * t - 1.453152027F) * t + 1.421413741F) * t - 0.284496736F) * t + 0.254829592F) * t;
  const float far = std::copysign(1 - sum * exponential(-square), x);
  float series = 1.0F / 76204800;
  series = series * square - 1.0F / 6894720;
  series = series * square + 1.0F / 685440;
  series = series * square - 1.0F / 75600;
  series = series * square + 1.0F / 9360;
  series = series * square - 1.0F / 1320;
  series = series * square + 1.0F / 216;
  series = series * square - 1.0F / 42;
  series = series * square + 1.0F / 10;
  series = series * square - 1.0F / 3;
  series = series * square + 1;
  constexpr float kTwoOverRootPi = 1.12837917F;
  return a < 1 ? kTwoOverRootPi * x * series : far;
}

// A lambda without captures as a loop of its own.
template <class F>
constexpr auto loopOf(F) {
  return [](const float* x, float* y, int64_t count, [[maybe_unused]] float alpha, [[maybe_unused]] float beta) {
    const F f{};
#pragma omp simd
    for (int64_t i = 0; i < count; ++i) y[i] = f(x[i], alpha, beta);
  };
}

using Run = void (*)(const float*, float*, int64_t, float, float);

const std::map<std::string, Run>& loops() {
  static const std::map<std::string, Run> table = {
      {"Abs", loopOf([](float x, float, float) { return std::fabs(x); })},
      {"Clip", loopOf([](float x, float low, float high) {
         const float atLeast = x < low ? low : x;
         return high < atLeast ? high : atLeast;
       })},
      {"Erf", loopOf([](float x, float, float) { return errorFunction(x); })},
      {"Exp", loopOf([](float x, float, float) { return exponential(x); })},
      {"HardSigmoid", loopOf([](float x, float alpha, float beta) {
         const float y = alpha * x + beta;
         return y < 0 ? 0 : y > 1 ? 1 : y;
       })},
      {"LeakyRelu", loopOf([](float x, float slope, float) { return x < 0 ? slope * x : x; })},
      {"Neg", loopOf([](float x, float, float) { return -x; })},
      {"Reciprocal", loopOf([](float x, float, float) { return 1 / x; })},
      {"Relu", loopOf([](float x, float, float) { return x < 0 ? 0 : x; })},
      {"Sigmoid", loopOf([](float x, float, float) { return sigmoid(x); })},
      {"Softsign", loopOf([](float x, float, float) { return x / (1 + std::fabs(x)); })},
      {"Sqrt", loopOf([](float x, float, float) { return std::sqrt(x); })},
      {"ThresholdedRelu", loopOf([](float x, float alpha, float) { return x > alpha ? x : 0; })},
  };
  return table;
}

}  // namespace

std::optional<LoopFunction> loopFunction(const std::string& op, float alpha, float beta) {
  const auto it = loops().find(op);
  if (it == loops().end()) return std::nullopt;
  return LoopFunction{it->second, alpha, beta};
}

Expected<LoopFunction> fusedLoop(const OpCall& call) {
  const std::string op = call.text(kFusedActivation, "");
  if (op.empty()) return LoopFunction{};
  const auto loop = loopFunction(op, call.real(kFusedAlpha, 0), call.real(kFusedBeta, 0));
  if (!loop) return call.refuse("the activation {} cannot be fused into it", op);
  return *loop;
}

}  // namespace lynceus::nn::cpu
