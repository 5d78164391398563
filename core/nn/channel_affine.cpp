#include "core/nn/channel_affine.h"

#include <cmath>

namespace lynceus::nn {

ChannelAffine batchNormAffine(const std::array<std::vector<float>, 4>& p, float epsilon) {
  ChannelAffine a;
  for (size_t c = 0; c < p[0].size(); ++c) {
    a.scale.push_back(p[0][c] / std::sqrt(static_cast<double>(p[3][c]) + epsilon));
    a.shift.push_back(p[1][c] - p[2][c] * a.scale[c]);
  }
  return a;
}

std::optional<ChannelAffine> batchNormAffine(const OpCall& call) {
  std::array<std::vector<float>, 4> parameters;
  for (size_t i = 0; i < parameters.size(); ++i) {
    const auto values = call.constantFloats(i + 1);
    if (!values) return std::nullopt;
    parameters[i] = *values;
  }
  return batchNormAffine(parameters, call.real("epsilon", 1e-5F));
}

void multiplyInto(const ChannelAffine& affine, bool transposed, Tensor& weights, Tensor& bias) {
  const auto channels = static_cast<int64_t>(affine.scale.size());
  const int64_t perGroup = transposed ? weights.shape[1] : weights.shape[0];
  const int64_t rows = transposed ? weights.shape[0] : 1;  // transposed: (C, M/g, taps), group after group
  const int64_t groups = channels / perGroup;
  const auto inner = static_cast<int64_t>(weights.floats().size()) / (rows * perGroup);
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t m = 0; m < perGroup; ++m)
      for (int64_t i = 0; i < inner; ++i) {
        const int64_t channel = (transposed ? row / (rows / groups) * perGroup : 0) + m;
        float& w = weights.floats()[(row * perGroup + m) * inner + i];
        w = static_cast<float>(w * affine.scale[channel]);
      }
  for (int64_t c = 0; c < channels; ++c)
    bias.floats()[c] = static_cast<float>(bias.floats()[c] * affine.scale[c] + affine.shift[c]);
}

}  // namespace lynceus::nn
