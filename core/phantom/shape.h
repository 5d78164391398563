// The solid primitives that vessels, airways, bones and organs are built from: signed distance, bounds, HU.
#pragma once

#include <array>

#include "core/detect/finding.h"
#include "core/phantom/vec.h"

namespace lynceus::phantom {

/// From the anatomy's own frame (origin at the carina, axes as LPS) to the patient: the patient lies a little rotated.
struct Pose {
  std::array<Vec3, 3> axes{Vec3{1, 0, 0}, {0, 1, 0}, {0, 0, 1}};  ///< the anatomy's axes in patient space
  Vec3 shiftMm;
  // a spine that is not straight takes the whole section with it: x += lateral sin(phase + z / length)
  double lateralMm = 0, lateralPhase = 0, lateralLengthMm = 60;

  Vec3 bend(double z) const {
    return {lateralMm == 0 ? 0 : lateralMm * std::sin(lateralPhase + z / lateralLengthMm), 0, 0};
  }
  Vec3 rotate(const Vec3& v) const { return axes[0] * v.x + axes[1] * v.y + axes[2] * v.z; }
  Point3 toPatient(const Point3& p) const { return rotate(p + bend(p.z)) + shiftMm; }
  Point3 toModel(const Point3& p) const {
    const Vec3 d = p - shiftMm;
    const Point3 bent{dot(axes[0], d), dot(axes[1], d), dot(axes[2], d)};
    return bent - bend(bent.z);
  }
};

struct Shape {
  enum class Kind { tube, ellipsoid, drum };
  Kind kind = Kind::tube;
  Point3 a, b;            ///< tube: its ends; others: a is the centre
  double ra = 0, rb = 0;  ///< tube: radius at a and b
  double flatness = 1;    ///< tube: width / thickness, the thin direction being axes[0]
  std::array<Vec3, 3> axes{Vec3{1, 0, 0}, {0, 1, 0}, {0, 0, 1}};
  Vec3 semiAxes;  ///< ellipsoid: half axes; drum: half axes of the section and half height along axes[2]
  double hu = 0;
  double opacity = 1;
  bool inLung = false;  ///< drawn only where the lung is

  /// Signed distance in mm, negative inside; first order near the surface.
  double distance(const Point3& p) const;
  detect::BoxMm bounds() const;
  Shape moved(const Pose& pose) const;
};

Shape tube(const Point3& a, const Point3& b, double ra, double rb, double hu);
Shape flatTube(const Point3& a, const Point3& b, double halfWidth, double halfThickness, const Vec3& thinDirection,
               double hu);
Shape ellipsoid(const Point3& centre, const Vec3& semiAxes, const std::array<Vec3, 3>& axes, double hu);
inline Shape ellipsoid(const Point3& centre, const Vec3& semiAxes, double hu) {
  return ellipsoid(centre, semiAxes, {Vec3{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}, hu);
}
Shape drum(const Point3& centre, const Vec3& semiAxes, const std::array<Vec3, 3>& axes, double hu);

}  // namespace lynceus::phantom
