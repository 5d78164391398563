#include "core/phantom/lesion_site.h"

namespace lynceus::phantom {

LesionSites::LesionSites(const Anatomy& anatomy, const Fields& fields, const Scene& scene, const LesionRequest& request)
    : m_anatomy(anatomy), m_fields(fields), m_scene(scene), m_request(request) {}

LesionSites::Region LesionSites::drawRegion(Random& random) {
  const double where = random.uniform();
  return where < 0.12 ? Region::apex : where < 0.24 ? Region::hilum : where < 0.38 ? Region::base : Region::all;
}

Point3 LesionSites::anywhere(Random& random, Region region) const {
  const Anatomy& a = m_anatomy;
  Point3 p{random.range(-a.halfWidthMm, a.halfWidthMm), random.range(-1.5, 1.3) * a.halfDepthMm,
           random.range(a.baseZ, a.apexZ)};
  if (region == Region::apex) {
    p = {0.75 * p.x, 0.7 * p.y, a.apexZ - 0.22 * (a.apexZ - p.z)};
  } else if (region == Region::hilum) {
    p.x = random.sign() * random.range(22, 62);
    p.y = a.tracheaY(-20) + random.range(-40, 25);
    p.z = random.range(-55, 25);
  } else if (region == Region::base) {
    p.z = a.diaphragmZ(p) + random.range(0, 18);
  }
  return a.pose.toPatient(p);
}

Vec3 LesionSites::slope(FieldId id, const Point3& p) const {
  const double h = 2;  // mm
  const auto along = [&](const Vec3& d) { return m_fields.sample(id, p + d) - m_fields.sample(id, p - d); };
  return normalized({along({h, 0, 0}), along({0, h, 0}), along({0, 0, h})});
}

bool LesionSites::moveTo(FieldId id, double value, Point3& p) const {
  for (int i = 0; i < 12; ++i) {
    const double gap = value - m_fields.sample(id, p);
    if (std::abs(gap) < 0.15) return true;
    if (std::abs(gap) > 40) return false;
    p = p + slope(id, p) * (0.8 * gap);
  }
  return false;
}

bool LesionSites::isFree(const Point3& c, double reach) const {
  if (!m_fields.hasRoom(c, reach)) return false;
  const Vec3 margin{reach + 2, reach + 2, reach + 2};
  const Vec3 low = c - margin - m_request.fromMm, high = m_request.toMm - c - margin;
  if (std::min({low.x, low.y, low.z, high.x, high.y, high.z}) < 0) return false;
  for (const Ball& other : m_taken) {
    if (norm(c - other.centre) < reach + other.reachMm + 2) return false;
  }
  return true;
}

double LesionSites::vesselDistance(const Point3& p) const {
  double nearest = 1e9;
  for (const Shape& vessel : m_scene.layers[kLayerLungVessels]) {
    if (vessel.ra < 0.6) continue;
    const Vec3 d = vessel.a - p;
    if (dot(d, d) > 60 * 60) continue;
    nearest = std::min(nearest, vessel.distance(p));
  }
  return nearest;
}

const Shape* LesionSites::drawVessel(Random& random, double smallest, double largest, bool fork, Point3& at) const {
  const std::vector<Shape>& vessels = m_scene.layers[kLayerLungVessels];
  if (vessels.empty()) return nullptr;
  for (int i = 0; i < 400; ++i) {
    const Shape& vessel = vessels[static_cast<size_t>(random.integer(static_cast<int>(vessels.size())))];
    if (vessel.ra < smallest || vessel.ra > largest) continue;
    at = mix(vessel.a, vessel.b, 0.5);
    if (!fork) return &vessel;
    int children = 0;
    for (const Shape& other : vessels) children += norm(other.a - vessel.b) < 1e-6 ? 1 : 0;
    if (children < 2) continue;
    at = vessel.b;
    return &vessel;
  }
  return nullptr;
}

Location LesionSites::locate(const Point3& patient) const {
  const Point3 p = m_anatomy.pose.toModel(patient);
  if (m_anatomy.level(p.z) < 0.2) return Location::apical;
  if (m_fields.sample(kDiaphragm, patient) > -20) return Location::basal;
  const double hilumX = p.x < 0 ? -40 : 40;
  if (norm(p - Point3{hilumX, m_anatomy.tracheaY(-15) - 8, -15}) < 40) return Location::perihilar;
  return m_fields.sample(kLung, patient) > -20 ? Location::peripheral : Location::central;
}

}  // namespace lynceus::phantom
