#include "core/phantom/grown_lesion.h"

#include <numbers>

namespace lynceus::phantom {
namespace {

struct Overlap {
  int first = 0, count = 0;
  std::vector<float> share;  ///< of cell width / voxel width in voxels first, first + 1, …
};

// For each cell along one axis which voxels it lies in. Voxel v reaches from origin + (v - 1/2) to origin + (v + 1/2)
// spacings.
std::vector<Overlap> overlaps(double corner, double cell, int cells, double origin, double spacing, int voxels) {
  std::vector<Overlap> result(static_cast<size_t>(cells));
  for (int i = 0; i < cells; ++i) {
    const double from = (corner + i * cell - origin) / spacing + 0.5, to = from + cell / spacing;
    Overlap& o = result[static_cast<size_t>(i)];
    o.first = std::max(0, static_cast<int>(std::floor(from)));
    for (int v = o.first; v < voxels && v < to; ++v) {
      o.share.push_back(static_cast<float>(std::max(0.0, std::min(to, v + 1.0) - std::max(from, double(v)))));
    }
    o.count = static_cast<int>(o.share.size());
  }
  return result;
}

struct Extent {
  double length = 0;
  Point3 from, to;
};

Extent longest(const std::vector<Point3>& points) {
  Extent best;
  for (size_t i = 0; i < points.size(); ++i) {
    for (size_t k = 0; k < i; ++k) {
      const double length = norm(points[i] - points[k]);
      if (length > best.length) best = {length, points[i], points[k]};
    }
  }
  return best;
}

Extent widestAcross(const std::vector<Point3>& points, const Vec3& across) {
  Extent e;
  const auto order = [&](const Point3& a, const Point3& b) { return dot(a, across) < dot(b, across); };
  const auto [low, high] = std::minmax_element(points.begin(), points.end(), order);
  e.from = *low;
  e.to = *high;
  e.length = dot(*high - *low, across);
  return e;
}

void measureAxes(GrownLesion& g) {
  double best = 0;
  std::vector<Point3> ends, bestEnds;
  for (int k = 0; k < g.size.z; ++k) {
    ends.clear();
    for (int j = 0; j < g.size.y; ++j) {
      const auto* row = g.body.data() + g.at(0, j, k);
      const auto* first = std::find(row, row + g.size.x, 1);
      if (first == row + g.size.x) continue;
      int last = g.size.x - 1;
      while (!row[last]) --last;
      ends.push_back(g.middleOf(static_cast<int>(first - row), j, k));
      ends.push_back(g.middleOf(last, j, k));
    }
    const Extent e = longest(ends);
    if (e.length < best || ends.empty()) continue;
    best = e.length;
    bestEnds = ends;
    g.longAxisEndsMm[0] = e.from, g.longAxisEndsMm[1] = e.to;
  }
  const Vec3 along = normalized(g.longAxisEndsMm[1] - g.longAxisEndsMm[0]);
  const Extent across = widestAcross(bestEnds, {-along.y, along.x, 0});
  g.longAxisMm = best + g.cellMm;
  g.shortAxisMm = std::min(g.longAxisMm, across.length + g.cellMm);
  g.shortAxisEndsMm[0] = across.from, g.shortAxisEndsMm[1] = across.to;
}

}  // namespace

void measureCells(GrownLesion& g) {
  double count = 0, sum = 0, squares = 0;
  Vec3 moment;
  image::Int3 low{g.size.x, g.size.y, g.size.z}, high{-1, -1, -1};
  for (int k = 0; k < g.size.z; ++k) {
    for (int j = 0; j < g.size.y; ++j) {
      for (int i = 0; i < g.size.x; ++i) {
        const size_t cell = g.at(i, j, k);
        if (!g.body[cell]) continue;
        ++count;
        moment = moment + Vec3{i + 0.5, j + 0.5, k + 0.5};
        sum += g.hu[cell];
        squares += double(g.hu[cell]) * g.hu[cell];
        low = {std::min(low.x, i), std::min(low.y, j), std::min(low.z, k)};
        high = {std::max(high.x, i), std::max(high.y, j), std::max(high.z, k)};
      }
    }
  }
  if (count == 0) return;
  g.centreMm = g.cornerMm + moment * (g.cellMm / count);
  g.volumeMm3 = count * g.cellMm * g.cellMm * g.cellMm;
  g.diameterMm = std::cbrt(6 * g.volumeMm3 / std::numbers::pi);
  g.meanHu = sum / count;
  g.sdHu = std::sqrt(std::max(0.0, squares / count - g.meanHu * g.meanHu));
  g.boxMm = {g.cornerMm + Vec3{double(low.x), double(low.y), double(low.z)} * g.cellMm,
             g.cornerMm + Vec3{high.x + 1.0, high.y + 1.0, high.z + 1.0} * g.cellMm};
  measureAxes(g);
}

detect::RunLengthMask maskOf(const GrownLesion& g, const image::Geometry& geometry) {
  detect::RunLengthMask mask;
  const Vec3 low = geometry.toIndex(g.boxMm.min), high = geometry.toIndex(g.boxMm.max);
  const auto cellOf = [&](double mm, double corner, int size) {
    const auto i = static_cast<int>(std::floor((mm - corner) / g.cellMm));
    return i >= 0 && i < size ? i : -1;
  };
  for (int z = std::max(0, static_cast<int>(low.z)); z < geometry.size.z && z <= high.z; ++z) {
    for (int y = std::max(0, static_cast<int>(low.y)); y < geometry.size.y && y <= high.y; ++y) {
      for (int x = std::max(0, static_cast<int>(low.x)); x < geometry.size.x && x <= high.x; ++x) {
        const Point3 p = geometry.toPatient({double(x), double(y), double(z)});
        const int i = cellOf(p.x, g.cornerMm.x, g.size.x), j = cellOf(p.y, g.cornerMm.y, g.size.y),
                  k = cellOf(p.z, g.cornerMm.z, g.size.z);
        if (i < 0 || j < 0 || k < 0 || !g.body[g.at(i, j, k)]) continue;
        const int64_t offset = geometry.offset(x, y, z);
        const bool goesOn = !mask.runs.empty() && mask.runs.back().offset + mask.runs.back().length == offset;
        if (goesOn) {
          ++mask.runs.back().length;
        } else {
          mask.runs.push_back({offset, 1});
        }
      }
    }
  }
  return mask;
}

void layInto(const PlaneView& plane, const GrownLesion& g, GrownLesion::Cell kind) {
  const double bottom = plane.z - 0.5 * plane.thicknessMm, top = plane.z + 0.5 * plane.thicknessMm;
  const int first = std::max(0, static_cast<int>(std::floor((bottom - g.cornerMm.z) / g.cellMm)));
  const int last = std::min(g.size.z - 1, static_cast<int>(std::floor((top - g.cornerMm.z) / g.cellMm)));
  if (first > last || (kind == GrownLesion::kHaze && g.texture == Texture::solid)) return;
  const image::Geometry& v = plane.geometry;
  const auto xs = overlaps(g.cornerMm.x, g.cellMm, g.size.x, v.originMm.x, v.spacingMm.x, v.size.x);
  const auto ys = overlaps(g.cornerMm.y, g.cellMm, g.size.y, v.originMm.y, v.spacingMm.y, v.size.y);
  const int left = xs.front().first, above = ys.front().first;
  const int width = xs.back().first + xs.back().count - left + 1,
            height = ys.back().first + ys.back().count - above + 1;
  if (width <= 0 || height <= 0) return;
  const auto w = static_cast<size_t>(width);
  std::vector<float> share(w * static_cast<size_t>(height)), weighted(share.size());
  for (int k = first; k <= last; ++k) {
    const double from = std::max(bottom, g.cornerMm.z + k * g.cellMm);
    const double to = std::min(top, g.cornerMm.z + (k + 1) * g.cellMm);
    const auto slab = static_cast<float>((to - from) / plane.thicknessMm);
    if (slab <= 0) continue;
    for (int j = 0; j < g.size.y; ++j) {
      const Overlap& oy = ys[static_cast<size_t>(j)];
      for (int i = 0; i < g.size.x; ++i) {
        const size_t cell = g.at(i, j, k);
        if (g.cover[cell] <= 0 || (kind == GrownLesion::kSolid && g.kind[cell] != kind)) continue;
        const auto hu = static_cast<float>(kind == GrownLesion::kHaze && g.kind[cell] != kind ? g.hazeHu : g.hu[cell]);
        const Overlap& ox = xs[static_cast<size_t>(i)];
        for (int b = 0; b < oy.count; ++b) {
          for (int a = 0; a < ox.count; ++a) {
            const float part =
                slab * g.cover[cell] * oy.share[static_cast<size_t>(b)] * ox.share[static_cast<size_t>(a)];
            const size_t pixel =
                static_cast<size_t>(oy.first + b - above) * w + static_cast<size_t>(ox.first + a - left);
            share[pixel] += part;
            weighted[pixel] += part * hu;
          }
        }
      }
    }
  }
  for (int y = 0; y < height && above + y < v.size.y; ++y) {
    for (int x = 0; x < width && left + x < v.size.x; ++x) {
      const size_t pixel = static_cast<size_t>(y) * w + static_cast<size_t>(x);
      float& value =
          plane.hu[static_cast<size_t>(above + y) * static_cast<size_t>(v.size.x) + static_cast<size_t>(left + x)];
      value = value * (1 - share[pixel]) + weighted[pixel];
    }
  }
}

}  // namespace lynceus::phantom
