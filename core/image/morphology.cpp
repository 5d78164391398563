#include "core/image/morphology.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/parallel.h"

namespace lynceus::image {

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// Room for one line of the lower envelope, reused along a thread's lines.
struct Envelope {
  explicit Envelope(int n)
      : at(static_cast<size_t>(n)), from(static_cast<size_t>(n) + 1), line(static_cast<size_t>(n)) {}
  std::vector<int> at;       ///< where each parabola of the envelope has its lowest point
  std::vector<double> from;  ///< where each becomes the lowest
  std::vector<float> line;   ///< squared distances so far
};

/// line[i] = min over j of line[j] + (spacing * (i - j))^2, for out[i * stride].
void transformLine(Envelope& e, double spacingMm, float* out, int64_t stride) {
  const int n = static_cast<int>(e.line.size());
  const double s2 = spacingMm * spacingMm;
  const auto value = [&](int i) { return static_cast<double>(e.line[static_cast<size_t>(i)]); };
  int count = 0;
  for (int q = 0; q < n; ++q) {
    if (e.line[static_cast<size_t>(q)] == kInfinity) continue;
    double crossing = -std::numeric_limits<double>::infinity();
    while (count > 0) {
      const int p = e.at[static_cast<size_t>(count - 1)];
      crossing = ((value(q) - value(p)) / s2 + double(q) * q - double(p) * p) / (2.0 * (q - p));
      if (crossing > e.from[static_cast<size_t>(count - 1)]) break;
      --count;
    }
    if (count == 0) crossing = -std::numeric_limits<double>::infinity();
    e.at[static_cast<size_t>(count)] = q;
    e.from[static_cast<size_t>(count)] = crossing;
    ++count;
  }
  if (count == 0) return;
  int k = 0;
  for (int q = 0; q < n; ++q) {
    while (k + 1 < count && e.from[static_cast<size_t>(k) + 1] < q) ++k;
    const double d = spacingMm * (q - e.at[static_cast<size_t>(k)]);
    out[q * stride] = static_cast<float>(d * d + value(e.at[static_cast<size_t>(k)]));
  }
}

/// Lines of `count` values `stride` apart that start at first, first + 1, … first + width - 1.
void transformLines(float* first, int width, int count, int64_t stride, double spacingMm) {
  Envelope e(count);
  for (int x = 0; x < width; ++x) {
    for (int i = 0; i < count; ++i) e.line[static_cast<size_t>(i)] = first[x + i * stride];
    transformLine(e, spacingMm, first + x, stride);
  }
}

template <class Keep>
Mask select(const Image<float>& distance, Keep keep) {
  Mask out(distance.geometry);
  for (size_t i = 0; i < out.voxels.size(); ++i) out.voxels[i] = keep(distance.voxels[i]) ? 1 : 0;
  return out;
}

// A voxel at exactly the radius must not depend on the last bit of a square root.
constexpr double kSlackMm = 1e-4;

}  // namespace

Image<float> distanceMm(const Mask& mask, int to) {
  const Geometry& g = mask.geometry;
  const int64_t rowStride = g.size.x, sliceStride = int64_t{g.size.x} * g.size.y;
  Image<float> out(g, kInfinity);
  float* voxels = out.voxels.data();
  parallelForLarge(g.size.z, g.voxelCount(), [&](int64_t z) {
    float* slice = voxels + z * sliceStride;
    for (int64_t i = 0; i < sliceStride; ++i) {
      if ((mask.voxels[static_cast<size_t>(z * sliceStride + i)] != 0) == (to != 0)) slice[i] = 0;
    }
    Envelope row(g.size.x);
    for (int y = 0; y < g.size.y; ++y) {
      std::copy_n(slice + y * rowStride, g.size.x, row.line.begin());
      transformLine(row, g.spacingMm.x, slice + y * rowStride, 1);
    }
    transformLines(slice, g.size.x, g.size.y, rowStride, g.spacingMm.y);
  });
  parallelForLarge(g.size.y, g.voxelCount(), [&](int64_t y) {
    float* first = voxels + y * rowStride;
    transformLines(first, g.size.x, g.size.z, sliceStride, g.spacingMm.z);
    for (int z = 0; z < g.size.z; ++z) {
      for (int x = 0; x < g.size.x; ++x) first[z * sliceStride + x] = std::sqrt(first[z * sliceStride + x]);
    }
  });
  return out;
}

Mask dilate(const Mask& mask, double radiusMm) {
  return select(distanceMm(mask, 1), [&](float d) { return d <= radiusMm + kSlackMm; });
}

Mask erode(const Mask& mask, double radiusMm) {
  return select(distanceMm(mask, 0), [&](float d) { return d > radiusMm + kSlackMm; });
}

Mask open(const Mask& mask, double radiusMm) { return dilate(erode(mask, radiusMm), radiusMm); }

Mask close(const Mask& mask, double radiusMm) { return erode(dilate(mask, radiusMm), radiusMm); }

}  // namespace lynceus::image
