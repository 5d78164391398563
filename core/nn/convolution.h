// What the weights of Conv and ConvTranspose say, checked; shared by shape inference and every backend.
#pragma once

#include "core/nn/window.h"

namespace lynceus::nn {

struct Convolution {
  Window window;
  Shape5 input;
  int64_t groups = 1;
  int64_t outputChannels = 0;

  int64_t inputsPerGroup() const { return input.c / groups; }
  int64_t outputsPerGroup() const { return outputChannels / groups; }
};

/// Inputs: X (N, C, space), W (M, C/groups, kernel), optional B (M).
Expected<Convolution> convolution(const OpCall& call);
/// Inputs: X (N, C, space), W (C, M/groups, kernel), optional B (M).
Expected<Convolution> transposedConvolution(const OpCall& call);

}  // namespace lynceus::nn
