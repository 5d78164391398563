// Small vector helpers and the smooth functions that the anatomy is drawn with.
#pragma once

#include <algorithm>
#include <cmath>

#include "core/image/geometry.h"

namespace lynceus::phantom {

using image::Point3;
using image::Vec3;

inline Vec3 normalized(const Vec3& v) {
  const double n = norm(v);
  return n > 1e-12 ? v * (1 / n) : Vec3{0, 0, 1};
}
inline Vec3 mix(const Vec3& a, const Vec3& b, double t) { return a + (b - a) * t; }
inline double mix(double a, double b, double t) { return a + (b - a) * t; }
inline double clamp01(double t) { return std::clamp(t, 0.0, 1.0); }
/// 0 below `from`, 1 above `to`, smooth between (either order).
inline double smoothStep(double from, double to, double x) {
  const double t = clamp01((x - from) / (to - from));
  return t * t * (3 - 2 * t);
}
inline double bump(double x, double centre, double width) {
  const double t = (x - centre) / width;
  return std::exp(-t * t);
}
/// Union and intersection of signed distances with the crease rounded over `radius` mm.
inline double smoothMin(double a, double b, double radius) {
  const double h = std::max(radius - std::abs(a - b), 0.0) / radius;
  return std::min(a, b) - h * h * radius * 0.25;
}
inline double smoothMax(double a, double b, double radius) { return -smoothMin(-a, -b, radius); }

/// Two unit vectors that complete `axis` to a right-handed frame.
inline std::pair<Vec3, Vec3> frameAround(const Vec3& axis) {
  const Vec3 helper = std::abs(axis.z) < 0.9 ? Vec3{0, 0, 1} : Vec3{1, 0, 0};
  const Vec3 u = normalized(cross(helper, axis));
  return {u, cross(axis, u)};
}

}  // namespace lynceus::phantom
