#include "core/nn/grid_sample.h"

#include <cmath>

namespace lynceus::nn {
namespace {

// Operator set 20 renamed bilinear and bicubic.
Expected<GridSampling::Mode> modeOf(const OpCall& call) {
  using Mode = GridSampling::Mode;
  const std::string mode = call.text("mode", "linear");
  if (mode == "linear" || mode == "bilinear") return Mode::linear;
  if (mode == "nearest") return Mode::nearest;
  if (mode != "cubic" && mode != "bicubic") return call.refuse("unknown mode \"{}\"", mode);
  if (call.shape(0).size() == 5) return call.refuse("mode {} of a volume: export with linear", mode);
  return Mode::cubic;
}

Expected<GridSampling::Padding> paddingOf(const OpCall& call) {
  using Padding = GridSampling::Padding;
  const std::string padding = call.text("padding_mode", "zeros");
  if (padding == "zeros") return Padding::zeros;
  if (padding == "border") return Padding::border;
  if (padding == "reflection") return Padding::reflection;
  return call.refuse("unknown padding_mode \"{}\"", padding);
}

}  // namespace

Expected<GridSampling> gridSampling(const OpCall& call) {
  const Shape &in = call.shape(0), &grid = call.shape(1);
  const size_t axes = in.size() - 2;
  if (in.size() < 4 || in.size() > 5 || grid.size() != in.size() || grid[0] != in[0] ||
      grid.back() != static_cast<int64_t>(axes))
    return call.refuse("a grid of shape {} for an input of shape {}", shapeText(grid), shapeText(in));
  if (elementCount(in) == 0) return call.refuse("the input is empty");
  const auto mode = modeOf(call);
  if (!mode) return passError(mode);
  const auto padding = paddingOf(call);
  if (!padding) return passError(padding);
  GridSampling g{*mode, *padding, call.integer("align_corners", 0) != 0, {in[0], in[1]}};
  g.output.insert(g.output.end(), grid.begin() + 1, grid.end() - 1);
  return g;
}

std::array<double, 4> cubicWeights(double t, double a) {
  const auto near = [a](double x) { return ((a + 2) * x - (a + 3)) * x * x + 1; };
  const auto far = [a](double x) { return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a; };
  return {far(1 + t), near(t), near(1 - t), far(2 - t)};
}

}  // namespace lynceus::nn
