#include "core/measure/measure.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

namespace lynceus::measure {

namespace {

using detect::RunLengthMask;
using image::Geometry;
using image::Point3;

/// Millimetres along the columns' and rows' axes of a slice, from the centre of voxel (0, 0).
struct Point2 {
  double x = 0, y = 0;
};
Point2 operator-(const Point2& a, const Point2& b) { return {a.x - b.x, a.y - b.y}; }
double crossZ(const Point2& a, const Point2& b) { return a.x * b.y - a.y * b.x; }
double dot(const Point2& a, const Point2& b) { return a.x * b.x + a.y * b.y; }

struct Axis {
  Point2 from, to;
  double squared() const { return dot(to - from, to - from); }
};

/// Middles of the borders of the voxels at the ends of each run, by slice: their convex hull is that of all voxels of
/// the slice.
std::map<int, std::vector<Point2>> borderPoints(const Geometry& g, const RunLengthMask& mask) {
  std::map<int, std::vector<Point2>> slices;
  for (const RunLengthMask::Run& run : mask.runs) {
    const int64_t row = run.offset / g.size.x;
    std::vector<Point2>& points = slices[static_cast<int>(row / g.size.y)];
    const auto add = [&](double x, double y) { points.push_back({x * g.spacingMm.x, y * g.spacingMm.y}); };
    const double y = static_cast<double>(row % g.size.y);
    const double first = static_cast<double>(run.offset % g.size.x), last = first + static_cast<double>(run.length) - 1;
    add(first - 0.5, y);
    add(last + 0.5, y);
    for (const double x : {first, last}) {
      add(x, y - 0.5);
      add(x, y + 0.5);
    }
  }
  return slices;
}

/// Counter-clockwise, without points on straight edges (Andrew's monotone chain).
std::vector<Point2> convexHull(std::vector<Point2> points) {
  std::sort(points.begin(), points.end(),
            [](const Point2& a, const Point2& b) { return a.x < b.x || (a.x == b.x && a.y < b.y); });
  std::vector<Point2> hull;
  const auto half = [&](auto begin, auto end) {
    const size_t base = hull.size();
    for (auto p = begin; p != end; ++p) {
      while (hull.size() >= base + 2 && crossZ(hull.back() - hull[hull.size() - 2], *p - hull.back()) <= 0)
        hull.pop_back();
      hull.push_back(*p);
    }
    hull.pop_back();
  };
  half(points.begin(), points.end());
  half(points.rbegin(), points.rend());
  return hull;
}

/// The farthest pair; hulls of masks have few vertices, so all pairs are tried.
Axis longestAxis(const std::vector<Point2>& hull) {
  Axis best{hull[0], hull[0]};
  for (size_t i = 0; i < hull.size(); ++i) {
    for (size_t j = i + 1; j < hull.size(); ++j) {
      if (const Axis axis{hull[i], hull[j]}; axis.squared() > best.squared()) best = axis;
    }
  }
  return best;
}

/// The longest chord of the hull perpendicular to `axis`. Chord length is piecewise linear between vertices, so
/// the longest one passes through a vertex.
Axis longestChordAcross(const std::vector<Point2>& hull, const Axis& axis) {
  const Point2 along = axis.to - axis.from;
  Axis best{axis.from, axis.from};
  for (const Point2& vertex : hull) {
    for (size_t i = 0; i < hull.size(); ++i) {
      const Point2 &a = hull[i], &b = hull[(i + 1) % hull.size()];
      const double da = dot(a - vertex, along), db = dot(b - vertex, along);
      if ((da > 0) == (db > 0) || da == db) continue;
      const double t = da / (da - db);
      const Point2 opposite{a.x + t * (b.x - a.x), a.y + t * (b.y - a.y)};
      if (const Axis chord{vertex, opposite}; chord.squared() > best.squared()) best = chord;
    }
  }
  return best;
}

void measureDensity(const image::Volume& volume, const RunLengthMask& mask, detect::Measurements& out) {
  const double n = static_cast<double>(mask.voxelCount());
  const auto sumOf = [&](auto term) {
    double sum = 0;
    for (const RunLengthMask::Run& run : mask.runs) {
      for (const int16_t hu : volume.hu().subspan(static_cast<size_t>(run.offset), static_cast<size_t>(run.length)))
        sum += term(hu);
    }
    return sum;
  };
  out.meanHu = sumOf([](double hu) { return hu; }) / n;
  out.sdHu = std::sqrt(sumOf([&](double hu) { return (hu - out.meanHu) * (hu - out.meanHu); }) / n);
}

}  // namespace

detect::Measurements measure(const image::Volume& volume, const RunLengthMask& mask) {
  const Geometry& g = volume.geometry();
  detect::Measurements out;
  out.volumeMm3 = static_cast<double>(mask.voxelCount()) * g.voxelVolumeMm3();
  out.diameterMm = std::cbrt(out.volumeMm3 * 6 / std::acos(-1.0));
  measureDensity(volume, mask, out);

  Axis longAxis, shortAxis;
  int slice = 0;
  for (const auto& [z, points] : borderPoints(g, mask)) {
    const std::vector<Point2> hull = convexHull(points);
    const Axis axis = longestAxis(hull);
    if (axis.squared() <= longAxis.squared()) continue;
    longAxis = axis;
    shortAxis = longestChordAcross(hull, axis);
    slice = z;
  }
  const auto toPatient = [&](const Point2& p) {
    return g.toPatient({p.x / g.spacingMm.x, p.y / g.spacingMm.y, double(slice)});
  };
  out.longAxisMm = std::sqrt(longAxis.squared());
  out.shortAxisMm = std::sqrt(shortAxis.squared());
  out.longAxisEndsMm[0] = toPatient(longAxis.from);
  out.longAxisEndsMm[1] = toPatient(longAxis.to);
  out.shortAxisEndsMm[0] = toPatient(shortAxis.from);
  out.shortAxisEndsMm[1] = toPatient(shortAxis.to);
  return out;
}

}  // namespace lynceus::measure
