#include "core/nn/resize_plan.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace lynceus::nn {
namespace {

struct Mode {
  bool linear = false;
  std::string coordinates, nearest;
};

Expected<Mode> readMode(const OpCall& call) {
  Mode m;
  const std::string mode = call.text("mode", "nearest");
  m.linear = mode == "linear" || mode == "bilinear" || mode == "trilinear";
  if (!m.linear && mode != "nearest") return call.refuse("mode {}: export with nearest or linear", mode);
  const bool old = call.node().op == "Upsample" || call.opset() < 11;
  m.coordinates = old ? "asymmetric" : call.text("coordinate_transformation_mode", "half_pixel");
  m.nearest = old ? "simple" : call.text("nearest_mode", "round_prefer_floor");
  static constexpr const char* kCoordinates[] = {"half_pixel", "pytorch_half_pixel",   "align_corners",
                                                 "asymmetric", "half_pixel_symmetric", "tf_half_pixel_for_nn"};
  static constexpr const char* kNearest[] = {"simple", "round_prefer_floor", "round_prefer_ceil", "floor", "ceil"};
  if (std::find(std::begin(kCoordinates), std::end(kCoordinates), m.coordinates) == std::end(kCoordinates))
    return call.refuse("coordinate_transformation_mode {}: export with half_pixel", m.coordinates);
  if (std::find(std::begin(kNearest), std::end(kNearest), m.nearest) == std::end(kNearest))
    return call.refuse("nearest_mode {}: export with floor", m.nearest);
  if (call.integer("antialias", 0) != 0) return call.refuse("antialias: export without it");
  if (call.integer("exclude_outside", 0) != 0) return call.refuse("exclude_outside: export without it");
  if (call.text("keep_aspect_ratio_policy", "stretch") != "stretch")
    return call.refuse("keep_aspect_ratio_policy: export with stretch");
  return m;
}

// Position in the input of output position `out`; formulas of the ONNX operator documentation.
float sourcePosition(const std::string& mode, int64_t out, float scale, int64_t inSize, int64_t outSize) {
  const auto x = static_cast<float>(out);
  if (mode == "asymmetric") return x / scale;
  if (mode == "align_corners")
    return outSize == 1 ? 0.0F : x * static_cast<float>(inSize - 1) / static_cast<float>(outSize - 1);
  if (mode == "pytorch_half_pixel" && outSize <= 1) return 0.0F;
  if (mode == "tf_half_pixel_for_nn") return (x + 0.5F) / scale;
  if (mode == "half_pixel_symmetric") {
    const float adjustment = static_cast<float>(outSize) / (scale * static_cast<float>(inSize));
    const float offset = static_cast<float>(inSize) / 2 * (1 - adjustment);
    return offset + (x + 0.5F) / scale - 0.5F;
  }
  return (x + 0.5F) / scale - 0.5F;
}

int64_t nearestTo(const std::string& mode, float x, bool shrinks) {
  if (mode == "floor" || (mode == "simple" && !shrinks)) return static_cast<int64_t>(std::floor(x));
  if (mode == "ceil" || mode == "simple") return static_cast<int64_t>(std::ceil(x));
  const float down = std::floor(x);
  const bool tie = x - down == 0.5F;
  if (tie) return static_cast<int64_t>(down) + (mode == "round_prefer_ceil" ? 1 : 0);
  return static_cast<int64_t>(std::floor(x + 0.5F));
}

ResizeAxis makeAxis(const Mode& mode, float scale, int64_t inSize, int64_t outSize) {
  ResizeAxis axis;
  for (int64_t i = 0; i < outSize; ++i) {
    float x = sourcePosition(mode.coordinates, i, scale, inSize, outSize);
    int64_t low = 0, high = 0;
    float weight = 0;
    if (mode.linear) {
      x = std::clamp(x, 0.0F, static_cast<float>(inSize - 1));
      low = std::min(static_cast<int64_t>(x), inSize - 1);
      high = std::min(low + 1, inSize - 1);
      weight = high == low ? 0.0F : x - static_cast<float>(low);
    } else {
      low = high = std::clamp<int64_t>(nearestTo(mode.nearest, x, scale < 1), 0, inSize - 1);
    }
    axis.unchanged = axis.unchanged && low == i && weight == 0;
    axis.low.push_back(low);
    axis.high.push_back(high);
    axis.highWeight.push_back(weight);
  }
  axis.unchanged = axis.unchanged && inSize == outSize;
  return axis;
}

struct Factors {
  std::vector<float> scales;   // either these
  std::vector<int64_t> sizes;  // or these
};

// Upsample 7: attribute; Upsample 9 and Resize 10: input 1; later: inputs 2 (scales) and 3 (sizes).
Expected<Factors> readFactors(const OpCall& call) {
  if (call.node().op == "Upsample" && call.opset() < 9)
    return Factors{call.attribute<std::vector<float>>("scales", {}), {}};
  const size_t scalesInput = call.opset() < 11 ? 1 : 2;
  if (call.isDynamic(scalesInput) || call.isDynamic(3))
    return call.refuse("scales or sizes are only known while running: export with fixed shapes");
  Factors f{call.constantFloats(scalesInput).value_or(std::vector<float>{}), {}};
  if (scalesInput == 2) f.sizes = call.constantInts(3).value_or(std::vector<int64_t>{});
  return f;
}

}  // namespace

Expected<ResizePlan> resizePlan(const OpCall& call) {
  const auto mode = readMode(call);
  if (!mode) return passError(mode);
  const auto factors = readFactors(call);
  if (!factors) return passError(factors);
  const Shape& in = call.shape(0);
  if (elementCount(in) == 0) return call.refuse("the input is empty");
  std::vector<int64_t> named = call.integers("axes");
  if (named.empty()) {
    named.resize(in.size());
    std::iota(named.begin(), named.end(), 0);
  }
  const bool bySize = factors->scales.empty();
  if ((bySize ? factors->sizes.size() : factors->scales.size()) != named.size())
    return call.refuse("needs one scale or size for each of {} axes", named.size());
  std::vector<float> scales(in.size(), 1);
  ResizePlan plan{in, {}};
  for (size_t i = 0; i < named.size(); ++i) {
    const auto axis = checkedAxis(named[i], static_cast<int64_t>(in.size()));
    if (!axis) return call.refuse("axis {} for an input of shape {}", named[i], shapeText(in));
    const auto length = static_cast<float>(in[*axis]);
    scales[*axis] = bySize ? static_cast<float>(factors->sizes[i]) / length : factors->scales[i];
    const float size = bySize ? static_cast<float>(factors->sizes[i]) : std::floor(length * factors->scales[i]);
    if (!(size >= 1 && size < 1e6F)) return call.refuse("the size of axis {} would become {}", *axis, size);
    plan.output[*axis] = static_cast<int64_t>(size);
  }
  for (size_t d = 0; d < in.size(); ++d) plan.axes.push_back(makeAxis(*mode, scales[d], in[d], plan.output[d]));
  return plan;
}

}  // namespace lynceus::nn
