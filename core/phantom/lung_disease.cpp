#include "core/phantom/lung_disease.h"

#include "core/phantom/mediastinum.h"
#include "core/phantom/vessel_tree.h"

namespace lynceus::phantom {
namespace {

constexpr double kWallHu = -350;  // of a cyst: thinner than a voxel
constexpr double kCystHu = -985;

class Painter {
 public:
  Painter(const Anatomy& anatomy, Fields& fields, Scene& scene)
      : m_a(anatomy),
        m_d(anatomy.disease),
        m_fields(fields),
        m_scene(scene),
        m_random(anatomy.seed, kStreamParenchyma) {}

  std::vector<Distractor> run() {
    if (m_d.centrilobular > 0) emphysema();
    if (m_d.dependentHaze > 0 || m_d.mosaic > 0) haze();
    if (m_d.fibrosis > 0) fibrosis();
    for (int i = 0; i < m_d.groundGlassAreas; ++i) groundGlass();
    for (int i = 0; i < m_d.consolidations; ++i) consolidation();
    for (int side = 0; side < 2; ++side) pleura(side);
    for (int i = 0; i < m_d.paraseptal; ++i) cystRow();
    for (int i = 0; i < m_d.bullae; ++i) bulla();
    return std::move(m_list);
  }

 private:
  double lungAt(const Point3& p) const { return m_fields.sample(kLung, p); }

  // The part of both lungs or of one between two levels, as a box of the patient.
  detect::BoxMm lungBox(int side, double fromLevel, double toLevel) const {
    const double w = m_a.halfWidthMm, z0 = m_a.apexZ - toLevel * m_a.height(),
                 z1 = m_a.apexZ - fromLevel * m_a.height();
    const double x0 = side == 1 ? 0 : -w, x1 = side == 0 ? 0 : w, y = m_a.cavityCentreY(0.5 * (z0 + z1));
    const Vec3 half{0.5 * (x1 - x0), m_a.halfDepthMm, 0.5 * (z1 - z0)};
    Shape box = drum({0.5 * (x0 + x1), y, 0.5 * (z0 + z1)}, half, {Vec3{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}, 0);
    return box.moved(m_a.pose).bounds();
  }

  void emphysema() {
    const double zone = m_random.uniform();  // 0 the upper lobes .. 1 everywhere
    m_fields.update(kHoles, m_fields.bounds(), [&](const Point3& p, double) {
      if (lungAt(p) > 3) return 0.0;
      const double level = m_a.level(m_a.pose.toModel(p).z);
      const double here = mix(smoothStep(0.75, 0.15, level), 1.0, zone);
      return clamp01(m_d.centrilobular * here * (0.8 + 0.7 * valueNoise(p, 32, m_a.seed + 51)));
    });
    m_list.push_back({"emphysema", lungBox(2, 0, mix(0.6, 1, zone))});
  }

  void haze() {
    m_fields.update(kHaze, m_fields.bounds(), [&](const Point3& p, double old) {
      const double lung = lungAt(p);
      if (lung > 3) return old;
      const Point3 m = m_a.pose.toModel(p);
      const double back = (m.y - m_a.cavityCentreY(m.z)) / m_a.halfDepthMm;
      const double uneven = 0.8 + 0.5 * valueNoise(p, 21, m_a.seed + 52);
      const double dependent = m_d.dependentHaze * smoothStep(0.25, 0.95, back) * smoothStep(-30, 0, lung) * uneven;
      return old + dependent + m_d.mosaic * smoothStep(-0.08, 0.08, valueNoise(p, 27, m_a.seed + 53));
    });
    if (m_d.mosaic > 0) m_list.push_back({"mosaic-attenuation", lungBox(2, 0, 1)});
  }

  void fibrosis() {
    const double depth = m_random.range(14, 36);
    const auto strength = [&](const Point3& p) {
      const double lung = lungAt(p);
      if (lung > 3 || lung < -1.4 * depth) return 0.0;
      const double level = m_a.level(m_a.pose.toModel(p).z);
      const double uneven = 0.75 + 0.6 * valueNoise(p, 24, m_a.seed + 54);
      return clamp01(m_d.fibrosis * smoothStep(-depth, -2, lung) * (0.15 + 0.95 * smoothStep(0.3, 0.85, level)) *
                     uneven);
    };
    m_fields.update(kReticular, m_fields.bounds(), [&](const Point3& p, double) { return strength(p); });
    m_fields.update(kHaze, m_fields.bounds(), [&](const Point3& p, double old) { return old + 0.09 * strength(p); });
    m_fields.update(kOccupied, m_fields.bounds(),
                    [&](const Point3& p, double old) { return strength(p) > 0.3 ? std::min(old, -1.0) : old; });
    m_list.push_back({m_d.honeycombing > 0 ? "honeycombing" : "fibrosis", lungBox(2, 0.4, 1)});
  }

  Shape area(double smallest, double largest) {
    Point3 at = m_a.pose.toPatient({-60, 0, -20});
    pointAtDepth(m_a, m_fields, m_random, m_random.range(3, 22), m_random.chance(0.75), at);
    const double r = m_random.logRange(smallest, largest);
    const Vec3 axis = m_random.direction();
    const auto [u, v] = frameAround(axis);
    return ellipsoid(at, {r * m_random.range(0.7, 1.3), r * m_random.range(0.7, 1.3), r}, {u, v, axis}, 0);
  }

  static detect::BoxMm around(const Shape& shape, double marginMm) {
    const detect::BoxMm box = shape.bounds();
    const Vec3 margin{marginMm, marginMm, marginMm};
    return {box.min - margin, box.max + margin};
  }

  // Far larger than a nodule, and without a border.
  void groundGlass() {
    const Shape shape = area(28, 70);
    const double amount = m_random.range(0.12, 0.42), edge = m_random.range(3, 12);
    const uint64_t key = m_a.seed + 55 + m_list.size();
    const auto distance = [&](const Point3& p) {
      return shape.distance(p) + 16 * valueNoise(p, 22, key) + 6 * valueNoise(p, 8, key + 1);
    };
    m_fields.update(kHaze, around(shape, 24), [&](const Point3& p, double old) {
      return std::max(old, amount * smoothStep(edge, -edge, distance(p)));
    });
    m_fields.update(kOccupied, around(shape, 40),
                    [&](const Point3& p, double old) { return std::min(old, distance(p) - edge); });
    m_list.push_back({"ground-glass-area", shape.bounds()});
  }

  // Signed distance to the side of a fissure on which `height` does not lie.
  static double beyond(double height, double own) { return height * own > 0 ? -std::abs(height) : std::abs(height); }

  // Fills a segment of one lobe, wide at the pleura and narrow at the hilum; airways in it stay open. Never a ball:
  // that would be a mass.
  void consolidation() {
    Point3 base;
    if (!pointAtDepth(m_a, m_fields, m_random, m_random.range(1, 6), m_random.chance(0.8), base)) return;
    const Point3 hilum = m_a.pose.toPatient(lobeRoots(m_a, lobeAt(m_a, m_a.pose.toModel(base))).artery);
    const double length = norm(base - hilum), from = m_random.range(0.1, 0.75) * length;
    const Vec3 axis = normalized(base - hilum), flat = frameAround(axis).first;
    const double angle = std::max(m_random.logRange(0.28, 1.5), 20 / length), squeeze = m_random.range(1, 2);
    const double oblique = m_fields.sample(kOblique, base), horizontal = m_fields.sample(kHorizontal, base);
    const bool bounded = oblique > 0 && horizontal < 55;
    const uint64_t key = m_a.seed + 75 + m_list.size();
    const auto distance = [&](const Point3& p) {
      const Vec3 d = p - hilum;
      const double along = dot(d, axis), sheet = dot(d, flat);
      const double across =
          std::sqrt(std::max(0.0, dot(d, d) - along * along) + (squeeze * squeeze - 1) * sheet * sheet);
      const double uneven = 10 * valueNoise(p, 24, key) + 6 * valueNoise(p, 10, key + 1);
      double wedge = std::max(across - along * std::tan(std::min(angle, 1.2)), from - along) + uneven;
      wedge = std::max(wedge, beyond(m_fields.sample(kOblique, p), oblique));
      return bounded ? std::max(wedge, beyond(m_fields.sample(kHorizontal, p), horizontal)) : wedge;
    };
    const double reach = 1.3 * length + 20;
    const detect::BoxMm box{hilum - Vec3{reach, reach, reach}, hilum + Vec3{reach, reach, reach}};
    addDense(box, distance);
    const double half = std::max(20.0, length * std::tan(std::min(angle, 1.2)));
    m_list.push_back({"consolidation", {base - Vec3{half, half, half}, base + Vec3{half, half, half}}});
  }

  template <class Distance>
  void addDense(const detect::BoxMm& box, const Distance& distance) {
    m_fields.update(kDense, box, [&](const Point3& p, double old) { return std::min(old, distance(p)); });
    // it fades over about a centimetre
    m_fields.update(kOccupied, box, [&](const Point3& p, double old) { return std::min(old, distance(p) - 11); });
  }

  // Fluid has pushed the lung aside already: what lies next to it is squeezed.
  void pleura(int side) {
    if (m_d.apicalCapMm[side] > 0) m_list.push_back({"apical-cap", lungBox(side, 0, 0.2)});
    if (m_d.effusionMm[side] <= 0) return;
    const double share = m_random.range(0.15, 0.7);
    const detect::BoxMm box = lungBox(side, m_d.effusionLevel[side] - 0.12, 1.1);
    m_list.push_back({"pleural-effusion", box});
    if (m_d.effusionMm[side] < 12) return;
    const Vec3 margin{20, 20, 20};
    addDense({box.min - margin, box.max + margin}, [&](const Point3& p) {
      const Point3 m = m_a.pose.toModel(p);
      if ((m.x < 0 ? 0 : 1) != side) return 60.0;
      const double wall = -m_fields.sample(kCavity, p), fluid = m_a.effusionMm(m);
      return fluid < 3 ? 60.0 : wall - fluid - share * fluid - 2;
    });
    m_list.push_back({"compressive-atelectasis", box});
  }

  void cyst(const Point3& centre, double r) {
    const Vec3 axis = m_random.direction();
    const auto [u, v] = frameAround(axis);
    const Vec3 semi{r * m_random.range(0.75, 1.2), r * m_random.range(0.75, 1.2), r};
    const double wall = m_random.range(0.3, 0.8);
    Shape outer = ellipsoid(centre, semi + Vec3{wall, wall, wall}, {u, v, axis}, kWallHu);
    Shape inner = ellipsoid(centre, semi, {u, v, axis}, kCystHu);
    outer.inLung = inner.inLung = true;
    m_scene.add(kLayerAirwayWalls, outer);
    m_scene.add(kLayerAirwayLumen, inner);
    m_fields.occupy(outer);
  }

  void cystRow() {
    Point3 p;
    if (!pointAtDepth(m_a, m_fields, m_random, 3, true, p)) return;
    const size_t first = m_scene.layers[kLayerAirwayWalls].size();
    const Vec3 turn = m_random.direction();
    for (int i = 3 + m_random.integer(7); i > 0; --i) {
      const double r = m_random.logRange(2.5, 8);
      const Vec3 normal = inward(m_fields, p);
      p = p + normal * (0.85 * r + lungAt(p));
      cyst(p, r);
      p = p + normalized(cross(normal, turn) + m_random.direction() * 0.4) * (1.8 * r);
    }
    m_scene.mark("paraseptal-emphysema", kLayerAirwayWalls, first);
  }

  // One or a few that lean on each other, with walls between them.
  void bulla() {
    double r = m_random.logRange(8, 30);
    Point3 p;
    if (!pointAtDepth(m_a, m_fields, m_random, 0.7 * r, true, p)) return;
    const size_t first = m_scene.layers[kLayerAirwayWalls].size();
    for (int i = 1 + m_random.integer(3); i > 0; --i) {
      cyst(p, r);
      const Vec3 normal = inward(m_fields, p);
      const double next = r * m_random.range(0.4, 0.9);
      p = p + normalized(cross(normal, m_random.direction())) * (0.8 * (r + next)) - normal * (0.3 * r);
      r = next;
    }
    m_scene.mark("bulla", kLayerAirwayWalls, first);
  }

  const Anatomy& m_a;
  const Disease& m_d;
  Fields& m_fields;
  Scene& m_scene;
  Random m_random;
  std::vector<Distractor> m_list;
};

}  // namespace

bool pointAtDepth(const Anatomy& a, const Fields& fields, Random& random, double depth, bool wall, Point3& at) {
  for (int i = 0; i < 4000; ++i) {
    const Point3 p = a.pose.toPatient({random.range(-a.halfWidthMm, a.halfWidthMm),
                                       random.range(-1.5, 1.3) * a.halfDepthMm, random.range(a.baseZ, a.apexZ)});
    if (std::abs(fields.sample(kLung, p) + depth) > 1) continue;
    const double cavity = fields.sample(kCavity, p);
    if (wall ? cavity < -depth - 2 : (fields.sample(kDiaphragm, p) < -depth - 8 || cavity > -12)) continue;
    at = p;
    return true;
  }
  return false;
}

Vec3 inward(const Fields& fields, const Point3& p) {
  const double h = 3;  // mm
  const auto slope = [&](const Vec3& d) { return fields.sample(kLung, p - d) - fields.sample(kLung, p + d); };
  return normalized({slope({h, 0, 0}), slope({0, h, 0}), slope({0, 0, h})});
}

std::vector<Distractor> addLungDisease(const Anatomy& anatomy, Fields& fields, Scene& scene) {
  return Painter(anatomy, fields, scene).run();
}

}  // namespace lynceus::phantom
