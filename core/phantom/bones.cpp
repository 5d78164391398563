#include "core/phantom/bones.h"

#include "core/phantom/random.h"

namespace lynceus::phantom {
namespace {

constexpr double kShellMm = 1.2;  // cortical thickness
constexpr double kDegree = std::numbers::pi / 180;

class Skeleton {
 public:
  Skeleton(const Anatomy& anatomy, Scene& scene)
      : m_a(anatomy), m_scene(scene), m_random(anatomy.seed, kStreamBones), m_wear(anatomy.seed, kStreamJoints) {
    m_pitch = anatomy.height() / 11.2;
    m_cortexHu = m_random.range(520, 850);
    m_marrowHu = m_random.range(70, 200);
  }

  void build() {
    for (int i = -2; i < 14; ++i) vertebra(i);
    for (int i = 0; i < 12; ++i) {
      rib(i, -1);
      rib(i, 1);
    }
    sternum();
    for (const double side : {-1.0, 1.0}) {
      clavicle(side);
      scapula(side);
      if (m_a.armsDown) arm(side);
    }
  }

 private:
  double vertebraZ(int i) const { return m_a.apexZ + 4 - i * m_pitch; }

  void bone(const Point3& a, const Point3& b, double ra, double rb) {
    m_scene.add(kLayerCortex, tube(a, b, ra, rb, m_cortexHu));
    if (std::min(ra, rb) > kShellMm + 0.4) {
      m_scene.add(kLayerMarrow, tube(a, b, ra - kShellMm, rb - kShellMm, m_marrowHu));
    }
  }

  void flatBone(const Point3& a, const Point3& b, double halfWidth, double halfThickness, const Vec3& thin) {
    m_scene.add(kLayerCortex, flatTube(a, b, halfWidth, halfThickness, thin, m_cortexHu));
    m_scene.add(kLayerMarrow, flatTube(a, b, halfWidth - kShellMm, halfThickness - kShellMm, thin, m_marrowHu));
  }

  void vertebra(int i) {
    const double z = vertebraZ(i), y = m_a.spineY(z),
                 size = m_a.halfWidthMm / 125 * mix(0.85, 1.15, clamp01((i + 2) / 14.0));
    const Vec3 up = normalized({0, m_a.spineY(z + 5) - m_a.spineY(z - 5), 10});
    const Vec3 back = cross(up, {1, 0, 0});
    const std::array<Vec3, 3> axes{Vec3{1, 0, 0}, back, up};
    const auto at = [&](double x, double dy, double dz) {
      return Point3{0, y, z} + Vec3{x * size, 0, 0} + back * (dy * size) + up * (dz * size);
    };
    const double half = m_pitch / 2 - 2.3;
    m_scene.add(kLayerCartilage, drum(at(0, 0, 0) - up * (m_pitch / 2), {15.5 * size, 12.5 * size, 3.2}, axes, 85));
    m_scene.add(kLayerCortex, drum(at(0, 0, 0), {16 * size, 13 * size, half}, axes, 0.75 * m_cortexHu));
    m_scene.add(kLayerMarrow, drum(at(0, 0, 0), {16 * size - 1, 13 * size - 1, half - 1}, axes, m_marrowHu));
    for (const double side : {-1.0, 1.0}) {
      bone(at(side * 10.5, 8, 2), at(side * 11.5, 21, 1), 4.2, 4.2);  // pedicle
      bone(at(side * 11.5, 21, 0), at(side * 6, 29, -2), 4.2, 3.8);   // lamina
      bone(at(side * 6, 29, -2), at(0, 33, -4), 3.8, 3.6);
      bone(at(side * 12, 23, 2), at(side * (i < 10 ? 31 : 20), 30, 4), 4.6, 4);  // transverse process
      bone(at(side * 12, 21, -8), at(side * 12, 23, 9), 4, 4);                   // joint
    }
    flatBone(at(0, 33, -5), at(0, 53, -17), 6, 2.6, {1, 0, 0});  // spinous process
    m_scene.add(kLayerCanal, drum(at(0, 21, 0), {7.5 * size, 7 * size, m_pitch / 2 + 1}, axes, 28));
    osteophytes(at(0, 0, 0) - up * (m_pitch / 2), size, axes);
  }

  // Spurs at the rim of a disc reach into the lung, more on the right, where no aorta pulses against them.
  void osteophytes(const Point3& disc, double size, const std::array<Vec3, 3>& axes) {
    for (const double side : {-1.0, 1.0}) {
      if (!m_wear.chance(m_a.disease.jointWear * (side < 0 ? 0.75 : 0.35))) continue;
      const double reach = m_wear.range(2, 7) * (0.5 + m_a.disease.jointWear), angle = m_wear.range(-0.9, 0.5);
      const Point3 c =
          disc + axes[0] * (side * 15.5 * size * std::cos(angle)) + axes[1] * (12.5 * size * std::sin(angle));
      const Vec3 semi{reach, reach * m_wear.range(0.8, 1.6), m_wear.range(2, 5)};
      m_scene.addMarked("osteophyte", kLayerCortex, ellipsoid(c, semi, axes, m_wear.range(0.35, 0.9) * m_cortexHu));
    }
  }

  // On the outer side of the cavity: angle 0 at the back, 180 degrees at the front.
  Point3 onWall(double side, double angle, double z, double outMm) const {
    const double a = m_a.cavityHalfWidth(z) * m_a.sideWidth(side) + outMm, b = m_a.cavityHalfDepth(z) + outMm;
    const double e = 2 / m_a.sectionExponent;
    const double s = std::sin(angle), c = std::cos(angle);
    return {side * a * std::pow(std::abs(s), e), m_a.cavityCentreY(z) + b * std::copysign(std::pow(std::abs(c), e), c),
            z};
  }

  void rib(int i, double side) {
    const double z0 = vertebraZ(i) + m_pitch * 0.35, y0 = m_a.spineY(z0);
    const double size = m_a.halfWidthMm / 125;
    const double drop = std::min(24.0 + 11 * i, 108.0) * size;
    const double end = (i < 7 ? 137 - 0.5 * i : i < 10 ? 128 - 8 * (i - 7) : i == 10 ? 84 : 62) * kDegree;
    const double start = (i == 0 ? 40 : 24) * kDegree;
    const double halfWidth = (i == 0 ? 7.5 : 6.3) * size, halfThickness = (i == 0 ? 3.0 : 3.5) * size;
    const auto height = [&](double angle) { return z0 - drop * std::pow(clamp01(angle / (150 * kDegree)), 1.15); };
    const auto point = [&](double angle) { return onWall(side, angle, std::min(height(angle), m_a.apexZ - 4), 5.4); };
    bone({side * 17 * size, y0 + 5, z0}, {side * 31 * size, y0 + 23, z0 - 1}, 4, 4);
    Point3 last{side * 31 * size, y0 + 23, z0 - 1};
    const int steps = 26;
    for (int k = 0; k <= steps; ++k) {
      const Point3 next = point(mix(start, end, static_cast<double>(k) / steps));
      const Vec3 outward = normalized({next.x, (next.y - m_a.cavityCentreY(next.z)) * 1.3, 0});
      flatBone(last, next, halfWidth, halfThickness, outward);
      last = next;
    }
    if (i < 10) {
      ribEnd(i, last);
      cartilage(i, side, last, end);
    }
  }

  // Where bone meets cartilage a worn joint swells, also towards the lung; the first rib's most of all.
  void ribEnd(int i, const Point3& end) {
    const double wear = m_a.disease.jointWear;
    if (!m_wear.chance(i == 0 ? 0.4 + 0.5 * wear : 0.6 * wear)) return;
    const Vec3 into = normalized({-end.x, -1.3 * (end.y - m_a.cavityCentreY(end.z)), m_wear.range(-12, 12)});
    const auto [u, v] = frameAround(into);
    const double r = m_wear.range(3.5, 6) + (i == 0 ? 1.5 : 0);
    const Point3 c = end + into * (m_wear.range(0.5, 4.5) * (0.4 + wear)) + v * m_wear.range(-3, 3);
    const Vec3 semi{r, r * m_wear.range(0.8, 1.5), r * m_wear.range(0.7, 1.1)};
    m_scene.addMarked("rib-end", kLayerCartilage, ellipsoid(c, semi, {u, v, into}, 75));
    for (int k = m_wear.integer(2 + static_cast<int>(4 * wear)); k > 0; --k) {
      const Point3 at = c + m_wear.direction() * (0.5 * r);
      m_scene.add(kLayerCortex, ellipsoid(at, Vec3{1, 1, 1} * m_wear.range(1.2, 0.6 * r), m_wear.range(250, 800)));
    }
  }

  void cartilage(int i, double side, Point3 last, double end) {
    const double front = i < 7 ? 171 * kDegree : 150 * kDegree;
    const double z1 = i < 7 ? std::max(last.z, m_a.apexZ - 0.24 * m_a.height() - i * 17.0 - 6) : last.z + 14;
    const double hu = m_random.range(80, 130);
    for (int k = 1; k <= 6; ++k) {
      const double t = k / 6.0;
      const double z = mix(last.z, z1, 0.45 * t * t);
      const Point3 next = onWall(side, mix(end, front, t), z, 6);
      m_scene.add(kLayerCartilage, tube(last, next, 5, 4.6, hu));
      if (m_wear.chance(0.7 * m_a.disease.jointWear)) {
        const Point3 at = mix(last, next, m_wear.uniform()) + m_wear.direction() * 3;
        const Vec3 semi{m_wear.range(1, 3.5), m_wear.range(1, 3), m_wear.range(1, 3)};
        m_scene.addMarked("calcified-rib-cartilage", kLayerCortex, ellipsoid(at, semi, m_wear.range(180, 550)));
      }
      last = next;
    }
  }

  void sternum() {
    const double top = m_a.apexZ - 0.15 * m_a.height(), size = m_a.halfWidthMm / 125;
    Point3 last{0, m_a.sternumY(top), top};
    for (int k = 1; k <= 8; ++k) {
      const double z = top - k * 20 * size;
      const Point3 next{0, m_a.sternumY(z), z};
      const double width = k <= 2 ? 24 : 17;
      flatBone(last, next, width * size * (k == 8 ? 0.6 : 1), 5.6, {0, 1, 0});
      last = next;
    }
  }

  void clavicle(double side) {
    const double z = m_a.apexZ - 0.13 * m_a.height(), y = m_a.sternumY(z);
    const Point3 inner{side * 24, y + 2, z}, bend{side * 75, y + 12, z + 22}, outer{side * 128, y + 48, z + 52};
    bone(inner, bend, 7, 5.5);
    bone(bend, outer, 5.5, 6);
  }

  void scapula(double side) {
    const double top = m_a.apexZ - 6, bottom = m_a.apexZ - 0.52 * m_a.height();
    Point3 last;
    double lastWidth = 0;
    const int steps = 10;
    for (int k = 0; k <= steps; ++k) {
      const double t = static_cast<double>(k) / steps, z = mix(top, bottom, t);
      const double zWall = std::min(z, m_a.apexZ - 0.2 * m_a.height());
      Point3 p = onWall(side, 50 * kDegree, zWall, m_a.female ? 24 : 30);
      p.z = z;
      p.y = std::min(p.y, m_a.spineY(z) + 40);  // under the skin of a bent back
      const double width = mix(38, 10, t);
      const Vec3 outward = normalized({side * 0.75, 0.66, 0});
      if (k > 0) flatBone(last, p, 0.5 * (width + lastWidth), 2.6, outward);
      if (k == 2) bone(p + Vec3{side * -20, 26, 0}, p + Vec3{side * 34, -4, 16}, 5, 7);  // spine of the scapula
      last = p;
      lastWidth = width;
    }
  }

  // Beside the chest where the patient cannot lift it; the outer shapes come last as the first one drawn stays.
  void arm(double side) {
    const double x = side * (m_a.halfWidthMm + 78 + 0.9 * m_a.fatMm), top = m_a.apexZ - 40;
    const Point3 a{x, m_a.cavityCentreY(0) + 30, top}, b{x + side * 12, m_a.cavityCentreY(0) + 40, m_a.baseZ - 60};
    m_scene.add(kLayerOrgans, tube(a, b, 32, 28, 50));
    m_scene.add(kLayerOrgans, tube(a, b, 36 + 0.4 * m_a.fatMm, 32 + 0.4 * m_a.fatMm, -100));
    bone(a, b, 11, 10);
  }

  const Anatomy& m_a;
  Scene& m_scene;
  Random m_random, m_wear;
  double m_pitch, m_cortexHu, m_marrowHu;
};

}  // namespace

void addBones(const Anatomy& anatomy, Scene& scene) { Skeleton(anatomy, scene).build(); }

}  // namespace lynceus::phantom
