#include "core/phantom/mediastinum.h"

#include "core/phantom/random.h"

namespace lynceus::phantom {
namespace {

struct Station {
  Point3 at;
  double radius;
};

// A smooth tube through the stations: Catmull-Rom in position, linear in radius.
void addTube(std::vector<Shape>& out, const std::vector<Station>& s, double hu) {
  constexpr int kSteps = 4;
  const int n = static_cast<int>(s.size());
  for (int i = 0; i + 1 < n; ++i) {
    const Point3 &p0 = s[std::max(i - 1, 0)].at, &p1 = s[i].at, &p2 = s[i + 1].at, &p3 = s[std::min(i + 2, n - 1)].at;
    Station last = s[i];
    for (int k = 1; k <= kSteps; ++k) {
      const double t = static_cast<double>(k) / kSteps, t2 = t * t, t3 = t2 * t;
      const Point3 p =
          (p1 * 2 + (p2 - p0) * t + (p0 * 2 - p1 * 5 + p2 * 4 - p3) * t2 + (p1 * 3 - p0 - p2 * 3 + p3) * t3) * 0.5;
      const Station next{p, mix(s[i].radius, s[i + 1].radius, t)};
      out.push_back(tube(last.at, next.at, last.radius, next.radius, hu));
      last = next;
    }
  }
}

// Coordinates of the mediastinum are given for a chest of 250 mm; y counts from the trachea at the carina.
double hilarScale(const Anatomy& a) { return a.halfWidthMm / 125; }

// A part of the stomach that has slid up behind the heart.
void hernia(const Anatomy& a, Scene& scene) {
  Random random(a.seed, kStreamHernia);
  const double r = random.range(14, 30), z = a.domeLeftZ + random.range(-5, 20);
  const Point3 c{random.range(0, 14), a.spineY(z) - 24 - r, z};
  scene.addMarked("hiatal-hernia", kLayerMediastinal, ellipsoid(c, {1.2 * r, 0.9 * r, r}, random.range(25, 60)));
  const Vec3 gas = Vec3{0.7, 0.35, 0.6} * (r * random.range(0.5, 1));
  if (random.chance(0.7)) scene.add(kLayerAirwayLumen, ellipsoid(c + Vec3{0, -0.4 * r, 0}, gas, -950));
}

// Loops of colon under the diaphragm: gas with walls and folds, and stool with bubbles in it.
void bowel(const Anatomy& a, Scene& scene) {
  Random random(a.seed, kStreamBowel);
  const bool interposed = random.chance(0.08);  // between liver and diaphragm
  for (int loop = 1 + random.integer(4); loop > 0; --loop) {
    const double side = interposed && random.chance(0.5) ? -1 : 1;
    const double dome = side < 0 ? a.domeRightZ : a.domeLeftZ;
    Point3 p{side * random.range(0.25, 0.75) * a.halfWidthMm,
             a.cavityCentreY(dome) - random.range(0.1, 0.7) * a.halfDepthMm, dome - random.range(26, 75)};
    const bool stool = random.chance(0.4);
    for (int i = 2 + random.integer(4); i > 0; --i) {
      const double r = random.range(9, 19);
      scene.add(kLayerOrgans, ellipsoid(p, {r + 2, r + 2, r + 2}, 38));
      if (!stool) scene.add(kLayerGas, ellipsoid(p, {r, r * random.range(0.8, 1), r * random.range(0.8, 1)}, -960));
      for (int k = stool ? 14 : 0; k > 0; --k) {
        const double bubble = random.range(0.8, 3);
        scene.add(kLayerGas, ellipsoid(p + random.direction() * (0.8 * r * random.uniform()), Vec3{1, 1, 1} * bubble,
                                       random.range(-800, -200)));
      }
      p = p + normalized(Vec3{random.range(-1, 1), random.range(-1, 1), random.range(-0.8, 0.3)}) * (1.35 * r);
    }
  }
}

}  // namespace

std::vector<Shape> greatVessels(const Anatomy& a) {
  const double s = hilarScale(a), y = a.tracheaY(0);
  const auto at = [s, y](double x, double dy, double z) { return Point3{x * s, y + dy * s, z * s}; };
  const auto along = [&](double x, double dy, double z) { return Point3{x * s, a.spineY(z * s) + dy, z * s}; };
  Random random(a.seed, kStreamMediastinum);
  const double wide = s * random.range(0.92, 1.12), aorta = wide * a.aortaWidth, bow = a.aortaBowMm;
  std::vector<Shape> v;
  addTube(v,
          {{at(0, -34, -44), 14 * aorta},
           {at(-12, -38, -20), 15 * aorta},
           {at(-15 - 0.4 * bow, -36, 8), 15 * aorta},
           {at(-4, -26, 29 + 0.5 * bow), 14 * aorta},
           {at(14, -6, 34 + 0.7 * bow), 13 * aorta},
           {at(23 + 0.4 * bow, 12, 22), 12.5 * aorta},
           {along(23 + 0.8 * bow, -9, 0), 12.5 * aorta},
           {along(22 + bow, -12, -60), 12 * aorta},
           {along(15 - 0.8 * bow, -22, -110), 11.5 * aorta},
           {along(8, -26, -230), 11 * wide}},
          a.aortaHu);
  addTube(
      v,
      {{at(-24, -24, 92), 6 * s}, {at(-23, -28, 50), 9 * s}, {at(-25, -26, 0), 9.5 * s}, {at(-24, -22, -34), 10 * s}},
      a.veinHu);
  addTube(v, {{at(42, -34, 78), 5 * s}, {at(12, -44, 52), 6 * s}, {at(-20, -34, 40), 6.5 * s}},
          a.veinHu);  // left brachiocephalic vein
  addTube(v, {{at(-8, -24, 34), 6 * s}, {at(-14, -14, 60), 5.5 * s}, {at(-26, -8, 100), 5 * s}}, a.aortaHu);
  addTube(v, {{at(5, -16, 38), 4 * s}, {at(12, -8, 70), 3.5 * s}, {at(20, -8, 110), 3.5 * s}}, a.aortaHu);
  addTube(v, {{at(15, -4, 40), 5 * s}, {at(24, 4, 66), 5 * s}, {at(40, -2, 98), 5 * s}}, a.aortaHu);
  addTube(v, {{at(14, -52, -46), 13 * wide}, {at(20, -40, -20), 13 * wide}, {at(25, -24, -8), 12 * wide}}, a.arteryHu);
  addTube(v,
          {{at(22, -28, -10), 11 * s},
           {at(-4, -20, -15), 10.5 * s},
           {at(-30, -13, -17), 9.5 * s},
           {at(-41, -8, -22), 8 * s}},
          a.arteryHu);
  addTube(v, {{at(25, -24, -8), 11 * s}, {at(37, -8, -3), 10 * s}, {at(46, 6, -14), 8.5 * s}}, a.arteryHu);
  addTube(v, {{at(-41, -8, -22), 7.5 * s}, {at(-45, -1, -46), 6.5 * s}}, a.arteryHu);  // right interlobar artery
  addTube(v, {{at(46, 6, -14), 8 * s}, {at(47, 10, -40), 6.5 * s}}, a.arteryHu);       // left interlobar artery
  for (const double side : {-1.0, 1.0}) {  // pulmonary veins into the left atrium
    addTube(v, {{at(side * 18, -14, -40), 7 * s}, {at(side * 33, -20, -34), 6 * s}, {at(side * 42, -20, -28), 5 * s}},
            a.veinHu);
    addTube(v, {{at(side * 18, -6, -50), 7 * s}, {at(side * 32, 0, -56), 6 * s}, {at(side * 40, 4, -62), 5 * s}},
            a.veinHu);
  }
  addTube(v, {{at(-24, -24, -70), 12 * s}, {along(-24, -42, -100), 12 * s}, {along(-20, -34, -230), 11 * s}}, a.veinHu);
  addTube(v, {{along(-7, -18, 20), 3.5 * s}, {along(-7, -17, -80), 3.5 * s}, {along(-7, -17, -200), 3 * s}}, a.veinHu);
  addTube(v, {{at(-24, -20, 14), 4 * s}, {at(-20, -2, 17), 4 * s}, {along(-8, -18, 10), 3.8 * s}},
          a.veinHu);  // azygos arch
  return v;
}

LobeRoots lobeRoots(const Anatomy& a, int lobe) {
  const double s = hilarScale(a), y = a.tracheaY(0);
  const auto at = [s, y](double x, double dy, double z) { return Point3{x * s, y + dy * s, z * s}; };
  switch (lobe) {
    case 0: return {at(-40, -8, -18), at(-42, -20, -28), normalized({0.35, 0.9, 0.25})};
    case 1: return {at(-45, -3, -42), at(-42, -20, -28), normalized({0.75, 0.4, -0.5})};
    case 2: return {at(-45, -1, -46), at(-40, 4, -62), normalized({0.8, 0.55, 0})};
    case 3: return {at(43, 0, -9), at(42, -20, -28), normalized({-0.45, -0.2, -0.85})};
    default: return {at(47, 10, -40), at(40, 4, -62), normalized({-0.9, -0.3, 0.2})};
  }
}

void addOrgans(const Anatomy& a, Scene& scene) {
  const double s = hilarScale(a), y = a.tracheaY(0);
  Random random(a.seed, kStreamMediastinum);
  random.next();
  const Shape heart = a.heart();
  scene.add(kLayerOrgans, heart);
  const double h = a.heartScale;
  // without contrast the chambers have nearly the grey of the muscle
  const Vec3 left = normalized(Vec3{1, 0.35, 0.2});
  const Vec3 right = left * -1;
  const auto place = [&](const Vec3& direction, double away, double forward, const Vec3& semi, double hu) {
    const Point3 c = heart.a + direction * (away * h) + heart.axes[2] * (forward * h);
    scene.add(kLayerOrgans, ellipsoid(c, semi * h, heart.axes, hu));
  };
  place(left, 14, 14, {21, 20, 34}, a.contrast ? a.aortaHu : 44);
  place(right, 17, 16, {17, 22, 32}, a.contrast ? a.arteryHu : 44);
  place(right, 20, -28, {20, 22, 22}, a.contrast ? a.veinHu : 44);
  scene.add(kLayerMediastinal,
            ellipsoid({4 * s, y - 15 * s, -47 * s}, {31 * s, 15 * s, 19 * s}, a.contrast ? a.veinHu : 43));

  std::vector<Shape> gullet;
  addTube(gullet,
          {{{6, a.spineY(a.apexZ + 40) - 18, a.apexZ + 40}, 6.5},
           {{3, a.spineY(30) - 19, 30}, 7},
           {{4, a.spineY(-30) - 21, -30}, 7},
           {{10, a.spineY(-80) - 28, -80}, 8},
           {{22, a.spineY(-115) - 38, -115}, 9}},
          38);
  for (const Shape& piece : gullet) scene.add(kLayerMediastinal, piece);
  if (random.chance(0.5)) {
    const double z = random.range(-60, 60);
    scene.add(kLayerAirwayLumen, ellipsoid({4, a.spineY(z) - 21, z}, {2.6, 2.2, random.range(8, 30)}, -900));
  }

  const double yc = a.cavityCentreY(a.domeLeftZ), w = a.halfWidthMm, b = a.halfDepthMm, dome = a.domeLeftZ;
  scene.add(kLayerOrgans,
            ellipsoid({0.66 * w, yc + 0.42 * b, dome - 46}, {0.21 * w, 0.36 * b, 40}, a.contrast ? 115 : 50));
  const Point3 stomach{0.44 * w, yc - 0.22 * b, dome - 42};
  scene.add(kLayerOrgans, ellipsoid(stomach, {0.33 * w, 0.42 * b, 36}, 42));
  scene.add(kLayerOrgans, ellipsoid(stomach, {0.33 * w - 4, 0.42 * b - 4, 32}, random.range(5, 60)));
  const double gas = random.range(0.1, 0.9);
  Shape bubble =
      ellipsoid(stomach + Vec3{0, -0.42 * b * (1 - gas) - 2, 4}, {0.30 * w * gas, 0.40 * b * gas, 28 * gas}, -960);
  scene.add(kLayerGas, bubble);
  if (a.disease.hiatalHernia) hernia(a, scene);
  bowel(a, scene);
  if (random.chance(0.6)) {  // the splenic flexure of the colon
    const Point3 flexure{0.62 * w, yc - 0.25 * b, dome - random.range(70, 90)};
    scene.add(kLayerOrgans, ellipsoid(flexure, {24, 22, 20}, 35));
    scene.add(kLayerGas, ellipsoid(flexure, {20, 18, 17}, -930));
  }
}

void addCentralAirways(const Anatomy& a, Scene& scene) {
  const double s = hilarScale(a), y = a.tracheaY(0);
  const auto at = [s, y](double x, double dy, double z) { return Point3{x * s, y + dy * s, z * s}; };
  const double top = a.apexZ + 60;
  const double r = (a.female ? 7.2 : 8.6) * s;
  const std::vector<std::vector<Station>> paths{
      {{{0, a.tracheaY(top) - 4, top}, r}, {{0, a.tracheaY(50), 50}, r}, {at(0, 0, 4), r}},
      {{at(-3, 0, 0), 0.85 * r}, {at(-20, 3, -12), 0.8 * r}, {at(-33, 5, -24), 0.72 * r}, {at(-37, 6, -48), 0.55 * r}},
      {{at(-24, 3, -14), 0.55 * r}, {at(-37, 4, -13), 0.5 * r}},
      {{at(3, 0, 0), 0.8 * r}, {at(22, 3, -16), 0.7 * r}, {at(37, 6, -27), 0.66 * r}, {at(39, 9, -46), 0.5 * r}},
      {{at(37, 5, -26), 0.5 * r}, {at(42, -2, -19), 0.45 * r}}};
  for (const auto& path : paths) {
    std::vector<Station> outer = path;
    for (Station& station : outer) station.radius += 0.9 + 0.09 * station.radius;
    addTube(scene.layers[kLayerAirwayWalls], outer, 25);
    addTube(scene.layers[kLayerAirwayLumen], path, -1000);
  }
}

}  // namespace lynceus::phantom
