// The window of a pooling operator, with its attributes checked.
#pragma once

#include "core/nn/window.h"

namespace lynceus::nn {

inline Expected<Window> poolingWindow(const OpCall& call) {
  if (!call.hasAttribute("kernel_shape")) return call.refuse("attribute kernel_shape is missing");
  return slidingWindow(call, call.integers("kernel_shape"));
}

}  // namespace lynceus::nn
