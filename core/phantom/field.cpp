#include "core/phantom/field.h"

#include "core/parallel.h"

namespace lynceus::phantom {
namespace {

constexpr float kFar = 60;  // mm: distances beyond are not needed

struct Cell {
  int index;
  double weight;
};

Cell locate(double coordinate, double origin, double step, int size) {
  const double t = std::clamp((coordinate - origin) / step, 0.0, size - 1.001);
  const int i = static_cast<int>(t);
  return {i, t - i};
}

double muscle(const Anatomy& a, const Point3& p, double skin, double cavity) {
  double d = cavity - a.wallThickness(p);
  for (const double side : {-1.0, 1.0}) {  // the long muscles beside the spine
    const Shape column = ellipsoid({side * 24, a.spineY(p.z) + 39, p.z}, {23, 17, 1e3}, 0);
    d = smoothMin(d, column.distance(p), 8);
  }
  const Shape neck = ellipsoid({0, a.spineY(a.apexZ) - 12, a.apexZ + 45}, {75, 62, 60}, 0);
  d = smoothMin(d, neck.distance(p), 15);
  return smoothMax(d, skin + 4 + 0.35 * a.fatMm, 6);
}

void sampleTissue(const Anatomy& a, const std::vector<Shape>& vessels, const Point3& p, float* out) {
  for (int i = 0; i < kFieldCount; ++i) out[i] = i == kHaze || i == kHoles || i == kReticular ? 0 : kFar;
  const double skin = a.skin(p);
  out[kSkin] = static_cast<float>(skin);
  if (skin > 8) return;
  const double cavity = a.cavity(p);
  out[kCavity] = static_cast<float>(cavity);
  out[kMuscle] = static_cast<float>(muscle(a, p, skin, cavity));
  out[kSepta] = static_cast<float>(0.75 * valueNoise(p, 30, a.seed + 21) + 0.25 * valueNoise(p, 9, a.seed + 22));
  out[kTextureFine] = static_cast<float>(valueNoise(p, 3.1, a.seed + 23));
  out[kTextureLow] = static_cast<float>(0.6 * valueNoise(p, 38, a.seed + 24) + 0.4 * valueNoise(p, 15, a.seed + 25));
  if (cavity > 8) return;
  out[kDiaphragm] = static_cast<float>(a.diaphragmZ(p) - p.z);
  out[kLiver] = static_cast<float>(a.liver(p, cavity));
  out[kLung] = static_cast<float>(a.lung(p, cavity, vessels));
  const double effusion = a.effusionMm(p);
  if (effusion > 0.5) {
    const double aside = 18 - std::abs(p.x);  // beside the spine
    out[kFluid] = static_cast<float>(std::max({-(cavity + 0.4 + effusion), -double{out[kDiaphragm]} + 2, aside}));
  }
  if (out[kLung] > 8) return;
  const double oblique = a.obliqueFissure(p);
  out[kOblique] = static_cast<float>(oblique);
  out[kHorizontal] =
      static_cast<float>((p.x < 0 || a.leftMinorFissure) && oblique > -4 ? a.horizontalFissure(p) : kFar);
}

}  // namespace

Fields::Fields(const Anatomy& anatomy, const std::vector<Shape>& vessels, const Point3& from, const Point3& to) {
  const double step = m_grid.stepMm;
  m_grid.originMm = from - Vec3{step, step, step};
  const Vec3 extent = to - m_grid.originMm;
  m_grid.size = {static_cast<int>(extent.x / step) + 3, static_cast<int>(extent.y / step) + 3,
                 static_cast<int>(extent.z / step) + 3};
  const auto [nx, ny, nz] = m_grid.size;
  for (auto& plane : m_values) plane.resize(static_cast<size_t>(nx) * ny * nz);
  parallelFor(
      int64_t{ny} * nz,
      [&, nx = nx, ny = ny](int64_t row) {
        const double y = m_grid.originMm.y + static_cast<double>(row % ny) * step;
        const int64_t layer = row / ny;
        const double z = m_grid.originMm.z + static_cast<double>(layer) * step;
        float tissue[kFieldCount];
        for (int x = 0; x < nx; ++x) {
          sampleTissue(anatomy, vessels, anatomy.pose.toModel({m_grid.originMm.x + x * step, y, z}), tissue);
          for (int i = 0; i < kFieldCount; ++i) {
            m_values[i][static_cast<size_t>(row * nx + x)] = std::clamp(tissue[i], -kFar, kFar);
          }
        }
      },
      8);
  for (const FieldId id : {kSkin, kMuscle, kCavity, kLung, kLiver, kOblique, kHorizontal, kFluid}) normalise(id);
}

// Makes an implicit function a distance near its zero set: f / |grad f|.
void Fields::normalise(FieldId id) {
  const auto [nx, ny, nz] = m_grid.size;
  const std::vector<float> f = m_values[id];
  const auto at = [&, nx = nx, ny = ny](int x, int y, int z) { return f[(static_cast<size_t>(z) * ny + y) * nx + x]; };
  parallelFor(nz - 2, [&, nx = nx, ny = ny](int64_t slice) {
    const int z = static_cast<int>(slice) + 1;
    for (int y = 1; y < ny - 1; ++y) {
      for (int x = 1; x < nx - 1; ++x) {
        const float value = at(x, y, z);
        if (std::abs(value) > 14) continue;
        // one-sided where the other side was cut off at kFar
        const auto slope = [&](float below, float above) {
          const float up = above - value, down = value - below;
          if (std::abs(up) > 15) return std::abs(down) > 15 ? 0.0F : down;
          return std::abs(down) > 15 ? up : 0.5F * (up + down);
        };
        const float gx = slope(at(x - 1, y, z), at(x + 1, y, z)), gy = slope(at(x, y - 1, z), at(x, y + 1, z)),
                    gz = slope(at(x, y, z - 1), at(x, y, z + 1));
        const float gradient = std::sqrt(gx * gx + gy * gy + gz * gz) / static_cast<float>(m_grid.stepMm);
        m_values[id][(static_cast<size_t>(z) * ny + y) * nx + x] = value / std::clamp(gradient, 0.5F, 2.5F);
      }
    }
  });
}

void Fields::update(FieldId id, const detect::BoxMm& box, const std::function<double(const Point3&, double)>& value) {
  const double step = m_grid.stepMm;
  const Vec3 low = (box.min - m_grid.originMm) * (1 / step), high = (box.max - m_grid.originMm) * (1 / step);
  const auto first = [](double t) { return std::max(0, static_cast<int>(std::ceil(t))); };
  const auto last = [](double t, int size) { return std::min(size - 1, static_cast<int>(std::floor(t))); };
  const int x0 = first(low.x), y0 = first(low.y), z0 = first(low.z);
  const int x1 = last(high.x, m_grid.size.x), y1 = last(high.y, m_grid.size.y), z1 = last(high.z, m_grid.size.z);
  if (z1 < z0) return;
  parallelFor(z1 - z0 + 1, [&](int64_t slice) {
    const int z = z0 + static_cast<int>(slice);
    for (int y = y0; y <= y1; ++y) {
      for (int x = x0; x <= x1; ++x) {
        float& at = m_values[id][(static_cast<size_t>(z) * m_grid.size.y + y) * m_grid.size.x + x];
        at = static_cast<float>(value(m_grid.originMm + Vec3{x * step, y * step, z * step}, at));
      }
    }
  });
}

void Fields::occupy(const Shape& shape) {
  const Vec3 near{32, 32, 32};  // no nodule reaches farther
  const detect::BoxMm box = shape.bounds();
  update(kOccupied, {box.min - near, box.max + near},
         [&](const Point3& p, double old) { return std::min(old, shape.distance(p)); });
}

detect::BoxMm Fields::bounds() const {
  const image::Int3& n = m_grid.size;
  return {m_grid.originMm, m_grid.originMm + Vec3{n.x - 1.0, n.y - 1.0, n.z - 1.0} * m_grid.stepMm};
}

double Fields::sample(FieldId id, const Point3& p) const {
  const Cell x = locate(p.x, m_grid.originMm.x, m_grid.stepMm, m_grid.size.x);
  const Cell y = locate(p.y, m_grid.originMm.y, m_grid.stepMm, m_grid.size.y);
  const Cell z = locate(p.z, m_grid.originMm.z, m_grid.stepMm, m_grid.size.z);
  const float* v = m_values[id].data();
  const auto row = [&](int dy, int dz) {
    const size_t i = (static_cast<size_t>(z.index + dz) * m_grid.size.y + y.index + dy) * m_grid.size.x + x.index;
    return mix(v[i], v[i + 1], x.weight);
  };
  return mix(mix(row(0, 0), row(1, 0), y.weight), mix(row(0, 1), row(1, 1), y.weight), z.weight);
}

void Fields::line(FieldId id, double py, double pz, float* out) const {
  const Cell y = locate(py, m_grid.originMm.y, m_grid.stepMm, m_grid.size.y);
  const Cell z = locate(pz, m_grid.originMm.z, m_grid.stepMm, m_grid.size.z);
  const auto rowOf = [&](int dy, int dz) {
    return m_values[id].data() + (static_cast<size_t>(z.index + dz) * m_grid.size.y + y.index + dy) * m_grid.size.x;
  };
  const float *a = rowOf(0, 0), *b = rowOf(1, 0), *c = rowOf(0, 1), *d = rowOf(1, 1);
  const auto wy = static_cast<float>(y.weight), wz = static_cast<float>(z.weight);
  const float wa = (1 - wy) * (1 - wz), wb = wy * (1 - wz), wc = (1 - wy) * wz, wd = wy * wz;
  for (int x = 0; x < m_grid.size.x; ++x) out[x] = wa * a[x] + wb * b[x] + wc * c[x] + wd * d[x];
}

}  // namespace lynceus::phantom
