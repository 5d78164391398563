#include "core/image/geometry.h"

namespace lynceus::image {

Point3 Geometry::toPatient(const Vec3& index) const {
  return originMm + direction[0] * (index.x * spacingMm.x) + direction[1] * (index.y * spacingMm.y) +
         direction[2] * (index.z * spacingMm.z);
}

Vec3 Geometry::toIndex(const Point3& pointMm) const {
  const Vec3 d = pointMm - originMm;
  return {dot(d, direction[0]) / spacingMm.x, dot(d, direction[1]) / spacingMm.y, dot(d, direction[2]) / spacingMm.z};
}

Int3 Geometry::nearestVoxel(const Point3& pointMm) const {
  const Vec3 i = toIndex(pointMm);
  return {static_cast<int>(std::lround(i.x)), static_cast<int>(std::lround(i.y)), static_cast<int>(std::lround(i.z))};
}

Expected<void> Geometry::check() const {
  if (size.x <= 0 || size.y <= 0 || size.z <= 0) {
    return makeError(ErrorCode::badGeometry, "the image size {} x {} x {} is not positive", size.x, size.y, size.z);
  }
  for (const double s : {spacingMm.x, spacingMm.y, spacingMm.z}) {
    if (!(std::isfinite(s) && s > 0))
      return makeError(ErrorCode::badGeometry, "the voxel spacing {} mm is not positive", s);
  }
  for (const double o : {originMm.x, originMm.y, originMm.z}) {
    if (!std::isfinite(o)) return makeError(ErrorCode::badGeometry, "the image position {} mm is not a number", o);
  }
  // Real headers carry about six digits; anything beyond 1e-4 is a sheared or mirrored-by-mistake grid.
  constexpr double kTolerance = 1e-4;
  for (int a = 0; a < 3; ++a) {
    for (int b = a; b < 3; ++b) {
      const double expected = a == b ? 1 : 0;
      if (!(std::abs(dot(direction[a], direction[b]) - expected) <= kTolerance)) {
        return makeError(ErrorCode::badGeometry, "the image axes are not orthonormal (axis {} times axis {} is {:.6f})",
                         a, b, dot(direction[a], direction[b]));
      }
    }
  }
  return {};
}

}  // namespace lynceus::image
