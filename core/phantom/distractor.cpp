#include "core/phantom/distractor.h"

#include <optional>

#include "core/phantom/random.h"

namespace lynceus::phantom {
namespace {

Point3 anywhere(const Anatomy& a, Random& random) {
  return a.pose.toPatient({random.range(-a.halfWidthMm, a.halfWidthMm), random.range(-1.5, 1.3) * a.halfDepthMm,
                           random.range(a.baseZ, a.apexZ)});
}

// A point of the lung at a depth below its surface, on the chest wall or (wall = false) just over the diaphragm.
std::optional<Point3> pointAtDepth(const Anatomy& a, const Fields& fields, Random& random, double depth, bool wall) {
  for (int i = 0; i < 4000; ++i) {
    const Point3 p = anywhere(a, random);
    if (std::abs(fields.sample(kLung, p) + depth) > 1) continue;
    const double cavity = fields.sample(kCavity, p);
    if (wall ? cavity < -depth - 2 : (fields.sample(kDiaphragm, p) < -depth - 8 || cavity > -12)) continue;
    return p;
  }
  return std::nullopt;
}

Vec3 inward(const Fields& fields, const Point3& p) {
  const double h = 3;  // mm
  const auto slope = [&](const Vec3& d) { return fields.sample(kLung, p - d) - fields.sample(kLung, p + d); };
  return normalized({slope({h, 0, 0}), slope({0, h, 0}), slope({0, 0, h})});
}

}  // namespace

std::vector<Distractor> addDistractors(const Anatomy& a, const Fields& fields, Scene& scene) {
  Random random(a.seed, kStreamDistractors);
  std::vector<Distractor> list;
  const auto put = [&](Layer layer, const Shape& shape, const char* kind) {
    scene.add(layer, shape);
    list.push_back({kind, shape.bounds()});
  };
  for (int i = random.integer(4); i > 0; --i) {
    const auto p = pointAtDepth(a, fields, random, 0.5, true);
    if (!p) continue;
    const Vec3 normal = inward(fields, *p);
    const auto [u, v] = frameAround(normal);
    put(kLayerScars,
        ellipsoid(*p, {random.range(6, 18), random.range(8, 26), random.range(1.2, 2.6)}, {u, v, normal}, 30),
        "pleural-thickening");
  }
  for (int i = random.integer(4); i > 0; --i) {
    const double length = random.range(8, 22);
    const auto p = pointAtDepth(a, fields, random, 0.7 * length, true);
    if (!p) continue;
    const Vec3 along = normalized(inward(fields, *p) + random.direction() * 0.5);
    const auto [u, v] = frameAround(along);
    Shape scar = ellipsoid(*p, {random.range(0.5, 1.1), random.range(2, 7), length}, {u, v, along}, -20);
    scar.opacity = random.range(0.5, 1.0);
    put(kLayerScars, scar, "linear-scar");
  }
  for (int i = random.chance(0.5) ? 1 + random.integer(3) : 0; i > 0; --i) {
    const auto p = pointAtDepth(a, fields, random, 6, false);
    if (!p) continue;
    const auto [u, v] = frameAround(normalized(Vec3{0, 0.25, 1} + random.direction() * 0.3));
    Shape band =
        ellipsoid(*p, {random.range(10, 24), random.range(6, 14), random.range(0.8, 2.0)}, {u, v, cross(u, v)}, 10);
    band.opacity = random.range(0.6, 1.0);
    put(kLayerScars, band, "atelectasis");
  }
  for (int i = 2 + random.integer(7); i > 0; --i) {
    const double z = random.range(-45, 55);
    const Point3 p{random.range(-24, 24), a.tracheaY(z) + random.range(-30, 2), z};
    const double r = random.range(2.5, 5.5);
    put(kLayerMediastinal,
        ellipsoid(a.pose.toPatient(p), {r, r * random.range(0.6, 1), r * random.range(0.9, 1.6)}, 38),
        "mediastinal-lymph-node");
  }
  return list;
}

}  // namespace lynceus::phantom
