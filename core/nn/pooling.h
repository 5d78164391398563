// The window of a pooling operator, with its attributes checked, and what it sees.
#pragma once

#include <algorithm>

#include "core/nn/window.h"

namespace lynceus::nn {

inline Expected<Window> poolingWindow(const OpCall& call) {
  if (!call.hasAttribute("kernel_shape")) return call.refuse("attribute kernel_shape is missing");
  const std::vector<int64_t> kernel = call.integers("kernel_shape"), pads = call.integers("pads");
  auto window = slidingWindow(call, kernel);
  if (!window) return window;
  const bool stated = call.text("auto_pad", "NOTSET").rfind("SAME", 0) != 0;
  for (size_t a = 0; a < 3; ++a)  // ONNX Runtime refuses it, too: whole windows would see nothing
    if (stated && std::max(window->padBegin[a], window->padEnd[a]) >= window->kernel[a])
      return call.refuse("pads {} are as wide as the window {}: pad the input with a Pad node instead", shapeText(pads),
                         shapeText(kernel));
  return window;
}

/// The positions of one axis that a window covers: start + k * step for k in [first, last); all inside the input.
struct Span {
  int64_t start, step, first, last;
  int64_t covered;  ///< how many there are with the padding
};

/// @param size  of the input along the axis; @param out  position of the output.
inline Span spanOf(const Window& w, size_t axis, int64_t size, int64_t out) {
  const int64_t start = out * w.stride[axis] - w.padBegin[axis], step = w.dilation[axis], taps = w.kernel[axis];
  const auto tapsBefore = [&](int64_t end) {
    return std::clamp<int64_t>(end <= start ? 0 : (end - start + step - 1) / step, 0, taps);
  };
  return {start, step, tapsBefore(0), tapsBefore(size), tapsBefore(size + w.padEnd[axis])};
}

/// True if some window lies in the padding alone: with a dilation, on both sides of a small input.
inline bool hasEmptyWindow(const Window& w, const Int3& in) {
  for (size_t a = 0; a < 3; ++a)
    for (int64_t i = 0; i < w.output[a]; ++i)
      if (const Span s = spanOf(w, a, in[a], i); s.first >= s.last) return true;
  return false;
}

}  // namespace lynceus::nn
