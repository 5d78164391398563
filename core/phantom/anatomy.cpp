#include "core/phantom/anatomy.h"

#include "core/phantom/random.h"

namespace lynceus::phantom {
namespace {

double superRadius(double x, double y, double exponent) {
  return std::pow(std::pow(std::abs(x), exponent) + std::pow(std::abs(y), exponent), 1 / exponent);
}

Pose drawPose(Random& random) {
  constexpr double kDegree = std::numbers::pi / 180;
  const double pitch = random.range(-3, 3) * kDegree, roll = random.range(-2.5, 2.5) * kDegree,
               yaw = random.range(-4, 4) * kDegree;
  const auto turn = [&](Vec3 v) {
    v = {v.x, v.y * std::cos(pitch) - v.z * std::sin(pitch), v.y * std::sin(pitch) + v.z * std::cos(pitch)};
    v = {v.x * std::cos(roll) + v.z * std::sin(roll), v.y, -v.x * std::sin(roll) + v.z * std::cos(roll)};
    return Vec3{v.x * std::cos(yaw) - v.y * std::sin(yaw), v.x * std::sin(yaw) + v.y * std::cos(yaw), v.z};
  };
  Pose pose;
  pose.axes = {turn({1, 0, 0}), turn({0, 1, 0}), turn({0, 0, 1})};
  pose.shiftMm = {random.range(-8, 8), random.range(-175, -145), random.range(-250, -120)};
  return pose;
}

// lattice value in -1..1
double latticeValue(int64_t x, int64_t y, int64_t z, uint64_t key) {
  uint64_t h = key + static_cast<uint64_t>(x) * 0x9E3779B97F4A7C15u + static_cast<uint64_t>(y) * 0xC2B2AE3D27D4EB4Fu +
               static_cast<uint64_t>(z) * 0x165667B19E3779F9u;
  h = (h ^ (h >> 30)) * 0xBF58476D1CE4E5B9u;
  h = (h ^ (h >> 27)) * 0x94D049BB133111EBu;
  h ^= h >> 31;
  return static_cast<double>(h >> 11) * 0x1p-52 - 1;
}

}  // namespace

double valueNoise(const Point3& p, double scaleMm, uint64_t key) {
  const double x = p.x / scaleMm, y = p.y / scaleMm, z = p.z / scaleMm;
  const double x0 = std::floor(x), y0 = std::floor(y), z0 = std::floor(z);
  const auto ease = [](double t) { return t * t * (3 - 2 * t); };
  const double fx = ease(x - x0), fy = ease(y - y0), fz = ease(z - z0);
  const auto ix = static_cast<int64_t>(x0), iy = static_cast<int64_t>(y0), iz = static_cast<int64_t>(z0);
  const auto row = [&](int64_t dy, int64_t dz) {
    return mix(latticeValue(ix, iy + dy, iz + dz, key), latticeValue(ix + 1, iy + dy, iz + dz, key), fx);
  };
  return mix(mix(row(0, 0), row(1, 0), fy), mix(row(0, 1), row(1, 1), fy), fz);
}

namespace {

// What makes one patient's chest unlike another's, beyond size.
void drawVariation(Anatomy& a, bool tame) {
  Random random(a.seed, kStreamVariation);
  const auto unusual = [&](double share) { return random.chance(tame ? 0 : share); };
  a.sectionExponent = random.range(2.05, 2.6);
  a.gutterMm = random.range(22, 26);
  a.halfDepthMm *= random.range(0.98, 1.12) + 0.06 * a.disease.centrilobular;  // a barrel chest
  a.asymmetry = tame ? 0 : random.range(-0.05, 0.05);
  if (unusual(0.35)) a.pose.lateralMm = random.range(2, 11) * random.sign();
  a.pose.lateralPhase = random.range(0, 2 * std::numbers::pi);
  a.pose.lateralLengthMm = random.range(40, 75);
  if (unusual(0.15)) a.spineBowMm += random.range(6, 16);  // kyphosis
  if (unusual(0.12)) (random.chance(0.7) ? a.domeRightZ : a.domeLeftZ) += random.range(15, 38);
  a.diaphragmLumpsMm = random.logRange(0.3, unusual(0.3) ? 5 : 1.2);
  a.fatLumpsMm = unusual(0.5) ? random.range(0.05, 0.16) * a.fatMm : 0;
  a.hilarLumpsMm = random.range(0.5, 3.5);
  if (unusual(0.25)) a.heartScale *= random.range(1.08, 1.28);
  if (unusual(0.3)) a.aortaBowMm = random.range(3, 15);
  a.aortaWidth = random.range(0.92, 1.12) * (unusual(0.12) ? random.range(1.1, 1.35) : 1);
  a.fissureMm = random.logRange(0.07, 0.32);
  a.fissureGaps = random.uniform();
  a.leftMinorFissure = unusual(0.12);
  a.armsDown = unusual(0.1);
  // from a deep breath to a shallow one
  a.lungHu = tame ? random.range(-875, -835)
                  : mix(-905.0, random.chance(0.12) ? -700.0 : -795.0, std::pow(random.uniform(), 1.5));
  a.lungHu -= 22 * a.disease.centrilobular;
}

}  // namespace

Anatomy Anatomy::draw(uint64_t seed, bool tame) {
  Random random(seed, kStreamAnatomy);
  Anatomy a;
  a.seed = seed;
  a.female = random.chance(0.45);
  const double size = a.female ? random.range(0.86, 0.98) : random.range(0.94, 1.08);
  a.halfWidthMm = 127 * size * random.range(0.95, 1.05);
  a.halfDepthMm = 90 * size * random.range(0.92, 1.10);
  const double inflation = random.range(0.9, 1.1);
  a.apexZ = 94 * size;
  a.domeRightZ = -95 * size * inflation;
  a.domeLeftZ = a.domeRightZ - random.range(6, 18);
  a.baseZ = a.domeRightZ - 72 * size;
  a.fatMm = random.logRange(7, 38);
  a.breastMm = a.female ? random.range(18, 45) : 0;
  a.heartScale = size * random.range(0.9, 1.15);
  a.spineBowMm = random.range(24, 42);
  a.dependentHu = random.range(20, 75);
  a.contrast = random.chance(0.45);
  if (a.contrast) {
    a.arteryHu = random.range(110, 320);
    a.aortaHu = random.range(130, 320);
    a.veinHu = random.range(110, 250);
    a.organHu = random.range(70, 110);
  } else {
    a.arteryHu = a.aortaHu = a.veinHu = random.range(34, 50);
    a.organHu = random.range(40, 60);
  }
  a.table = random.chance(0.8);
  a.pose = drawPose(random);
  a.disease = Disease::draw(seed, tame);
  drawVariation(a, tame);
  return a;
}

double Anatomy::cavityHalfWidth(double z) const {
  const double u = std::clamp(level(z), 0.015, 1.2);
  const double v = std::min(1.0, u / 0.75);
  const double lower = std::max(0.0, u - 0.8) / 0.2;
  return halfWidthMm * std::pow(1 - std::pow(1 - v, 2.2), 0.5) * (1 - 0.07 * lower * lower);
}

double Anatomy::cavityHalfDepth(double z) const {
  const double v = std::clamp(level(z) / 0.7, 0.02, 1.0);
  return halfDepthMm * std::pow(1 - (1 - v) * (1 - v), 0.52);
}

double Anatomy::spineY(double z) const {
  const double fromMiddle = (z - (apexZ - 0.62 * height())) / (0.5 * height());
  return 0.72 * halfDepthMm - spineBowMm * fromMiddle * fromMiddle;
}

double Anatomy::cavityCentreY(double z) const { return spineY(z) + gutterMm - cavityHalfDepth(z); }

double Anatomy::sternumY(double z) const { return cavityCentreY(z) - cavityHalfDepth(z) - 7; }

double Anatomy::skin(const Point3& p) const {
  const double u = level(p.z);
  const double shoulder = smoothStep(0.42, 0.05, u);
  const double neck = smoothStep(0.0, -0.3, u);
  const double zIn = std::max(p.z, baseZ);  // the belly goes on as the lowest ribs
  const double width =
      (mix(cavityHalfWidth(zIn), halfWidthMm * 0.98, smoothStep(0.55, 0.15, u)) + 24 + 12 * shoulder + 0.9 * fatMm) *
      (1 - 0.4 * neck);
  const double front =
      mix(sternumY(zIn), sternumY(apexZ - 0.16 * height()), smoothStep(0.16, 0.0, u)) - 12 - 0.8 * fatMm;
  const double back = spineY(zIn) + 58 + 0.8 * fatMm;
  const double depth = (back - front) / 2, centreY = (back + front) / 2;
  double d = (superRadius(p.x / width, (p.y - centreY) / depth, 2.3) - 1) * std::min(width, depth);
  if (breastMm > 0) {
    const double z = apexZ - 0.5 * height();
    const Shape breast = ellipsoid({p.x > 0 ? 72.0 : -72.0, sternumY(z) + 2, z}, {66, breastMm + 14, 64}, 0);
    d = smoothMin(d, breast.distance(p), 22);
  }
  return d + 2.0 * valueNoise(p, 60, seed + 11);
}

double Anatomy::cavity(const Point3& p) const {
  const double a = cavityHalfWidth(p.z), b = cavityHalfDepth(p.z);
  const double side =
      (superRadius(p.x / (a * sideWidth(p.x)), (p.y - cavityCentreY(p.z)) / b, sectionExponent) - 1) * std::min(a, b);
  const double top = p.z - apexZ;
  return smoothMax(side, top, 8) + 1.6 * valueNoise(p, 34, seed + 12) + 0.8 * valueNoise(p, 13, seed + 13);
}

double Anatomy::wallThickness(const Point3& p) const {
  constexpr double kDegree = std::numbers::pi / 180;
  const double u = level(p.z);
  // 0 at the back, 180 degrees at the front
  const double angle =
      std::acos(
          std::clamp((p.y - cavityCentreY(p.z)) / (norm(Vec3{p.x, p.y - cavityCentreY(p.z), 0}) + 1e-9), -1.0, 1.0)) /
      kDegree;
  const double strength = female ? 0.75 : 1.0;
  const double scapular = 34 * bump(angle, 52, 30) * smoothStep(0.66, 0.42, u);
  const double lateral = 7 * bump(angle, 85, 35);
  const double pectoral = 17 * bump(angle, 140, 26) * smoothStep(0.58, 0.4, u);
  const double shoulder = 22 * smoothStep(0.22, 0.02, u);
  return 12.5 + strength * (scapular + lateral + pectoral + shoulder);
}

double Anatomy::diaphragmZ(const Point3& p) const {
  const double side = p.x < 0 ? -1 : 1;
  const double dome = side < 0 ? domeRightZ : domeLeftZ;
  const double a = halfWidthMm, b = halfDepthMm;
  const double yc = cavityCentreY(dome);
  const double dx = (p.x - side * 0.46 * a) / (0.56 * a), dy = (p.y - (yc - 0.12 * b)) / (1.05 * b);
  const double medial = side * dx < 0 ? 0.45 : 1.0;  // it stays high towards the heart
  const double outward = medial * dx * dx;
  const double q2 = outward + dy * dy;
  const double backward = smoothStep(-0.6, 0.9, dy);
  const double drop = (0.34 + 0.66 * std::max(backward, 0.75 * outward / (q2 + 1e-6))) * (dome - baseZ) * 1.08;
  return dome - drop * std::pow(q2, 0.95) + 4.0 * valueNoise({p.x, p.y, 0}, 42, seed + 14) +
         diaphragmLumpsMm * valueNoise({p.x, p.y, 0}, 17, seed + 19);
}

Shape Anatomy::heart(double coverMm) const {
  const Vec3 along = normalized({0.74, -0.44, -0.50});
  const auto [u, v] = frameAround(along);
  const double z = -62 * heartScale;
  const double y = mix(spineY(z) - 30, sternumY(z) + 12, 0.52);
  const Vec3 semi{44 * heartScale + coverMm, 42 * heartScale + coverMm, 62 * heartScale + coverMm};
  return ellipsoid({25 * heartScale, y, z}, semi, {u, v, along}, contrast ? 95 : 42);
}

double Anatomy::mediastinum(const Point3& p, const std::vector<Shape>& vessels) const {
  const double u = level(p.z);
  const double spine = spineY(p.z);
  const double front = cavityCentreY(p.z) - 0.55 * cavityHalfDepth(p.z);
  const double upper = smoothStep(0.34, 0.12, u), lower = smoothStep(0.45, 0.6, u);
  const double inFront = mix(mix(7.0, 12.0, lower), 20.0, upper);
  const double inMiddle = mix(mix(27.0, 20.0, lower), 31.0, upper);
  const double middleWeight = smoothStep(front - 12, front + 14, p.y);
  const double backWeight = smoothStep(spine - 34, spine - 12, p.y);
  const double halfWidth = mix(mix(inFront, inMiddle, middleWeight), 20.5, backWeight);
  const double shift = mix(0.0, 9.0, lower * (1 - backWeight));
  double d = std::abs(p.x - shift + 4 * valueNoise(p, 26, seed + 15)) - halfWidth;
  d = smoothMin(d, heart(4).distance(p), 10);
  for (const Shape& vessel : vessels) d = smoothMin(d, vessel.distance(p) - 2.2, 5);
  if (std::abs(d) < 12) d -= hilarLumpsMm * valueNoise(p, 13, seed + 20);
  return d;
}

double Anatomy::effusionMm(const Point3& p) const {
  const int side = p.x < 0 ? 0 : 1;
  const double most = disease.effusionMm[side];
  if (most <= 0) return 0;
  const double backward = (p.y - cavityCentreY(p.z)) / halfDepthMm;  // the patient lies on the back
  const double top = disease.effusionLevel[side];
  return most * smoothStep(top - 0.12, top + 0.3, level(p.z)) * smoothStep(-0.75, 0.95, backward);
}

double Anatomy::pleuralLayerMm(const Point3& p) const {
  double layer = effusionMm(p);
  if (fatLumpsMm > 0) layer += fatLumpsMm * std::max(0.0, valueNoise(p, 19, seed + 31) + 0.15);
  const double cap = disease.apicalCapMm[p.x < 0 ? 0 : 1];
  if (cap > 0) {
    const double uneven = 0.55 + 0.6 * valueNoise(p, 11, seed + 32) + 0.3 * valueNoise(p, 4.5, seed + 33);
    layer += cap * smoothStep(0.2, 0.04, level(p.z)) * std::max(0.0, uneven);
  }
  return layer;
}

double Anatomy::lung(const Point3& p, double cavityDistance, const std::vector<Shape>& vessels) const {
  double d = cavityDistance + 0.4;
  if (d > -50 && d < 25) d += pleuralLayerMm(p);
  if (d > 25) return d;
  d = smoothMax(d, diaphragmZ(p) - p.z, 5);
  if (d > 25) return d;
  return smoothMax(d, -mediastinum(p, vessels), 7);
}

double Anatomy::liver(const Point3& p, double cavityDistance) const {
  double d = std::max(cavityDistance + 3, p.z - diaphragmZ(p) + 4);
  const double leftLobe = p.x - (20 + 0.35 * (cavityCentreY(p.z) - p.y));
  d = smoothMax(d, leftLobe, 12);
  // the spine, the vena cava and the right crus stay free
  d = smoothMax(d, 34 - norm(Vec3{p.x + 2, p.y - spineY(p.z) + 4, 0}), 10);
  return d + 2 * valueNoise(p, 40, seed + 16);
}

double Anatomy::obliqueFissure(const Point3& p) const {
  const double yc = cavityCentreY(-40), b = halfDepthMm;
  const double top = apexZ - 0.24 * height(), bottom = domeRightZ + 6;
  const double t = (p.y - (yc - 0.85 * b)) / (1.75 * b);
  const double outward = std::abs(p.x) / halfWidthMm;
  const double bow = 10 * std::sin(3.14 * clamp01(t)) * (p.x < 0 ? 1.0 : 0.6);
  return p.z - (mix(bottom, top, t) + bow - 14 * (outward - 0.5) + 5 * valueNoise(p, 70, seed + 17));
}

double Anatomy::horizontalFissure(const Point3& p) const {
  return p.z -
         (-22 - 0.10 * (std::abs(p.x) - 60) - 0.12 * (p.y - cavityCentreY(-22)) + 6 * valueNoise(p, 60, seed + 18));
}

}  // namespace lynceus::phantom
