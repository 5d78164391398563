#include "core/phantom/nodule.h"

#include <numbers>

namespace lynceus::phantom {

double NoduleBody::distance(const Point3& p, double scale) const {
  const Vec3 d = p - centreMm;
  const Vec3 q = Vec3{dot(d, axes[0]) / stretch.x, dot(d, axes[1]) / stretch.y, dot(d, axes[2]) / stretch.z} *
                 (1 / (radiusMm * scale));
  const double length = norm(q);
  const Vec3 unit = normalized(q);
  double f = length - 1;
  if (!balls.empty()) {
    f = 1e9;
    for (const Ball& ball : balls) f = smoothMin(f, norm(q - ball.at) - ball.radius, 0.18);
  }
  if (std::abs(f) < 1.2) {  // details of the surface do not matter elsewhere
    for (const Lobe& lobe : lobes) f -= lobe.height * std::exp(lobe.sharpness * (dot(unit, lobe.direction) - 1));
    for (const Facet& facet : facets) f = smoothMax(f, dot(q, facet.normal) - facet.offset, 0.25);
    if (roughness > 0) {
      f -= roughness * (valueNoise(q, 0.55, roughnessKey) + 0.4 * valueNoise(q, 0.22, roughnessKey + 1));
    }
  }
  // along the ray the distance is stretched by |d| / |q|
  return f * (length > 1e-9 ? norm(d) / length : radiusMm * scale);
}

double NoduleBody::reachMm() const {
  double r = 1;
  for (const Ball& ball : balls) r = std::max(r, norm(ball.at) + ball.radius + 0.05);
  r += 1.4 * roughness;
  for (const Lobe& lobe : lobes) r += std::max(0.0, lobe.height);
  return radiusMm * std::max({stretch.x, stretch.y, stretch.z}) * r;
}

double Nodule::freeDistance(const Point3& p, double lung) const {
  const double d = body.distance(p);
  return filletMm > 0 && lung < 0 ? smoothMin(d, -lung, filletMm) : d;
}

double Nodule::distance(const Point3& p, const Fields& fields) const {
  const double lung = fields.sample(kLung, p);
  return std::max(freeDistance(p, lung), lung - invasionMm);
}

double Nodule::coreDistance(const Point3& p) const {
  double d = 1e9;
  for (const Core& core : cores) {
    const Vec3 off = p - body.centreMm - core.shiftMm;
    const double rough = 0.3 * valueNoise(off, 0.8 * core.radiusMm + 0.5, textureKey + 3);
    d = smoothMin(d, norm(off) - core.radiusMm * (1 + rough), 1);
  }
  return d;
}

namespace {

double blendInclusions(const Nodule& n, const Point3& p, double hu) {
  for (const Shape& s : n.inclusions) hu = mix(hu, s.hu, s.opacity * clamp01(0.5 - s.distance(p) / 0.8));
  return hu;
}

}  // namespace

double Nodule::groundGlassHu(const Point3& p) const {
  const double scale = std::max(2.0, 0.35 * body.radiusMm);
  const double haze = 0.65 * valueNoise(p, scale, textureKey) + 0.45 * valueNoise(p, 1.7, textureKey + 2);
  return blendInclusions(*this, p, (texture == Texture::partSolid ? haloHu : hu) + hazeHu * haze);
}

double Nodule::solidHu(const Point3& p) const {
  double h = hu;
  if (unevenHu > 0) h += unevenHu * (valueNoise(p, unevenMm, textureKey) + 0.5 * valueNoise(p, 1.4, textureKey + 1));
  if (!shells.empty()) {
    const double depth = -body.distance(p);
    for (const double shell : shells) h = mix(h, calciumHu, clamp01(1.4 - std::abs(depth - shell) / 0.7));
  }
  h = blendInclusions(*this, p, h);
  if (cavityScale > 0) {
    const double d = body.distance(p - cavityShiftMm, cavityScale) + 0.8 * valueNoise(p, 3, textureKey + 4);
    h = mix(h, -960, clamp01(0.5 - d / 0.8));
  }
  return h;
}

double Nodule::huAt(const Point3& p) const {
  if (texture == Texture::solid || (texture == Texture::partSolid && coreDistance(p) <= 0)) return solidHu(p);
  return groundGlassHu(p);
}

namespace {

// The widest extent of a set of points in one axial plane, by projection on directions two degrees apart, and the
// extent across it.
struct PlaneExtent {
  static constexpr int kDirections = 90;
  double low[kDirections], high[kDirections];
  Point3 lowAt[kDirections], highAt[kDirections];

  PlaneExtent() {
    std::fill(std::begin(low), std::end(low), 1e9);
    std::fill(std::begin(high), std::end(high), -1e9);
  }
  void add(const Point3& p) {
    for (int i = 0; i < kDirections; ++i) {
      const double angle = i * std::numbers::pi / kDirections;
      const double t = p.x * std::cos(angle) + p.y * std::sin(angle);
      if (t < low[i]) low[i] = t, lowAt[i] = p;
      if (t > high[i]) high[i] = t, highAt[i] = p;
    }
  }
  int widest() const {
    int best = 0;
    for (int i = 1; i < kDirections; ++i) {
      if (high[i] - low[i] > high[best] - low[best]) best = i;
    }
    return best;
  }
};

double fineStep(const Nodule& nodule) { return std::clamp(nodule.body.radiusMm / 16, 0.12, 1.0); }

}  // namespace

void measureNodule(Nodule& n, const Fields& fields) {
  const double step = fineStep(n), reach = n.reachMm();
  const int half = static_cast<int>(std::ceil(reach / step)) + 1;
  double count = 0, sumHu = 0, sumHu2 = 0;
  Vec3 sum;
  n.boxMm = {{1e9, 1e9, 1e9}, {-1e9, -1e9, -1e9}};
  n.longAxisMm = 0;
  for (int k = -half; k <= half; ++k) {
    PlaneExtent extent;
    bool any = false;
    for (int j = -half; j <= half; ++j) {
      Point3 first, last;
      bool anyInRow = false;
      for (int i = -half; i <= half; ++i) {
        const Point3 p = n.body.centreMm + Vec3{i * step, j * step, k * step};
        if (n.distance(p, fields) > 0) continue;
        const double hu = n.huAt(p);
        ++count;
        sum = sum + p;
        sumHu += hu;
        sumHu2 += hu * hu;
        n.boxMm.min = {std::min(n.boxMm.min.x, p.x), std::min(n.boxMm.min.y, p.y), std::min(n.boxMm.min.z, p.z)};
        n.boxMm.max = {std::max(n.boxMm.max.x, p.x), std::max(n.boxMm.max.y, p.y), std::max(n.boxMm.max.z, p.z)};
        if (!anyInRow) first = p;
        last = p;
        anyInRow = true;
      }
      if (!anyInRow) continue;
      any = true;
      extent.add(first);  // the ends of a row carry its extremes in every direction
      extent.add(last);
    }
    if (!any) continue;
    const int i = extent.widest(), across = (i + PlaneExtent::kDirections / 2) % PlaneExtent::kDirections;
    if (extent.high[i] - extent.low[i] <= n.longAxisMm - step) continue;
    n.longAxisMm = extent.high[i] - extent.low[i] + step;
    n.shortAxisMm = extent.high[across] - extent.low[across] + step;
    n.longAxisEndsMm[0] = extent.lowAt[i], n.longAxisEndsMm[1] = extent.highAt[i];
    n.shortAxisEndsMm[0] = extent.lowAt[across], n.shortAxisEndsMm[1] = extent.highAt[across];
  }
  if (count == 0) return;
  const Vec3 border{step / 2, step / 2, step / 2};
  n.boxMm = {n.boxMm.min - border, n.boxMm.max + border};
  n.centreMm = sum * (1 / count);
  n.volumeMm3 = count * step * step * step;
  n.diameterMm = std::cbrt(6 * n.volumeMm3 / std::numbers::pi);
  n.meanHu = sumHu / count;
  n.sdHu = std::sqrt(std::max(0.0, sumHu2 / count - n.meanHu * n.meanHu));
}

detect::RunLengthMask maskOf(const Nodule& n, const Fields& fields, const image::Geometry& g) {
  detect::RunLengthMask mask;
  const Vec3 low = g.toIndex(n.boxMm.min), high = g.toIndex(n.boxMm.max);
  const auto first = [](double v) { return std::max(0, static_cast<int>(std::floor(v))); };
  const auto last = [](double v, int size) { return std::min(size - 1, static_cast<int>(std::ceil(v))); };
  for (int z = first(low.z); z <= last(high.z, g.size.z); ++z) {
    for (int y = first(low.y); y <= last(high.y, g.size.y); ++y) {
      for (int x = first(low.x); x <= last(high.x, g.size.x); ++x) {
        if (n.distance(g.toPatient({double(x), double(y), double(z)}), fields) > 0) continue;
        const int64_t offset = g.offset(x, y, z);
        if (!mask.runs.empty() && mask.runs.back().offset + mask.runs.back().length == offset) {
          ++mask.runs.back().length;
        } else {
          mask.runs.push_back({offset, 1});
        }
      }
    }
  }
  return mask;
}

}  // namespace lynceus::phantom
