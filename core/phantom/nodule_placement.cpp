// Where the lesions of the first kind sit.
#include "core/parallel.h"
#include "core/phantom/nodule_look.h"

namespace lynceus::phantom {
namespace {

constexpr double kSmallestMm = 3;

class Placer {
 public:
  Placer(const Anatomy& anatomy, const Fields& fields, const Scene& scene, const LesionRequest& request)
      : m_sites(anatomy, fields, scene, request), m_patient(request.patient), m_random(anatomy.seed, kStreamNodules) {}

  std::vector<Nodule> run() {
    while (static_cast<int>(m_placed.size()) < m_patient.count && m_rejected < 60) {
      place(m_patient.mass && m_placed.empty() ? Origin::mass : drawOrigin());
    }
    parallelFor(static_cast<int64_t>(m_placed.size()),
                [&](int64_t i) { measureNodule(m_placed[static_cast<size_t>(i)], m_sites.fields()); });
    for (Nodule& n : m_placed) n.location = m_sites.locate(n.centreMm);
    return std::move(m_placed);
  }

 private:
  Origin drawOrigin() {
    if (m_patient.metastases) return m_random.chance(0.93) ? Origin::metastasis : Origin::nodule;
    return m_random.chance(0.1) ? Origin::lymphNode : Origin::nodule;
  }

  bool place(Origin origin) {
    Nodule n = drawNodule(m_random, origin, m_sites.anatomy().contrast);
    m_region = LesionSites::drawRegion(m_random);
    if (!settle(n) || !isLargeEnough(n)) {
      ++m_rejected;
      return false;
    }
    for (Shape& s : n.inclusions) {
      s.a = s.a + n.body.centreMm;
      s.b = s.b + n.body.centreMm;
    }
    addStrands(m_random, m_sites, n);
    m_sites.take(n.body.centreMm, n.reachMm());
    m_placed.push_back(std::move(n));
    const Nodule& main = m_placed.back();
    if (main.body.radiusMm > 6 && origin != Origin::satellite && m_random.chance(0.15)) addSatellites(main.body);
    return true;
  }

  // The exact measure follows: a part of the body may lie outside the lung.
  bool isLargeEnough(Nodule n) const {
    if (n.body.radiusMm > 4) return true;
    measureNodule(n, m_sites.fields());
    return n.diameterMm >= kSmallestMm;
  }

  void addSatellites(const NoduleBody& main) {
    const int most = std::min(1 + m_random.integer(3), m_patient.count - static_cast<int>(m_placed.size()));
    m_around = main;
    for (int i = 0; i < most; ++i) place(Origin::satellite);
    m_around.reset();
  }

  Point3 anywhere() {
    if (!m_around) return m_sites.anywhere(m_random, m_region);
    return m_around->centreMm + m_random.direction() * (m_around->reachMm() + m_random.range(6, 18));
  }

  bool isFree(const Nodule& n) const { return m_sites.isFree(n.body.centreMm, n.reachMm()); }
  double lungAt(const Nodule& n) const { return m_sites.fields().sample(kLung, n.body.centreMm); }

  bool settle(Nodule& n) {
    if (n.origin == Origin::mass) return settleMass(n);
    if (n.origin == Origin::satellite) return settleIsolated(n);
    if (n.origin == Origin::lymphNode) return m_random.chance(0.65) ? settleAtFissure(n) : settleAtPleura(n);
    const double where = m_random.uniform();
    if (where < 0.40) return settleIsolated(n);
    if (where < 0.64) return settleAtPleura(n);
    if (where < 0.69) return settleAtFissure(n);
    return where < 0.97 ? settleAtVessel(n) : settleInAirway(n);
  }

  bool settleIsolated(Nodule& n) {
    int tried = 0;
    for (int i = 0; i < 4000; ++i) {
      n.body.centreMm = anywhere();
      if (lungAt(n) > -(n.reachMm() + 1.5) || !isFree(n)) continue;
      const double space = m_sites.vesselDistance(n.body.centreMm) - n.body.radiusMm;
      n.attachment = space < 0 ? Attachment::juxtaVascular : Attachment::isolated;
      if (space > 0.3 || ++tried > 25 || n.texture == Texture::groundGlass) return true;
    }
    return false;
  }

  bool settleAtPleura(Nodule& n) {
    n.attachment = Attachment::juxtaPleural;
    const double r = n.body.radiusMm, form = m_random.uniform();
    const bool wall = m_random.chance(0.75);  // the others lie on mediastinum or diaphragm
    // broad-based within the lung, half a ball, or flat on the pleura
    const double depth = form < 0.55 ? m_random.range(0.35, 0.95) * r : m_random.range(-0.1, 0.3) * r;
    if (form > 0.85) n.body.radiusMm *= 1.15;
    n.filletMm = m_random.chance(0.6) ? m_random.range(0.5, 1.0 + 0.5 * r) : 0;
    for (int i = 0; i < 400; ++i) {
      n.body.centreMm = anywhere();
      if (std::abs(lungAt(n)) > 30 || !m_sites.moveTo(kLung, -depth, n.body.centreMm) || !isFree(n)) continue;
      const bool atWall = m_sites.fields().sample(kCavity, n.body.centreMm) > -depth - 3;
      if (atWall != wall) continue;
      if (form > 0.85) flatten(n.body, m_sites.slope(kLung, n.body.centreMm), m_random.range(0.4, 0.65));
      return true;
    }
    return false;
  }

  bool settleAtFissure(Nodule& n) {
    n.attachment = Attachment::fissural;
    for (int i = 0; i < 2000; ++i) {
      n.body.centreMm = anywhere();
      const FieldId fissure = m_random.chance(0.7) ? kOblique : kHorizontal;
      const double height = m_random.range(0, 0.8) * n.body.radiusMm;
      if (std::abs(m_sites.fields().sample(fissure, n.body.centreMm)) > 12) continue;
      if (!m_sites.moveTo(fissure, m_random.sign() * height, n.body.centreMm)) continue;
      if (lungAt(n) > -(n.reachMm() + 1.5) || !isFree(n)) continue;
      const Vec3 normal = m_sites.slope(fissure, n.body.centreMm);
      if (n.origin == Origin::lymphNode || m_random.chance(0.5)) flatten(n.body, normal, m_random.range(0.4, 0.75));
      // it lies on the fissure: flat on that side
      if (n.origin == Origin::lymphNode) n.body.facets.push_back({Vec3{0, 0, m_random.sign()}, 0.35});
      return true;
    }
    return false;
  }

  // Beside a vessel, around it, or where it forks.
  bool settleAtVessel(Nodule& n) {
    n.attachment = Attachment::juxtaVascular;
    const bool fork = m_random.chance(0.3);
    const double largest = m_random.chance(0.2) ? 5 : 2.6;
    for (int i = 0; i < (fork ? 60 : 2000); ++i) {
      Point3 at;
      const Shape* vessel = m_sites.drawVessel(m_random, 0.6, largest, fork, at);
      if (vessel == nullptr) return false;
      const auto [u, v] = frameAround(normalized(vessel->b - vessel->a));
      const double angle = m_random.range(0, 2 * std::numbers::pi);
      const Vec3 side = u * std::cos(angle) + v * std::sin(angle);
      n.body.centreMm = at + side * (vessel->ra + m_random.range(0.2, 1) * n.body.radiusMm);
      if (lungAt(n) > -(n.reachMm() + 1) || !isFree(n)) continue;
      return true;
    }
    return false;
  }

  // In a bronchus and along it: it fills the lumen.
  bool settleInAirway(Nodule& n) {
    n.attachment = Attachment::endobronchial;
    const auto& airways = m_sites.scene().layers[kLayerAirwayLumen];
    for (int i = 0; i < 4000 && !airways.empty(); ++i) {
      const Shape& airway = airways[static_cast<size_t>(m_random.integer(static_cast<int>(airways.size())))];
      n.body.centreMm = mix(airway.a, airway.b, m_random.uniform());
      if (airway.ra < 0.9 || airway.ra > 4.5 || lungAt(n) > -(n.reachMm() + 2) || !isFree(n)) continue;
      flatten(n.body, normalized(airway.b - airway.a), m_random.range(1.3, 2.5));
      n.body.radiusMm = std::max(1.7, airway.ra * m_random.range(1.0, 1.8));
      n.edgeMm = std::min(n.edgeMm, 0.6 * n.body.radiusMm);
      n.texture = Texture::solid;
      n.inside = Inside::even;
      n.inclusions.clear();
      n.shells.clear();
      n.cores.clear();
      n.calcification = Calcification::none;
      n.cavityScale = 0;
      n.hu = m_random.range(0, 70);
      return true;
    }
    return false;
  }

  bool settleMass(Nodule& n) {
    const double where = m_random.uniform(), r = n.body.radiusMm;
    const bool central = where < 0.35, peripheral = !central && where < 0.8;
    n.attachment = central      ? Attachment::juxtaMediastinal
                   : peripheral ? Attachment::juxtaPleural
                                : Attachment::isolated;
    if (central || peripheral) n.filletMm = m_random.range(0, 6);
    if ((central || peripheral) && m_random.chance(0.5)) n.invasionMm = m_random.range(2, central ? 12 : 9);
    for (int i = 0; i < 4000; ++i) {
      n.body.centreMm = anywhere();
      m_region = LesionSites::Region::all;
      if (lungAt(n) > -(central || peripheral ? 0.25 : 0.6) * r || !isFree(n)) continue;
      if (!central && !peripheral) return true;
      if (lungAt(n) < -0.85 * r) continue;
      const bool atWall = m_sites.fields().sample(kCavity, n.body.centreMm) > 1.15 * lungAt(n) - 3;
      if (atWall == peripheral) return true;
    }
    return false;
  }

  LesionSites m_sites;
  LesionCase m_patient;
  Random m_random;
  LesionSites::Region m_region = LesionSites::Region::all;
  std::optional<NoduleBody> m_around;  ///< satellites lie around this
  std::vector<Nodule> m_placed;
  int m_rejected = 0;
};

}  // namespace

std::vector<Nodule> placeNodules(const Anatomy& anatomy, const Fields& fields, const Scene& scene,
                                 const LesionRequest& request) {
  return Placer(anatomy, fields, scene, request).run();
}

}  // namespace lynceus::phantom
