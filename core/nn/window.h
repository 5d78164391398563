// The sliding window of convolution and pooling. One- and two-dimensional forms are lifted to three dimensions with
// size-1 axes in front, so every kernel has one loop nest (D, H, W).
#pragma once

#include <array>

#include "core/nn/op_call.h"

namespace lynceus::nn {

using Int3 = std::array<int64_t, 3>;

struct Window {
  Int3 kernel{1, 1, 1}, stride{1, 1, 1}, dilation{1, 1, 1}, padBegin{0, 0, 0}, padEnd{0, 0, 0};
  Int3 output{1, 1, 1};  ///< spatial size of the result

  int64_t taps() const { return kernel[0] * kernel[1] * kernel[2]; }
  int64_t extent(int axis) const { return (kernel[axis] - 1) * dilation[axis] + 1; }
};

/// Rank 3 to 5 (N, C, [D, [H,]] W) as N, C, D, H, W.
struct Shape5 {
  int64_t n = 1, c = 1;
  Int3 space{1, 1, 1};
  int64_t voxels() const { return space[0] * space[1] * space[2]; }
};
Shape5 lift(const Shape& shape);

/// Conv and pooling. @param kernelShape  the spatial size of the window (from the attribute or the weights).
Expected<Window> slidingWindow(const OpCall& call, const std::vector<int64_t>& kernelShape);
/// ConvTranspose: output = stride * (input - 1) + output_padding + extent - pads, or the output_shape attribute.
Expected<Window> transposedWindow(const OpCall& call, const std::vector<int64_t>& kernelShape);

/// N, C and the window's output, in the rank of `like`.
Shape windowShape(const Shape& like, int64_t channels, const Window& window);

}  // namespace lynceus::nn
