#include "core/image/resample.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "core/parallel.h"

namespace lynceus::image {

namespace {

/// Which source voxels make one target sample, along one axis: weights[i] belongs to source index first + i.
struct Taps {
  int first = 0;
  std::vector<float> weights;  ///< sum 1; empty where the sample lies outside the source
};

/// How one target axis runs along one source axis: index = start + step * target index.
struct AxisMap {
  int targetAxis = 0;
  double start = 0, step = 1;
};

int get(const Int3& v, int axis) { return axis == 0 ? v.x : axis == 1 ? v.y : v.z; }
double get(const Vec3& v, int axis) { return axis == 0 ? v.x : axis == 1 ? v.y : v.z; }

Taps tapsAt(double index, double halfWidth, int size) {
  // Rounding in the geometry must not turn the very edge of the source into air.
  constexpr double kEdge = 1e-6;
  if (index < -0.5 - kEdge || index > size - 0.5 + kEdge) return {};
  const double inside = std::clamp(index, 0.0, size - 1.0);
  const int low = std::max(0, static_cast<int>(std::ceil(inside - halfWidth)));
  const int high = std::min(size - 1, static_cast<int>(std::floor(inside + halfWidth)));
  Taps taps{low, {}};
  double sum = 0;
  for (int i = low; i <= high; ++i) sum += std::max(0.0, 1 - std::abs(i - inside) / halfWidth);
  for (int i = low; i <= high; ++i) {
    taps.weights.push_back(static_cast<float>(std::max(0.0, 1 - std::abs(i - inside) / halfWidth) / sum));
  }
  return taps;
}

std::vector<Taps> tapTable(const AxisMap& map, int targetSize, int sourceSize) {
  const double halfWidth = std::max(1.0, std::abs(map.step));
  std::vector<Taps> table;
  for (int i = 0; i < targetSize; ++i) table.push_back(tapsAt(map.start + map.step * i, halfWidth, sourceSize));
  return table;
}

/// For each source axis the target axis that is parallel to it, or nothing if one is oblique.
std::optional<std::array<AxisMap, 3>> parallelAxes(const Geometry& source, const Geometry& target) {
  // Across 1000 voxels this moves a sample by less than a thousandth of a voxel.
  constexpr double kParallel = 1e-6;
  std::array<AxisMap, 3> maps;
  const Vec3 start = source.toIndex(target.originMm);
  for (int s = 0; s < 3; ++s) {
    int found = -1;
    double sense = 1;
    for (int t = 0; t < 3; ++t) {
      for (const double sign : {1.0, -1.0}) {
        if (norm(source.direction[s] - target.direction[t] * sign) > kParallel) continue;
        found = t;
        sense = sign;
      }
    }
    if (found < 0) return std::nullopt;
    maps[s] = {found, get(start, s), sense * get(target.spacingMm, found) / get(source.spacingMm, s)};
  }
  return maps;
}

/// Adds weight * in to out, over `count` values.
template <class T>
void accumulate(float* out, const T* in, float weight, int64_t count) {
  for (int64_t i = 0; i < count; ++i) out[i] += weight * static_cast<float>(in[i]);
}

/// The separable path, one target layer (along the source's z axis) at a time: combine slices, then rows, then columns.
Image<float> resampleParallel(const Volume& volume, const Geometry& target, const std::array<AxisMap, 3>& maps) {
  const Int3 in = volume.geometry().size;
  const int64_t strides[3] = {1, target.size.x, int64_t{target.size.x} * target.size.y};
  std::array<std::vector<Taps>, 3> tables;
  for (int a = 0; a < 3; ++a) tables[a] = tapTable(maps[a], get(target.size, maps[a].targetAxis), get(in, a));
  const std::vector<Taps>&columns = tables[0], &rows = tables[1], &layers = tables[2];
  const int64_t stride[3] = {strides[maps[0].targetAxis], strides[maps[1].targetAxis], strides[maps[2].targetAxis]};

  Image<float> out(target, kAirHu);
  parallelForLarge(static_cast<int64_t>(layers.size()), target.voxelCount(), [&](int64_t z) {
    const Taps& layer = layers[static_cast<size_t>(z)];
    if (layer.weights.empty()) return;
    std::vector<float> row(static_cast<size_t>(in.x)), slice(static_cast<size_t>(in.x) * in.y, 0.0F);
    for (size_t i = 0; i < layer.weights.size(); ++i) {
      const int64_t from = volume.geometry().offset(0, 0, layer.first + static_cast<int>(i));
      accumulate(slice.data(), volume.hu().data() + from, layer.weights[i], static_cast<int64_t>(slice.size()));
    }
    for (size_t y = 0; y < rows.size(); ++y) {
      if (rows[y].weights.empty()) continue;
      std::fill(row.begin(), row.end(), 0.0F);
      for (size_t i = 0; i < rows[y].weights.size(); ++i) {
        accumulate(row.data(), slice.data() + (rows[y].first + static_cast<int64_t>(i)) * in.x, rows[y].weights[i],
                   in.x);
      }
      float* to = out.voxels.data() + z * stride[2] + static_cast<int64_t>(y) * stride[1];
      for (size_t x = 0; x < columns.size(); ++x) {
        const Taps& column = columns[x];
        if (column.weights.empty()) continue;
        float sum = 0;
        for (size_t i = 0; i < column.weights.size(); ++i)
          sum += column.weights[i] * row[static_cast<size_t>(column.first) + i];
        to[static_cast<int64_t>(x) * stride[0]] = sum;
      }
    }
  });
  return out;
}

/// Trilinear at a continuous index inside the voxel edges (the outer half voxel repeats the border); kAirHu outside.
double sampleInside(const Volume& volume, const Vec3& index) {
  const Int3 size = volume.geometry().size;
  int low[3], high[3];
  double t[3];
  for (int a = 0; a < 3; ++a) {
    const double i = get(index, a);
    if (i < -0.5 || i > get(size, a) - 0.5) return kAirHu;
    const double inside = std::clamp(i, 0.0, get(size, a) - 1.0);
    low[a] = static_cast<int>(inside);
    high[a] = std::min(low[a] + 1, get(size, a) - 1);
    t[a] = inside - low[a];
  }
  const auto along = [](double a, double b, double f) { return a + (b - a) * f; };
  const auto row = [&](int y, int z) { return along(volume.at(low[0], y, z), volume.at(high[0], y, z), t[0]); };
  return along(along(row(low[1], low[2]), row(high[1], low[2]), t[1]),
               along(row(low[1], high[2]), row(high[1], high[2]), t[1]), t[2]);
}

Image<float> resampleOblique(const Volume& volume, const Geometry& target) {
  const Geometry& source = volume.geometry();
  const double finest = std::min({source.spacingMm.x, source.spacingMm.y, source.spacingMm.z});
  const auto subSamples = [&](double spacingMm) {
    return std::max(1, static_cast<int>(std::ceil(spacingMm / finest - 1e-6)));
  };
  const Int3 n{subSamples(target.spacingMm.x), subSamples(target.spacingMm.y), subSamples(target.spacingMm.z)};
  const auto shift = [](int i, int count) { return (i + 0.5) / count - 0.5; };
  Image<float> out(target);
  parallelForLarge(target.size.z, target.voxelCount(), [&](int64_t z) {
    for (int y = 0; y < target.size.y; ++y) {
      for (int x = 0; x < target.size.x; ++x) {
        double sum = 0;
        for (int k = 0; k < n.z; ++k) {
          for (int j = 0; j < n.y; ++j) {
            for (int i = 0; i < n.x; ++i) {
              const Vec3 at{x + shift(i, n.x), y + shift(j, n.y), static_cast<double>(z) + shift(k, n.z)};
              sum += sampleInside(volume, source.toIndex(target.toPatient(at)));
            }
          }
        }
        out.at(x, y, static_cast<int>(z)) = static_cast<float>(sum / (double{1} * n.x * n.y * n.z));
      }
    }
  });
  return out;
}

}  // namespace

Geometry isotropicGeometry(const Geometry& source, double spacingMm) {
  return isotropicGeometry(source, spacingMm, {{0, 0, 0}, source.size});
}

Geometry isotropicGeometry(const Geometry& source, double spacingMm, const IndexBox& part) {
  // A whole number of voxels must not become one more by rounding.
  constexpr double kSlack = 1e-6;
  const auto count = [&](int voxels, double mm) {
    return std::max(1, static_cast<int>(std::ceil(voxels * mm / spacingMm - kSlack)));
  };
  const auto start = [&](int first, double mm) { return first - 0.5 + 0.5 * spacingMm / mm; };
  Geometry target = source;
  target.size = {count(part.size.x, source.spacingMm.x), count(part.size.y, source.spacingMm.y),
                 count(part.size.z, source.spacingMm.z)};
  target.spacingMm = {spacingMm, spacingMm, spacingMm};
  target.originMm = source.toPatient({start(part.first.x, source.spacingMm.x), start(part.first.y, source.spacingMm.y),
                                      start(part.first.z, source.spacingMm.z)});
  return target;
}

Image<float> resampleLinear(const Volume& volume, const Geometry& target) {
  if (const auto maps = parallelAxes(volume.geometry(), target)) return resampleParallel(volume, target, *maps);
  return resampleOblique(volume, target);
}

}  // namespace lynceus::image
