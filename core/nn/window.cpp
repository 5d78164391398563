#include "core/nn/window.h"

#include <algorithm>

namespace lynceus::nn {
namespace {

constexpr int64_t kLargest = 1 << 20;  // of any window parameter; keeps the arithmetic far from overflow

// Reads one value for each spatial axis into the last axes of `out`.
Expected<void> readAxes(const OpCall& call, const char* name, size_t axes, int64_t least, Int3& out) {
  const std::vector<int64_t> values = call.integers(name);
  if (values.empty()) return {};
  if (values.size() != axes)
    return call.refuse("attribute {} has {} values for {} spatial axes", name, values.size(), axes);
  for (size_t i = 0; i < axes; ++i) {
    if (values[i] < least || values[i] > kLargest)
      return call.refuse("attribute {} is {}, expected {} to {}", name, values[i], least, kLargest);
    out[3 - axes + i] = values[i];
  }
  return {};
}

Expected<Window> readWindow(const OpCall& call, const std::vector<int64_t>& kernelShape) {
  const Shape& in = call.shape(0);
  if (in.size() < 3 || in.size() > 5)
    return call.refuse("input of shape {}: only 1 to 3 spatial axes are supported", shapeText(in));
  const size_t axes = in.size() - 2;
  if (kernelShape.size() != axes)
    return call.refuse("window of {} axes on an input of shape {}", kernelShape.size(), shapeText(in));
  Window w;
  for (size_t i = 0; i < axes; ++i) {
    if (kernelShape[i] < 1 || kernelShape[i] > kLargest) return call.refuse("kernel size {}", kernelShape[i]);
    w.kernel[3 - axes + i] = kernelShape[i];
  }
  if (auto ok = readAxes(call, "strides", axes, 1, w.stride); !ok) return passError(ok);
  if (auto ok = readAxes(call, "dilations", axes, 1, w.dilation); !ok) return passError(ok);
  const std::vector<int64_t> pads = call.integers("pads");
  if (pads.empty()) return w;
  if (pads.size() != 2 * axes)
    return call.refuse("attribute pads has {} values for {} spatial axes", pads.size(), axes);
  for (size_t i = 0; i < 2 * axes; ++i)
    if (pads[i] < 0 || pads[i] > kLargest) return call.refuse("attribute pads has the value {}", pads[i]);
  for (size_t i = 0; i < axes; ++i) {
    w.padBegin[3 - axes + i] = pads[i];
    w.padEnd[3 - axes + i] = pads[axes + i];
  }
  return w;
}

// Splits `total` padding over both ends: SAME_UPPER puts the odd voxel at the end.
void splitPadding(Window& w, int axis, int64_t total, bool upper) {
  const int64_t small = std::max<int64_t>(total, 0) / 2, large = std::max<int64_t>(total, 0) - small;
  w.padBegin[axis] = upper ? small : large;
  w.padEnd[axis] = upper ? large : small;
}

Expected<std::string> autoPad(const OpCall& call) {
  const std::string mode = call.text("auto_pad", "NOTSET");
  for (const char* known : {"NOTSET", "", "VALID", "SAME_UPPER", "SAME_LOWER"})
    if (mode == known) return mode;
  return call.refuse("unknown auto_pad \"{}\"", mode);
}

}  // namespace

Shape5 lift(const Shape& shape) {
  Shape5 s;
  s.n = shape[0];
  s.c = shape[1];
  for (size_t i = 2; i < shape.size(); ++i) s.space[3 - (shape.size() - 2) + i - 2] = shape[i];
  return s;
}

Expected<Window> slidingWindow(const OpCall& call, const std::vector<int64_t>& kernelShape) {
  auto window = readWindow(call, kernelShape);
  if (!window) return window;
  const auto mode = autoPad(call);
  if (!mode) return passError(mode);
  const bool ceilMode = call.integer("ceil_mode", 0) != 0;
  const Int3 in = lift(call.shape(0)).space;
  Window& w = *window;
  for (int a = 0; a < 3; ++a) {
    if (*mode == "VALID") w.padBegin[a] = w.padEnd[a] = 0;
    if (mode->rfind("SAME", 0) == 0) {
      w.output[a] = (in[a] + w.stride[a] - 1) / w.stride[a];
      splitPadding(w, a, (w.output[a] - 1) * w.stride[a] + w.extent(a) - in[a], *mode == "SAME_UPPER");
      continue;
    }
    const int64_t room = in[a] + w.padBegin[a] + w.padEnd[a] - w.extent(a);
    if (room < 0)
      return call.refuse("a window of {} voxels does not fit into the input of shape {}", w.extent(a),
                         shapeText(call.shape(0)));
    w.output[a] = (room + (ceilMode ? w.stride[a] - 1 : 0)) / w.stride[a] + 1;
    // A window that starts in the padding behind the input is dropped.
    if (ceilMode && (w.output[a] - 1) * w.stride[a] >= in[a] + w.padBegin[a]) --w.output[a];
  }
  return window;
}

Expected<Window> transposedWindow(const OpCall& call, const std::vector<int64_t>& kernelShape) {
  auto window = readWindow(call, kernelShape);
  if (!window) return window;
  const auto mode = autoPad(call);
  if (!mode) return passError(mode);
  const size_t axes = call.shape(0).size() - 2;
  Int3 extra{0, 0, 0}, wanted{0, 0, 0};
  if (auto ok = readAxes(call, "output_padding", axes, 0, extra); !ok) return passError(ok);
  if (auto ok = readAxes(call, "output_shape", axes, 1, wanted); !ok) return passError(ok);
  const Int3 in = lift(call.shape(0)).space;
  Window& w = *window;
  const bool same = mode->rfind("SAME", 0) == 0;
  for (int a = 0; a < 3; ++a) {
    const int64_t full = w.stride[a] * (in[a] - 1) + extra[a] + w.extent(a);
    if (same && wanted[a] == 0) wanted[a] = in[a] * w.stride[a];
    if (wanted[a] > 0) {
      if (wanted[a] > full) return call.refuse("output_shape {} is more than the {} voxels there are", wanted[a], full);
      splitPadding(w, a, full - wanted[a], *mode == "SAME_UPPER");
    } else if (*mode == "VALID") {
      w.padBegin[a] = w.padEnd[a] = 0;
    }
    w.output[a] = full - w.padBegin[a] - w.padEnd[a];
    if (w.output[a] < 1)
      return call.refuse("the padding leaves no output for an input of shape {}", shapeText(call.shape(0)));
  }
  return window;
}

Shape windowShape(const Shape& like, int64_t channels, const Window& window) {
  Shape shape = like;
  shape[1] = channels;
  for (size_t i = 2; i < shape.size(); ++i) shape[i] = window.output[3 - (shape.size() - 2) + i - 2];
  return shape;
}

}  // namespace lynceus::nn
