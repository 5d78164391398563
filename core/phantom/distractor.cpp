#include "core/phantom/distractor.h"

#include "core/phantom/lung_disease.h"
#include "core/phantom/mediastinum.h"
#include "core/phantom/random.h"

namespace lynceus::phantom {
namespace {

class Clutter {
 public:
  Clutter(const Anatomy& anatomy, Fields& fields, Scene& scene)
      : m_a(anatomy),
        m_d(anatomy.disease),
        m_fields(fields),
        m_scene(scene),
        m_random(anatomy.seed, kStreamDistractors) {}

  void run() {
    repeat(m_random.integer(4), &Clutter::pleuralThickening);
    repeat(m_d.plaques, &Clutter::plaque);
    repeat(m_random.integer(3), &Clutter::linearScar);
    repeat(m_d.bands, &Clutter::band);
    repeat(m_d.stellateScars, &Clutter::stellateScar);
    repeat(m_d.plates + (m_random.chance(0.3) ? 1 : 0), &Clutter::plate);
    repeat(m_d.fissureThickenings, &Clutter::fissureThickening);
    repeat(m_d.treeInBud, &Clutter::treeInBud);
    repeat(2 + m_random.integer(7), &Clutter::mediastinalNode);
    if (m_d.hilarNodes) repeat(2 + m_random.integer(6), &Clutter::hilarNode);
    if (m_d.calcifiedNodes) repeat(1 + m_random.integer(4), &Clutter::calcifiedNode);
    if (m_d.sutureLine) sutureLine();
  }

 private:
  void repeat(int count, void (Clutter::*what)()) {
    for (; count > 0; --count) (this->*what)();
  }

  void put(const char* kind, Layer layer, const Shape& shape) {
    m_scene.addMarked(kind, layer, shape);
    m_fields.occupy(shape);
  }

  void pleuralThickening() {
    Point3 p;
    if (!pointAtDepth(m_a, m_fields, m_random, 0.5, true, p)) return;
    const Vec3 normal = inward(m_fields, p);
    const auto [u, v] = frameAround(normal);
    const Vec3 semi{m_random.range(6, 18), m_random.range(8, 26), m_random.range(0.9, 2.4)};
    put("pleural-thickening", kLayerScars, ellipsoid(p, semi, {u, v, normal}, 30));
  }

  // On the ribs' side of the pleura, flat, with or without calcium.
  void plaque() {
    Point3 p;
    if (!pointAtDepth(m_a, m_fields, m_random, -0.3, true, p)) return;
    const Vec3 normal = inward(m_fields, p);
    const auto [u, v] = frameAround(normal);
    const bool calcified = m_random.chance(m_d.plaqueCalcium);
    const Vec3 semi{m_random.range(6, 22), m_random.range(6, 26), m_random.range(1.2, 3.4)};
    put("pleural-plaque", kLayerScars,
        ellipsoid(p, semi, {u, v, normal}, calcified ? m_random.range(250, 750) : m_random.range(30, 60)));
  }

  void linearScar() {
    Point3 p;
    const double length = m_random.range(8, 22);
    if (!pointAtDepth(m_a, m_fields, m_random, 0.7 * length, true, p)) return;
    const Vec3 along = normalized(inward(m_fields, p) + m_random.direction() * 0.5);
    const auto [u, v] = frameAround(along);
    Shape scar = ellipsoid(p, {m_random.range(0.4, 1.0), m_random.range(2, 7), length}, {u, v, along}, -20);
    scar.opacity = m_random.range(0.5, 1.0);
    scar.inLung = true;
    put("linear-scar", kLayerScars, scar);
  }

  // A ribbon that bends on its way. Its thickness stays under that of a nodule.
  void ribbon(Point3 p, Vec3 along, double length, double halfWidth, double halfThickness, double opacity) {
    const Vec3 thin = frameAround(along).first;
    const int steps = 5;
    for (int i = 0; i < steps; ++i) {
      const double taper = 1 - 0.6 * i / steps;
      const Point3 next = p + along * (length / steps);
      Shape piece = flatTube(p, next, taper * halfWidth, std::max(0.3, taper * halfThickness), thin, -10);
      piece.opacity = opacity;
      piece.inLung = true;
      m_scene.add(kLayerScars, piece);
      m_fields.occupy(piece);
      p = next;
      along = normalized(along + m_random.direction() * 0.22);
    }
  }

  void band() {
    Point3 p;
    if (!pointAtDepth(m_a, m_fields, m_random, 0.5, true, p)) return;
    const size_t first = m_scene.layers[kLayerScars].size();
    const Vec3 along = normalized(inward(m_fields, p) + m_random.direction() * 0.7);
    ribbon(p, along, m_random.range(14, 60), m_random.range(1.2, 6), m_random.range(0.4, 1.1), m_random.range(0.5, 1));
    m_scene.mark("linear-scar", kLayerScars, first);
  }

  void stellateScar() {
    Point3 p;
    if (!pointAtDepth(m_a, m_fields, m_random, m_random.range(6, 25), true, p)) return;
    const size_t first = m_scene.layers[kLayerScars].size();
    for (int i = 3 + m_random.integer(4); i > 0; --i) {
      const Vec3 off = m_random.direction() * 1.5;
      ribbon(p + off, m_random.direction(), m_random.range(7, 28), m_random.range(0.8, 1.9), m_random.range(0.4, 0.9),
             m_random.range(0.6, 1));
    }
    m_scene.mark("stellate-scar", kLayerScars, first);
  }

  void plate() {
    Point3 p;
    if (!pointAtDepth(m_a, m_fields, m_random, m_random.range(3, 14), false, p)) return;
    const auto [u, v] = frameAround(normalized(Vec3{0, 0.25, 1} + m_random.direction() * 0.45));
    const Vec3 semi{m_random.range(10, 34), m_random.range(6, 16), m_random.range(0.7, 2.2)};
    Shape plate = ellipsoid(p, semi, {u, v, cross(u, v)}, 10);
    plate.opacity = m_random.range(0.5, 1.0);
    plate.inLung = true;
    put("atelectasis", kLayerScars, plate);
  }

  void fissureThickening() {
    for (int i = 0; i < 3000; ++i) {
      const Point3 p =
          m_a.pose.toPatient({m_random.range(-m_a.halfWidthMm, m_a.halfWidthMm),
                              m_random.range(-1.5, 1.3) * m_a.halfDepthMm, m_random.range(m_a.baseZ, m_a.apexZ)});
      if (std::abs(m_fields.sample(kOblique, p)) > 0.7 || m_fields.sample(kLung, p) > -3) continue;
      const double h = 3;  // mm
      const auto slope = [&](const Vec3& d) {
        return m_fields.sample(kOblique, p + d) - m_fields.sample(kOblique, p - d);
      };
      const Vec3 normal = normalized({slope({h, 0, 0}), slope({0, h, 0}), slope({0, 0, h})});
      const auto [u, v] = frameAround(normal);
      const Vec3 semi{m_random.range(5, 16), m_random.range(5, 16), m_random.range(0.5, 1.3)};
      Shape thick = ellipsoid(p, semi, {u, v, normal}, 0);
      thick.inLung = true;
      put("fissural-thickening", kLayerScars, thick);
      return;
    }
  }

  // Small airways full of pus: Ys of a millimetre with buds of two.
  void treeInBud() {
    Point3 centre;
    if (!pointAtDepth(m_a, m_fields, m_random, m_random.range(8, 24), m_random.chance(0.8), centre)) return;
    const double reach = m_random.range(7, 18), hu = m_random.range(-120, 30);
    const size_t first = m_scene.layers[kLayerScars].size();
    const auto add = [&](const Point3& a, const Point3& b, double ra, double rb) {
      Shape piece = tube(a, b, ra, rb, hu);
      piece.inLung = true;
      m_scene.add(kLayerScars, piece);
    };
    for (int i = 10 + m_random.integer(28); i > 0; --i) {
      const Point3 stem = centre + m_random.direction() * (reach * std::cbrt(m_random.uniform()));
      const Vec3 along = m_random.direction();
      const Point3 fork = stem + along * m_random.range(1.5, 4);
      add(stem, fork, 0.5, 0.45);
      for (int bud = 1 + m_random.integer(3); bud > 0; --bud) {
        const Point3 tip = fork + normalized(along + m_random.direction() * 0.9) * m_random.range(1.2, 3.5);
        add(fork, tip, 0.4, m_random.range(0.6, 1.25));
      }
    }
    m_scene.mark("tree-in-bud", kLayerScars, first);
    m_fields.occupy(ellipsoid(centre, {reach + 4, reach + 4, reach + 4}, 0));
  }

  Shape node(const Point3& patient, double r, double hu) {
    const Vec3 axis = normalized(Vec3{0, 0, 1} + m_random.direction() * 0.4);
    const auto [u, v] = frameAround(axis);
    return ellipsoid(patient, {r, r * m_random.range(0.6, 1), r * m_random.range(0.9, 1.6)}, {u, v, axis}, hu);
  }

  Point3 inMediastinum() {
    const double z = m_random.range(-45, 55);
    return m_a.pose.toPatient({m_random.range(-24, 24), m_a.tracheaY(z) + m_random.range(-30, 2), z});
  }

  // Beside the vessels of a hilum, half sunk into them: part of its lumpy outline.
  Point3 atHilum(double r) {
    const LobeRoots roots = lobeRoots(m_a, m_random.integer(5));
    const Point3 root = m_random.chance(0.5) ? roots.artery : roots.vein;
    return m_a.pose.toPatient(root + m_random.direction() * (4 + 0.7 * r));
  }

  void mediastinalNode() {
    put("mediastinal-lymph-node", kLayerMediastinal, node(inMediastinum(), m_random.range(2.5, 6), 38));
  }

  void hilarNode() {
    const double r = m_random.range(3, 7);
    put("hilar-lymph-node", kLayerMediastinal, node(atHilum(r), r, m_random.range(30, 75)));
  }

  void calcifiedNode() {
    const double r = m_random.range(1.6, 5);
    const Point3 at = m_random.chance(0.5) ? inMediastinum() : atHilum(r);
    put("calcified-lymph-node", kLayerCalcium, node(at, r, m_random.range(250, 1000)));
  }

  // Staples after a wedge resection: a row of metal dots in a band of scar.
  void sutureLine() {
    Point3 p;
    if (!pointAtDepth(m_a, m_fields, m_random, m_random.range(1, 5), true, p)) return;
    const Vec3 normal = inward(m_fields, p);
    Vec3 along = normalized(cross(normal, m_random.direction()) + normal * 0.3);
    const size_t firstScar = m_scene.layers[kLayerScars].size(), first = m_scene.layers[kLayerMetal].size();
    ribbon(p, along, m_random.range(20, 50), m_random.range(1.5, 4), m_random.range(0.6, 1.2), 1);
    const size_t pieces = m_scene.layers[kLayerScars].size();
    for (size_t i = firstScar; i < pieces; ++i) {
      const Shape scar = m_scene.layers[kLayerScars][i];
      for (double t = 0; t < 1; t += 2.2 / norm(scar.b - scar.a)) {
        const Point3 at = mix(scar.a, scar.b, t);
        Shape staple = tube(at, at + scar.axes[0] * 1.2, 0.32, 0.32, 2400);
        staple.inLung = true;
        m_scene.add(kLayerMetal, staple);
      }
    }
    m_scene.mark("suture-line", kLayerMetal, first);
  }

  const Anatomy& m_a;
  const Disease& m_d;
  Fields& m_fields;
  Scene& m_scene;
  Random m_random;
};

}  // namespace

void addDistractors(const Anatomy& anatomy, Fields& fields, Scene& scene) { Clutter(anatomy, fields, scene).run(); }

std::vector<Distractor> listDistractors(const Scene& scene) {
  std::vector<Distractor> list;
  for (const Scene::Mark& mark : scene.marks) {
    const std::vector<Shape>& shapes = scene.layers[mark.layer];
    detect::BoxMm box = shapes[mark.first].bounds();
    for (size_t i = mark.first + 1; i < mark.last; ++i) {
      const detect::BoxMm next = shapes[i].bounds();
      box.min = {std::min(box.min.x, next.min.x), std::min(box.min.y, next.min.y), std::min(box.min.z, next.min.z)};
      box.max = {std::max(box.max.x, next.max.x), std::max(box.max.y, next.max.y), std::max(box.max.z, next.max.z)};
    }
    list.push_back({mark.kind, box});
  }
  return list;
}

}  // namespace lynceus::phantom
