#include "core/phantom/shape.h"

namespace lynceus::phantom {
namespace {

double tubeDistance(const Shape& s, const Point3& p) {
  const Vec3 ab = s.b - s.a, ap = p - s.a;
  const double length2 = dot(ab, ab);
  const double t = length2 > 0 ? clamp01(dot(ap, ab) / length2) : 0;
  const Vec3 off = ap - ab * t;
  const double radius = s.ra + (s.rb - s.ra) * t;
  if (s.flatness == 1) return norm(off) - radius;
  const double thin = dot(off, s.axes[0]);
  const double wide2 = std::max(0.0, dot(off, off) - thin * thin);
  const double squeezed = thin * s.flatness;
  const double f = std::sqrt(squeezed * squeezed + wide2);
  const double gradient = std::sqrt(squeezed * squeezed * s.flatness * s.flatness + wide2);
  return gradient > 1e-9 ? (f - radius) * f / gradient : -radius / s.flatness;
}

// Value over gradient of the implicit equation: exact on the surface, first order around it.
double ellipsoidDistance(const Shape& s, const Point3& p) {
  const Vec3 d = p - s.a;
  const double x = dot(d, s.axes[0]) / s.semiAxes.x, y = dot(d, s.axes[1]) / s.semiAxes.y,
               z = dot(d, s.axes[2]) / s.semiAxes.z;
  const double rho = std::sqrt(x * x + y * y + z * z);
  const double gx = x / s.semiAxes.x, gy = y / s.semiAxes.y, gz = z / s.semiAxes.z;
  const double gradient = std::sqrt(gx * gx + gy * gy + gz * gz);
  const double smallest = std::min({s.semiAxes.x, s.semiAxes.y, s.semiAxes.z});
  return rho > 1e-3 ? (rho - 1) * rho / gradient : -smallest;
}

double drumDistance(const Shape& s, const Point3& p) {
  const Vec3 d = p - s.a;
  const double x = dot(d, s.axes[0]) / s.semiAxes.x, y = dot(d, s.axes[1]) / s.semiAxes.y;
  const double side = (std::sqrt(x * x + y * y) - 1) * std::min(s.semiAxes.x, s.semiAxes.y);
  const double lid = std::abs(dot(d, s.axes[2])) - s.semiAxes.z;
  return smoothMax(side, lid, 2);
}

}  // namespace

double Shape::distance(const Point3& p) const {
  switch (kind) {
    case Kind::tube: return tubeDistance(*this, p);
    case Kind::ellipsoid: return ellipsoidDistance(*this, p);
    case Kind::drum: return drumDistance(*this, p);
  }
  return 0;
}

detect::BoxMm Shape::bounds() const {
  if (kind == Kind::tube) {
    const double r = std::max(ra, rb);
    return {{std::min(a.x, b.x) - r, std::min(a.y, b.y) - r, std::min(a.z, b.z) - r},
            {std::max(a.x, b.x) + r, std::max(a.y, b.y) + r, std::max(a.z, b.z) + r}};
  }
  const auto reach = [&](double x, double y, double z) {
    const double u = x * semiAxes.x, v = y * semiAxes.y, w = z * semiAxes.z;
    return kind == Kind::ellipsoid ? std::sqrt(u * u + v * v + w * w) : std::abs(u) + std::abs(v) + std::abs(w);
  };
  const Vec3 r{reach(axes[0].x, axes[1].x, axes[2].x), reach(axes[0].y, axes[1].y, axes[2].y),
               reach(axes[0].z, axes[1].z, axes[2].z)};
  return {a - r, a + r};
}

Shape Shape::moved(const Pose& pose) const {
  Shape result = *this;
  result.a = pose.toPatient(a);
  result.b = pose.toPatient(b);
  for (Vec3& axis : result.axes) axis = pose.rotate(axis);
  return result;
}

Shape tube(const Point3& a, const Point3& b, double ra, double rb, double hu) {
  Shape s;
  s.a = a;
  s.b = b;
  s.ra = ra;
  s.rb = rb;
  s.hu = hu;
  return s;
}

Shape flatTube(const Point3& a, const Point3& b, double halfWidth, double halfThickness, const Vec3& thinDirection,
               double hu) {
  Shape s = tube(a, b, halfWidth, halfWidth, hu);
  const Vec3 along = normalized(b - a);
  s.axes[0] = normalized(thinDirection - along * dot(along, thinDirection));
  s.flatness = halfWidth / halfThickness;
  return s;
}

Shape ellipsoid(const Point3& centre, const Vec3& semiAxes, const std::array<Vec3, 3>& axes, double hu) {
  Shape s;
  s.kind = Shape::Kind::ellipsoid;
  s.a = s.b = centre;
  s.semiAxes = semiAxes;
  s.axes = axes;
  s.hu = hu;
  return s;
}

Shape drum(const Point3& centre, const Vec3& semiAxes, const std::array<Vec3, 3>& axes, double hu) {
  Shape s = ellipsoid(centre, semiAxes, axes, hu);
  s.kind = Shape::Kind::drum;
  return s;
}

}  // namespace lynceus::phantom
