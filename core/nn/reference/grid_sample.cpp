// GridSample: the image at positions that a grid gives. AffineGrid: the grid of an affine map.
#include "core/nn/grid_sample.h"

#include <algorithm>
#include <cmath>

#include "core/nn/reference/kernel.h"
#include "core/parallel.h"

namespace lynceus::nn::reference {
namespace {

using Padding = GridSampling::Padding;
using Mode = GridSampling::Mode;

Expected<std::vector<ValueType>> inferGridSample(const OpCall& call) {
  const auto g = gridSampling(call);
  if (!g) return passError(g);
  return oneOutput(g->output);
}

// -1 and 1 are the centres of the outermost voxels (alignCorners) or their outer faces. In float, as peers compute it:
// which voxel is nearest may depend on it.
float voxelPosition(float x, int64_t size, bool alignCorners) {
  const auto length = static_cast<float>(size);
  return alignCorners ? (x + 1) / 2 * (length - 1) : ((x + 1) * length - 1) / 2;
}

// Mirrors at `low` and `high` until it is between them.
double reflected(double x, double low, double high) {
  const double range = high - low;
  if (!(range > 0)) return low;
  const double offset = std::fmod(std::fabs(x - low), 2 * range);
  return low + (offset > range ? 2 * range - offset : offset);
}

// The position that the taps are taken around: near the image, where every tap of a far position is outside as well.
// Cubic interpolation reads beyond the border, so its position is not moved there.
double limited(double x, const GridSampling& g, int64_t size) {
  const auto length = static_cast<double>(size);
  if (!std::isfinite(x)) return -8;
  if (g.padding == Padding::border && g.mode != Mode::cubic) return std::clamp(x, 0.0, length - 1);
  if (g.padding == Padding::reflection) {
    const double low = g.alignCorners ? 0 : -0.5, high = g.alignCorners ? length - 1 : length - 0.5;
    return x < low || x > high ? reflected(x, low, high) : x;
  }
  return std::clamp(x, -8.0, length + 8);
}

// The voxel that a tap reads along one axis, -1: none.
int64_t voxelOf(int64_t i, const GridSampling& g, int64_t size) {
  if (i >= 0 && i < size) return i;
  if (g.padding == Padding::border) return std::clamp<int64_t>(i, 0, size - 1);
  if (g.padding == Padding::zeros) return -1;
  const auto length = static_cast<double>(size);
  const double low = g.alignCorners ? 0 : -0.5, high = g.alignCorners ? length - 1 : length - 0.5;
  return std::clamp<int64_t>(static_cast<int64_t>(reflected(static_cast<double>(i), low, high)), 0, size - 1);
}

/// What one axis contributes to a sample: up to four voxels (-1: none) and their weights.
struct Taps {
  int count = 0;
  std::array<int64_t, 4> voxel{};
  std::array<double, 4> weight{};

  void add(int64_t v, double w) {
    voxel[count] = v;
    weight[count++] = w;
  }
};

Taps tapsAt(float position, const GridSampling& g, int64_t size) {
  Taps taps;
  if (g.mode == Mode::nearest) {
    const double x = limited(std::nearbyint(voxelPosition(position, size, g.alignCorners)), g, size);
    taps.add(voxelOf(static_cast<int64_t>(std::nearbyint(x)), g, size), 1);
    return taps;
  }
  const double x = limited(voxelPosition(position, size, g.alignCorners), g, size), low = std::floor(x), t = x - low;
  const auto first = static_cast<int64_t>(low);
  if (g.mode == Mode::linear) {
    taps.add(voxelOf(first, g, size), 1 - t);
    taps.add(voxelOf(first + 1, g, size), t);
    return taps;
  }
  const std::array<double, 4> weights = cubicWeights(t, -0.75);
  for (int k = 0; k < 4; ++k) taps.add(voxelOf(first - 1 + k, g, size), weights[k]);
  return taps;
}

double sample(const float* plane, const Int3& size, const std::array<Taps, 3>& taps) {
  double sum = 0;
  for (int i = 0; i < taps[0].count; ++i)
    for (int j = 0; j < taps[1].count; ++j)
      for (int k = 0; k < taps[2].count; ++k) {
        const int64_t z = taps[0].voxel[i], y = taps[1].voxel[j], x = taps[2].voxel[k];
        if (z < 0 || y < 0 || x < 0) continue;
        sum += taps[0].weight[i] * taps[1].weight[j] * taps[2].weight[k] * plane[(z * size[1] + y) * size[2] + x];
      }
  return sum;
}

std::vector<Tensor> gridSample(const OpCall& call, const std::vector<ValueType>& outputs) {
  const GridSampling g = *gridSampling(call);
  const Shape5 in = lift(call.shape(0)), to = lift(outputs[0].shape);
  const int axes = static_cast<int>(call.shape(0).size()) - 2;
  Tensor out = Tensor::zeros(outputs[0].shape);
  parallelForLarge(in.n * to.voxels(), elementCount(out.shape), [&](int64_t i) {
    const float* position = call.floats(1) + i * axes;  // x first
    std::array<Taps, 3> taps;
    taps[0].add(0, 1);
    for (int a = 0; a < axes; ++a) taps[2 - a] = tapsAt(position[a], g, in.space[2 - a]);
    const int64_t n = i / to.voxels(), voxel = i % to.voxels();
    for (int64_t c = 0; c < in.c; ++c)
      out.floats()[(n * in.c + c) * to.voxels() + voxel] =
          static_cast<float>(sample(call.floats(0) + (n * in.c + c) * in.voxels(), in.space, taps));
  });
  return oneTensor(std::move(out));
}

double gridSampleWork(const OpCall&, const std::vector<ValueType>& outputs) {
  return 16.0 * static_cast<double>(elementCount(outputs[0].shape));
}

// theta (N, axes, axes + 1) times (x, y, [z,] 1) of each voxel of the size N, C, [D,] H, W.
Expected<Shape> affineSize(const OpCall& call) {
  const Shape& theta = call.shape(0);
  const auto size = call.constantInts(1);
  if (!size) return call.refuse("the size is only known while running: export with fixed shapes");
  if (size->size() < 4 || size->size() > 5 || !checkedCount(*size) || elementCount(*size) == 0)
    return call.refuse("the size {} is not N, C, [D,] H, W", shapeText(*size));
  const auto axes = static_cast<int64_t>(size->size()) - 2;
  if (theta != Shape{size->front(), axes, axes + 1})
    return call.refuse("theta of shape {} for the size {}", shapeText(theta), shapeText(*size));
  return *size;
}

Expected<std::vector<ValueType>> inferAffineGrid(const OpCall& call) {
  if (!call.input(0).type.isFloat()) return call.refuse("theta holds integers");
  auto size = affineSize(call);
  if (!size) return passError(size);
  const auto axes = static_cast<int64_t>(size->size()) - 2;
  size->erase(size->begin() + 1);
  size->push_back(axes);
  return oneOutput(std::move(*size));
}

std::vector<Tensor> affineGrid(const OpCall& call, const std::vector<ValueType>& outputs) {
  const Shape5 size = lift(*affineSize(call));
  const int64_t axes = outputs[0].shape.back();
  const bool alignCorners = call.integer("align_corners", 0) != 0;
  const auto coordinate = [&](int64_t i, int64_t count) {
    const auto at = static_cast<double>(i), n = static_cast<double>(count);
    if (!alignCorners) return (2 * at + 1) / n - 1;
    return count == 1 ? -1.0 : 2 * at / (n - 1) - 1;
  };
  Tensor out = Tensor::zeros(outputs[0].shape);
  float* y = out.floats().data();
  for (int64_t n = 0; n < size.n; ++n)
    for (int64_t v = 0; v < size.voxels(); ++v) {
      const Int3 at{v / size.space[2] / size.space[1], v / size.space[2] % size.space[1], v % size.space[2]};
      for (int64_t row = 0; row < axes; ++row) {
        const float* theta = call.floats(0) + (n * axes + row) * (axes + 1);
        double sum = theta[axes];
        for (int64_t a = 0; a < axes; ++a) sum += theta[a] * coordinate(at[2 - a], size.space[2 - a]);
        *y++ = static_cast<float>(sum);
      }
    }
  return oneTensor(std::move(out));
}

LYN_REGISTER_OP(reference, "GridSample", opset(16, 21),
                (Kernel{inferGridSample, gridSample, 2, 2, Accepts::floats, gridSampleWork}));
LYN_REGISTER_OP(reference, "AffineGrid", opset(20, 21), (Kernel{inferAffineGrid, affineGrid, 2, 2, Accepts::anything}));

}  // namespace
}  // namespace lynceus::nn::reference
