// How nodules look and where they sit.
#include "core/phantom/nodule.h"

namespace lynceus::phantom {
namespace {

constexpr double kSmallestMm = 3, kLargestMm = 30;

// Diameters between 3 and 30 mm, median about 7.5 mm, a fifth above 12 mm.
double drawDiameter(Random& random) {
  const double t = std::pow(0.5 * (random.uniform() + random.uniform()), 1.3);
  return kSmallestMm * std::pow(kLargestMm / kSmallestMm, t);
}

NoduleBody drawBody(Random& random, double diameter, Margin margin) {
  NoduleBody body;
  body.radiusMm = diameter / 2;
  const Vec3 axis = random.direction();
  const auto [u, v] = frameAround(axis);
  body.axes = {u, v, axis};
  const double a = random.range(0.72, 1.3), b = random.range(0.8, 1.2);
  const double keepVolume = std::cbrt(1 / (a * b));
  body.stretch = {a * keepVolume, b * keepVolume, keepVolume};
  const int lobes = margin == Margin::smooth ? 3 : 5 + random.integer(6);
  const double height = margin == Margin::smooth ? 0.1 : margin == Margin::lobulated ? 0.38 : 0.28;
  body.roughness = margin == Margin::smooth ? random.range(0.02, 0.07) : random.range(0.06, 0.16);
  body.roughnessKey = random.next();
  for (int i = 0; i < lobes; ++i) {
    body.lobes.push_back(
        {random.direction(), random.range(-0.5, 1) * height, random.range(3, margin == Margin::smooth ? 4 : 12)});
  }
  return body;
}

Nodule drawNodule(Random& random) {
  Nodule n;
  const double diameter = drawDiameter(random);
  const double kind = random.uniform();
  n.texture = kind < 0.66 || diameter < 4  ? Texture::solid
              : kind < 0.8 && diameter > 7 ? Texture::partSolid
                                           : Texture::groundGlass;
  const double edge = random.uniform();
  n.margin = diameter < 5 || edge < 0.45   ? Margin::smooth
             : edge < 0.75 || diameter < 7 ? Margin::lobulated
                                           : Margin::spiculated;
  n.body = drawBody(random, diameter, n.margin);
  n.hu = random.range(20, 60);
  if (n.texture == Texture::groundGlass) n.hu = random.range(-700, -500);
  n.haloHu = random.range(-680, -500);
  if (n.texture == Texture::partSolid) {
    n.coreScale = random.range(0.3, 0.7);
    n.coreShiftMm = random.direction() * (random.range(0, 0.7) * (1 - n.coreScale) * n.body.radiusMm);
  }
  n.textureKey = random.next();
  n.calcified = n.texture == Texture::solid && diameter < 12 && random.chance(0.08);
  if (n.calcified) n.hu = random.range(180, 600);
  const double where = random.uniform();
  n.attachment = where < 0.45   ? Attachment::isolated
                 : where < 0.72 ? Attachment::juxtaPleural
                                : Attachment::juxtaVascular;
  return n;
}

void addSpicules(Random& random, Nodule& n) {
  const int count = 18 + random.integer(18);
  const double hu = n.texture == Texture::groundGlass ? -250 : 20;
  for (int i = 0; i < count; ++i) {
    const Vec3 direction = random.direction();
    double surface = 0.5 * n.body.radiusMm;
    while (n.body.distance(n.body.centreMm + direction * surface) < 0) surface += 0.2;
    const Vec3 bend = random.direction() * 0.25;
    const double length = n.body.radiusMm * random.range(0.4, 1.1);
    const Point3 a = n.body.centreMm + direction * (surface - 0.6);
    const Point3 b = a + direction * (0.5 * length), c = b + normalized(direction + bend) * (0.5 * length);
    n.spicules.push_back(tube(a, b, 0.95, 0.6, hu));
    n.spicules.push_back(tube(b, c, 0.6, 0.25, hu));
  }
}

class Placer {
 public:
  Placer(const Anatomy& anatomy, const Fields& fields, const Scene& scene, const NoduleRequest& request)
      : m_anatomy(anatomy),
        m_fields(fields),
        m_vessels(scene.layers[kLayerLungVessels]),
        m_request(request),
        m_random(anatomy.seed, kStreamNodules) {}

  std::vector<Nodule> run() {
    while (static_cast<int>(m_placed.size()) < m_request.count && m_rejected < 60) {
      Nodule n = drawNodule(m_random);
      if (!settle(n)) {
        ++m_rejected;
        continue;
      }
      if (n.margin == Margin::spiculated) addSpicules(m_random, n);
      measureNodule(n, m_fields);
      if (n.diameterMm < kSmallestMm) {
        ++m_rejected;
        continue;
      }
      m_placed.push_back(std::move(n));
    }
    return std::move(m_placed);
  }

 private:
  Point3 anywhere() {
    const Anatomy& a = m_anatomy;
    return a.pose.toPatient({m_random.range(-a.halfWidthMm, a.halfWidthMm), m_random.range(-1.5, 1.3) * a.halfDepthMm,
                             m_random.range(a.baseZ, a.apexZ)});
  }

  bool isFree(const Nodule& n) const {
    const double reach = n.body.reachMm();
    const Point3& c = n.body.centreMm;
    if (!m_fields.hasRoom(c, reach)) return false;
    const Vec3 margin{reach + 2, reach + 2, reach + 2};
    const Vec3 low = c - margin - m_request.fromMm, high = m_request.toMm - c - margin;
    if (std::min({low.x, low.y, low.z, high.x, high.y, high.z}) < 0) return false;
    for (const Nodule& other : m_placed) {
      if (norm(c - other.body.centreMm) < reach + other.body.reachMm() + 5) return false;
    }
    return true;
  }

  // Free space between the sphere of the nodule and vessels that a reader would see.
  double clearance(const Nodule& n) const {
    double nearest = 1e9;
    for (const Shape& vessel : m_vessels) {
      if (vessel.ra < 0.6) continue;
      const Vec3 d = vessel.a - n.body.centreMm;
      if (dot(d, d) > 60 * 60) continue;
      nearest = std::min(nearest, vessel.distance(n.body.centreMm));
    }
    return nearest - n.body.reachMm();
  }

  bool settle(Nodule& n) {
    switch (n.attachment) {
      case Attachment::isolated: return settleIsolated(n);
      case Attachment::juxtaPleural: return settleAtPleura(n);
      case Attachment::juxtaVascular: return settleAtVessel(n);
    }
    return false;
  }

  bool settleIsolated(Nodule& n) {
    double best = -1e9;
    Point3 at;
    for (int i = 0, tried = 0; i < 4000 && tried < 40; ++i) {
      n.body.centreMm = anywhere();
      if (m_fields.sample(kLung, n.body.centreMm) > -(n.body.reachMm() + 3) || !isFree(n)) continue;
      ++tried;
      const double space = clearance(n);
      if (space > best) best = space, at = n.body.centreMm;
      if (best > 1.0) break;
    }
    if (best < -1e8) return false;
    n.body.centreMm = at;
    if (best < 0) n.attachment = Attachment::juxtaVascular;  // there was no room without a vessel
    return true;
  }

  bool settleAtPleura(Nodule& n) {
    const double r = n.body.radiusMm, depth = m_random.range(0.35, 0.9) * r;
    for (int i = 0; i < 6000; ++i) {
      n.body.centreMm = anywhere();
      const double lung = m_fields.sample(kLung, n.body.centreMm);
      if (lung < -depth - 1.5 || lung > -0.3 * r) continue;
      if (m_fields.sample(kCavity, n.body.centreMm) < -r || !isFree(n)) continue;  // chest wall, not mediastinum
      return true;
    }
    return false;
  }

  bool settleAtVessel(Nodule& n) {
    for (int i = 0; i < 4000; ++i) {
      const Shape& vessel = m_vessels[static_cast<size_t>(m_random.integer(static_cast<int>(m_vessels.size())))];
      if (vessel.ra < 0.7 || vessel.ra > 2.6) continue;
      const auto [u, v] = frameAround(normalized(vessel.b - vessel.a));
      const double angle = m_random.range(0, 2 * std::numbers::pi);
      const Vec3 side = u * std::cos(angle) + v * std::sin(angle);
      n.body.centreMm = mix(vessel.a, vessel.b, 0.5) + side * (vessel.ra + 0.7 * n.body.radiusMm);
      if (m_fields.sample(kLung, n.body.centreMm) > -(n.body.reachMm() + 1.5) || !isFree(n)) continue;
      return true;
    }
    return false;
  }

  const Anatomy& m_anatomy;
  const Fields& m_fields;
  const std::vector<Shape>& m_vessels;
  const NoduleRequest& m_request;
  Random m_random;
  std::vector<Nodule> m_placed;
  int m_rejected = 0;
};

}  // namespace

std::vector<Nodule> placeNodules(const Anatomy& anatomy, const Fields& fields, const Scene& scene,
                                 const NoduleRequest& request) {
  return Placer(anatomy, fields, scene, request).run();
}

}  // namespace lynceus::phantom
