#include "core/nn/resize_plan.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/nn/grid_sample.h"

namespace lynceus::nn {
namespace {

constexpr float kLargestSize = 1e6F;  // of one axis of the output

struct Mode {
  enum class Kind { nearest, linear, cubic } kind = Kind::nearest;
  std::string coordinates, nearest, policy;
  bool antialias = false, excludeOutside = false;
  float cubicA = -0.75F;
};

template <size_t kCount>
Expected<std::string> oneOf(const OpCall& call, const char* name, const char* fallback,
                            const char* const (&known)[kCount]) {
  const std::string text = call.text(name, fallback);
  if (std::find(std::begin(known), std::end(known), text) != std::end(known)) return text;
  return call.refuse("{} \"{}\" is not one of {}", name, text, fmt::join(known, ", "));
}

Expected<Mode::Kind> kindOf(const OpCall& call) {
  const std::string mode = call.text("mode", "nearest");
  if (mode == "nearest") return Mode::Kind::nearest;
  if (mode == "linear" || mode == "bilinear" || mode == "trilinear") return Mode::Kind::linear;
  if (mode == "cubic") return Mode::Kind::cubic;
  return call.refuse("unknown mode \"{}\"", mode);
}

Expected<Mode> readMode(const OpCall& call) {
  static constexpr const char* kCoordinates[] = {
      "half_pixel",           "pytorch_half_pixel",   "align_corners",      "asymmetric",
      "half_pixel_symmetric", "tf_half_pixel_for_nn", "tf_crop_and_resize",
  };
  static constexpr const char* kNearest[] = {"simple", "round_prefer_floor", "round_prefer_ceil", "floor", "ceil"};
  static constexpr const char* kPolicies[] = {"stretch", "not_larger", "not_smaller"};
  const auto kind = kindOf(call);
  if (!kind) return passError(kind);
  Mode m;
  m.kind = *kind;
  const bool old = call.node().op == "Upsample" || call.opset() < 11;
  if (old) {
    m.coordinates = "asymmetric";
    m.nearest = "simple";
    m.policy = "stretch";
    return m;
  }
  const auto coordinates = oneOf(call, "coordinate_transformation_mode", "half_pixel", kCoordinates);
  if (!coordinates) return passError(coordinates);
  const auto nearest = oneOf(call, "nearest_mode", "round_prefer_floor", kNearest);
  if (!nearest) return passError(nearest);
  const auto policy = oneOf(call, "keep_aspect_ratio_policy", "stretch", kPolicies);
  if (!policy) return passError(policy);
  m.coordinates = *coordinates;
  m.nearest = *nearest;
  m.policy = *policy;
  m.antialias = call.integer("antialias", 0) != 0;
  m.excludeOutside = call.integer("exclude_outside", 0) != 0;
  m.cubicA = call.real("cubic_coeff_a", -0.75F);
  if (m.antialias && m.kind == Mode::Kind::nearest) return call.refuse("antialias has no meaning for mode nearest");
  return m;
}

/// One axis: sizes, scale, and the region of interest that tf_crop_and_resize stretches over the output.
struct Geometry {
  int64_t inSize, outSize;
  float scale;
  float roiStart = 0, roiEnd = 1;
};

// Position in the input of output position `out`; formulas of the ONNX operator documentation.
float sourcePosition(const std::string& mode, int64_t out, const Geometry& g) {
  const auto x = static_cast<float>(out), in = static_cast<float>(g.inSize), size = static_cast<float>(g.outSize);
  if (mode == "asymmetric") return x / g.scale;
  if (mode == "align_corners") return g.outSize == 1 ? 0.0F : x * (in - 1) / (size - 1);
  if (mode == "pytorch_half_pixel" && g.outSize <= 1) return 0.0F;
  if (mode == "tf_half_pixel_for_nn") return (x + 0.5F) / g.scale;
  if (mode == "tf_crop_and_resize") {
    if (g.outSize <= 1) return 0.5F * (g.roiStart + g.roiEnd) * (in - 1);
    return g.roiStart * (in - 1) + x * (g.roiEnd - g.roiStart) * (in - 1) / (size - 1);
  }
  if (mode == "half_pixel_symmetric") {
    const float adjustment = size / (g.scale * in);
    return in / 2 * (1 - adjustment) + (x + 0.5F) / g.scale - 0.5F;
  }
  return (x + 0.5F) / g.scale - 0.5F;
}

int64_t nearestTo(const std::string& mode, float x, bool shrinks) {
  if (mode == "floor" || (mode == "simple" && !shrinks)) return static_cast<int64_t>(std::floor(x));
  if (mode == "ceil" || mode == "simple") return static_cast<int64_t>(std::ceil(x));
  const float down = std::floor(x);
  const bool tie = x - down == 0.5F;
  if (tie) return static_cast<int64_t>(down) + (mode == "round_prefer_ceil" ? 1 : 0);
  return static_cast<int64_t>(std::floor(x + 0.5F));
}

// Weight of a voxel at distance x.
double kernelAt(const Mode& mode, double x) {
  const double d = std::fabs(x);
  if (mode.kind == Mode::Kind::linear) return std::max(0.0, 1 - d);
  if (d >= 2) return 0;
  const double t = d - std::floor(d);
  return cubicWeights(t, mode.cubicA)[d < 1 ? 1 : 0];
}

// All voxels within the kernel, which antialias widens by as much as the image shrinks. A voxel outside of the input is
// the one at the border, or with exclude_outside none. Their weights add up to 1.
void addTaps(const Mode& mode, float x, const Geometry& g, ResizeAxis& axis) {
  const double stretch = mode.antialias ? std::max(1.0, 1.0 / g.scale) : 1.0;
  const double support = (mode.kind == Mode::Kind::linear ? 1 : 2) * stretch;
  const auto first = static_cast<int64_t>(std::floor(x - support)) + 1;
  double sum = 0;
  std::vector<double> weights;
  for (int64_t k = 0; k < axis.taps; ++k) {
    const int64_t i = first + k;
    const bool inside = i >= 0 && i < g.inSize;
    const double w = mode.excludeOutside && !inside ? 0 : kernelAt(mode, (static_cast<double>(i) - x) / stretch);
    weights.push_back(w);
    sum += w;
    axis.source.push_back(std::clamp<int64_t>(i, 0, g.inSize - 1));
  }
  for (const double w : weights) axis.weight.push_back(static_cast<float>(sum == 0 ? 0 : w / sum));
}

// Sources of each position of a wide kernel, or 0 where two are enough.
int64_t tapsOf(const Mode& mode, const Geometry& g) {
  const bool linear = mode.kind == Mode::Kind::linear;
  if (mode.kind == Mode::Kind::nearest || (linear && !mode.antialias && !mode.excludeOutside)) return 0;
  const double stretch = mode.antialias ? std::max(1.0, 1.0 / g.scale) : 1.0;
  return 2 * static_cast<int64_t>(std::ceil((linear ? 1 : 2) * stretch));
}

void addPair(const Mode& mode, float x, int64_t i, const Geometry& g, ResizeAxis& axis) {
  int64_t low = 0, high = 0;
  float weight = 0;
  if (mode.kind == Mode::Kind::linear) {
    x = std::clamp(x, 0.0F, static_cast<float>(g.inSize - 1));
    low = std::min(static_cast<int64_t>(x), g.inSize - 1);
    high = std::min(low + 1, g.inSize - 1);
    weight = high == low ? 0.0F : x - static_cast<float>(low);
  } else {
    low = high = std::clamp<int64_t>(nearestTo(mode.nearest, x, g.scale < 1), 0, g.inSize - 1);
  }
  axis.unchanged = axis.unchanged && low == i && weight == 0;
  axis.low.push_back(low);
  axis.high.push_back(high);
  axis.highWeight.push_back(weight);
}

ResizeAxis makeAxis(const Mode& mode, const Geometry& g) {
  ResizeAxis axis;
  const bool crops = mode.coordinates == "tf_crop_and_resize";
  axis.unchanged = g.inSize == g.outSize;
  const bool same = axis.unchanged && g.scale == 1 && !crops;
  axis.taps = same ? 0 : tapsOf(mode, g);
  if (axis.taps > 0) axis.unchanged = false;
  for (int64_t i = 0; i < g.outSize; ++i) {
    const float x = sourcePosition(mode.coordinates, i, g);
    if (crops) axis.outside.push_back(!(x >= 0 && x <= static_cast<float>(g.inSize - 1)));
    if (axis.taps > 0)
      addTaps(mode, x, g, axis);
    else
      addPair(mode, x, i, g, axis);
  }
  if (std::find(axis.outside.begin(), axis.outside.end(), true) == axis.outside.end())
    axis.outside.clear();
  else
    axis.unchanged = false;
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

// keep_aspect_ratio_policy: one scale for all named axes, so that no size (or every size) is at most what was asked
// for.
void keepAspectRatio(const std::string& policy, const Shape& in, const std::vector<size_t>& axes, Factors& factors) {
  if (policy == "stretch" || factors.sizes.empty()) return;
  float scale = 0;
  for (size_t i = 0; i < axes.size(); ++i) {
    const float wanted = static_cast<float>(factors.sizes[i]) / static_cast<float>(in[axes[i]]);
    const bool better = policy == "not_larger" ? wanted < scale : wanted > scale;
    if (i == 0 || better) scale = wanted;
  }
  factors.scales.assign(axes.size(), scale);
  for (size_t i = 0; i < axes.size(); ++i)
    factors.sizes[i] = static_cast<int64_t>(std::min(std::round(scale * static_cast<float>(in[axes[i]])), 1e9F));
}

Expected<std::vector<size_t>> readAxes(const OpCall& call) {
  const auto rank = static_cast<int64_t>(call.shape(0).size());
  std::vector<int64_t> named = call.integers("axes");
  if (named.empty()) {
    named.resize(static_cast<size_t>(rank));
    std::iota(named.begin(), named.end(), 0);
  }
  std::vector<size_t> axes;
  for (const int64_t a : named) {
    const auto axis = checkedAxis(a, rank);
    if (!axis || std::find(axes.begin(), axes.end(), static_cast<size_t>(*axis)) != axes.end())
      return call.refuse("axis {} for an input of shape {}", a, shapeText(call.shape(0)));
    axes.push_back(static_cast<size_t>(*axis));
  }
  return axes;
}

// Start and end of the region for each named axis, as fractions of it.
Expected<std::vector<float>> readRegion(const OpCall& call, const Mode& mode, size_t axes) {
  if (mode.coordinates != "tf_crop_and_resize") return std::vector<float>{};
  const auto region = call.constantFloats(1);
  if (!region || region->size() != 2 * axes)
    return call.refuse("tf_crop_and_resize needs a constant start and end for each of {} axes", axes);
  for (const float r : *region)
    if (!(std::fabs(r) < kLargestSize)) return call.refuse("the region of interest has the limit {}", r);
  return *region;
}

Expected<std::vector<Geometry>> readGeometry(const OpCall& call, const Mode& mode) {
  const Shape& in = call.shape(0);
  const auto axes = readAxes(call);
  if (!axes) return passError(axes);
  auto factors = readFactors(call);
  if (!factors) return passError(factors);
  const bool bySize = factors->scales.empty();
  if ((bySize ? factors->sizes.size() : factors->scales.size()) != axes->size())
    return call.refuse("needs one scale or size for each of {} axes", axes->size());
  const auto region = readRegion(call, mode, axes->size());
  if (!region) return passError(region);
  if (bySize) keepAspectRatio(mode.policy, in, *axes, *factors);
  std::vector<Geometry> geometry;
  for (const int64_t size : in) geometry.push_back({size, size, 1});
  for (size_t i = 0; i < axes->size(); ++i) {
    Geometry& g = geometry[(*axes)[i]];
    const auto length = static_cast<float>(g.inSize);
    if (!region->empty()) {
      g.roiStart = (*region)[i];
      g.roiEnd = (*region)[axes->size() + i];
    }
    g.scale = factors->scales.empty() ? static_cast<float>(factors->sizes[i]) / length : factors->scales[i];
    const float size = bySize ? static_cast<float>(factors->sizes[i]) : std::floor(length * g.scale);
    if (!(g.scale > 0 && size >= 1 && size < kLargestSize))
      return call.refuse("the size of axis {} would become {}", (*axes)[i], size);
    g.outSize = static_cast<int64_t>(size);
  }
  return geometry;
}

}  // namespace

Expected<ResizePlan> resizePlan(const OpCall& call) {
  const auto mode = readMode(call);
  if (!mode) return passError(mode);
  if (elementCount(call.shape(0)) == 0) return call.refuse("the input is empty");
  const auto geometry = readGeometry(call, *mode);
  if (!geometry) return passError(geometry);
  constexpr int64_t kMostTaps = int64_t{1} << 26;  // of one axis, all positions together
  ResizePlan plan{{}, {}, call.real("extrapolation_value", 0)};
  for (const Geometry& g : *geometry) {
    plan.output.push_back(g.outSize);
    if (!(g.scale > 1 / kLargestSize) || tapsOf(*mode, g) * g.outSize > kMostTaps)
      return call.refuse("a scale of {} is too small", g.scale);
  }
  for (const Geometry& g : *geometry) plan.axes.push_back(makeAxis(*mode, g));
  return plan;
}

}  // namespace lynceus::nn
