#include "core/phantom/implants.h"

#include "core/phantom/random.h"

namespace lynceus::phantom {
namespace {

constexpr double kMetalHu = 3000;

// A point on the heart: `turn` around its long axis from the front, `along` from the base (-1) to the tip (1).
Point3 onHeart(const Shape& heart, double turn, double along) {
  const double girth = std::sqrt(1 - along * along);
  return heart.a + heart.axes[0] * (heart.semiAxes.x * girth * std::cos(turn)) +
         heart.axes[1] * (heart.semiAxes.y * girth * std::sin(turn)) + heart.axes[2] * (heart.semiAxes.z * along);
}

// Where the front of the chest is seen on the heart.
double frontOf(const Shape& heart) { return std::atan2(-heart.axes[1].y, -heart.axes[0].y); }

void wire(Scene& scene, const std::vector<Point3>& path, double radius, double hu) {
  for (size_t i = 1; i < path.size(); ++i) scene.add(kLayerMetal, tube(path[i - 1], path[i], radius, radius, hu));
}

Point3 cava(const Anatomy& a, double z) {  // of the upper vena cava
  const double s = a.halfWidthMm / 125;
  return {-24 * s, a.tracheaY(0) - 26 * s, z * s};
}

// A box or a disc under the skin of the upper chest.
Point3 pocket(const Anatomy& a, double side, double outMm) {
  const double z = a.apexZ - 0.28 * a.height();
  const double x = 0.6 * a.cavityHalfWidth(z), y = a.cavityCentreY(z) - 0.78 * a.cavityHalfDepth(z) - outMm;
  return {side * x, y, z};
}

void pacemaker(const Anatomy& a, Random& random, Scene& scene) {
  const double side = random.chance(0.8) ? 1 : -1;
  const Point3 box = pocket(a, side, 18 + 0.4 * a.fatMm);
  const size_t first = scene.layers[kLayerMetal].size();
  scene.add(kLayerMetal, drum(box, {19, 16, 4}, {Vec3{1, 0, 0}, {0, 0, 1}, {0, -1, 0}}, kMetalHu));
  const Shape heart = a.heart();
  const Point3 neck{side * 45, box.y + 30, a.apexZ - 20};
  std::vector<Point3> lead{box, neck, cava(a, 55), cava(a, 10), cava(a, -30), mix(cava(a, -55), heart.a, 0.3)};
  const Point3 tip = heart.a + heart.axes[2] * (0.7 * heart.semiAxes.z) + heart.axes[0] * 8;
  lead.push_back(mix(lead.back(), tip, 0.5) + Vec3{0, -4, -8});
  lead.push_back(tip);
  wire(scene, lead, random.range(0.7, 1.2), 2300);
  scene.mark("pacemaker", kLayerMetal, first);
}

void port(const Anatomy& a, Random& random, bool chamber, Scene& scene) {
  const Point3 disc = pocket(a, -1, 16 + 0.4 * a.fatMm);
  const size_t first = scene.layers[kLayerMetal].size();
  std::vector<Point3> line;
  if (chamber) {
    scene.add(kLayerMetal, drum(disc, {12, 12, 5}, {Vec3{1, 0, 0}, {0, 0, 1}, {0, -1, 0}}, random.range(900, 2600)));
    line = {disc, {-42, disc.y + 30, a.apexZ - 18}};
  } else {
    line = {{-38, a.tracheaY(a.apexZ) - 6, a.apexZ + 50}, {-32, a.tracheaY(a.apexZ) - 14, a.apexZ - 10}};
  }
  for (const double z : {60.0, 20.0, random.range(-30, 5)}) line.push_back(cava(a, z));
  wire(scene, line, random.range(0.9, 1.4), random.range(350, 1200));
  scene.mark(chamber ? "port" : "central-line", kLayerMetal, first);
}

void sternalWires(const Anatomy& a, Random& random, Scene& scene) {
  const size_t first = scene.layers[kLayerMetal].size();
  const double top = a.apexZ - 0.2 * a.height(), size = a.halfWidthMm / 125;
  for (int i = 0; i < 6; ++i) {
    const double z = top - 22 * i * size;
    std::vector<Point3> ring;
    for (int k = 0; k <= 12; ++k) {
      const double angle = k * std::numbers::pi / 6;
      ring.push_back({13 * size * std::cos(angle) + random.range(-1, 1), a.sternumY(z) + 8 * std::sin(angle),
                      z + 3 * std::cos(angle)});
    }
    wire(scene, ring, 0.45, kMetalHu);
  }
  scene.mark("sternal-wire", kLayerMetal, first);
}

void clips(const Anatomy& a, Random& random, Scene& scene) {
  const double side = random.sign(), s = a.halfWidthMm / 125;
  for (int i = 2 + random.integer(6); i > 0; --i) {
    const Point3 p{side * s * random.range(15, 50), a.tracheaY(0) + random.range(-25, 12), random.range(-50, 40)};
    scene.addMarked("surgical-clip", kLayerMetal,
                    tube(p, p + random.direction() * random.range(3, 6), 0.6, 0.6, kMetalHu));
  }
}

void stent(const Anatomy& a, Random& random, Scene& scene) {
  const Shape heart = a.heart(0.6);
  const double turn = frontOf(heart) + random.range(-0.6, 0.9), from = random.range(-0.6, 0.1);
  const size_t first = scene.layers[kLayerMetal].size();
  std::vector<Point3> path;
  for (int i = 0; i < 4; ++i) path.push_back(onHeart(heart, turn, from + 0.1 * i));
  wire(scene, path, random.range(1.3, 1.9), random.range(700, 1500));
  scene.mark("stent", kLayerMetal, first);
}

}  // namespace

void addArterialCalcium(const Anatomy& a, const std::vector<Shape>& aorta, Scene& scene) {
  const double amount = a.disease.arterialCalcium;
  if (amount <= 0) return;
  Random random(a.seed, kStreamCalcium);
  for (int i = 1 + static_cast<int>(amount * random.range(4, 22)); i > 0; --i) {
    const Shape& piece = aorta[static_cast<size_t>(random.integer(static_cast<int>(aorta.size())))];
    const Vec3 along = normalized(piece.b - piece.a);
    const auto [u, v] = frameAround(along);
    const double angle = random.range(0, 2 * std::numbers::pi);
    const Vec3 out = u * std::cos(angle) + v * std::sin(angle);
    const Vec3 semi{random.range(1, 4), random.range(1, 5), random.range(0.6, 1.3)};
    scene.addMarked("aortic-calcium", kLayerCalcium,
                    ellipsoid(mix(piece.a, piece.b, random.uniform()) + out * (piece.ra - 0.4), semi,
                              {cross(along, out), along, out}, random.range(250, 1100)));
  }
  const Shape heart = a.heart(0.6);
  const double front = frontOf(heart);
  for (const double course : {0.35, 1.5, -1.2}) {  // left anterior, circumflex, right
    for (double along = -0.75; along < 0.4; along += random.range(0.06, 0.2)) {
      if (!random.chance(0.6 * amount)) continue;
      const double turn = front + course + 0.25 * std::sin(4 * along);
      const double length = random.range(0.02, 0.12), r = random.range(0.5, 1.5);
      scene.addMarked("coronary-calcium", kLayerCalcium,
                      tube(onHeart(heart, turn, along), onHeart(heart, turn, along + length), r,
                           r * random.range(0.6, 1), random.range(250, 1000)));
    }
  }
}

void addImplants(const Anatomy& a, Scene& scene) {
  Random random(a.seed, kStreamImplants);
  switch (a.disease.device) {
    case Disease::Device::none: break;
    case Disease::Device::pacemaker: pacemaker(a, random, scene); break;
    case Disease::Device::port: port(a, random, true, scene); break;
    case Disease::Device::line: port(a, random, false, scene); break;
  }
  if (a.disease.sternalWires) sternalWires(a, random, scene);
  if (a.disease.clips) clips(a, random, scene);
  if (a.disease.stent) stent(a, random, scene);
}

}  // namespace lynceus::phantom
