// A scale and a shift for each channel, such as BatchNormalization, multiplied into the convolution before it.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "core/nn/op_call.h"

namespace lynceus::nn {

/// y = x * scale + shift for each channel.
struct ChannelAffine {
  std::vector<double> scale, shift;
};

/// @param parameters  scale, bias, mean and variance of BatchNormalization, one number for each channel.
ChannelAffine batchNormAffine(const std::array<std::vector<float>, 4>& parameters, float epsilon);
/// Of such a node; nothing where a parameter is not constant.
std::optional<ChannelAffine> batchNormAffine(const OpCall& call);

/// Changes the weights and the bias so that the convolution gives what the affine made of its result.
/// @param weights  (M, C/groups, taps) or, transposed, (C, M/groups, taps) for the M channels of the affine.
/// @param bias     M numbers.
void multiplyInto(const ChannelAffine& affine, bool transposed, Tensor& weights, Tensor& bias);

}  // namespace lynceus::nn
