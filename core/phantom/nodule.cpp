#include "core/phantom/nodule.h"

#include <numbers>

namespace lynceus::phantom {

std::string_view name(Texture texture) {
  constexpr std::string_view kNames[] = {"solid", "part-solid", "ground-glass"};
  return kNames[static_cast<int>(texture)];
}
std::string_view name(Margin margin) {
  constexpr std::string_view kNames[] = {"smooth", "lobulated", "spiculated"};
  return kNames[static_cast<int>(margin)];
}
std::string_view name(Attachment attachment) {
  constexpr std::string_view kNames[] = {"isolated", "juxta-pleural", "juxta-vascular"};
  return kNames[static_cast<int>(attachment)];
}

double NoduleBody::distance(const Point3& p, double scale) const {
  const Vec3 d = p - centreMm;
  const Vec3 q{dot(d, axes[0]) / stretch.x, dot(d, axes[1]) / stretch.y, dot(d, axes[2]) / stretch.z};
  const double length = norm(q);
  if (length < 1e-9) return -radiusMm * scale;
  const Vec3 unit = q * (1 / length);
  double r = 1;
  for (const Lobe& lobe : lobes) r += lobe.height * std::exp(lobe.sharpness * (dot(unit, lobe.direction) - 1));
  // along the ray the distance is stretched by |d| / |q|
  return (length - radiusMm * scale * r) * norm(d) / length;
}

double NoduleBody::reachMm() const {
  double r = 1;
  for (const Lobe& lobe : lobes) r += std::max(0.0, lobe.height);
  return radiusMm * std::max({stretch.x, stretch.y, stretch.z}) * r;
}

double Nodule::distance(const Point3& p, const Fields& fields) const {
  return std::max(body.distance(p), fields.sample(kLung, p));
}

double Nodule::groundGlassHu(const Point3& p) const {
  const double scale = std::max(2.0, 0.5 * body.radiusMm);
  return (texture == Texture::partSolid ? haloHu : hu) + 70 * valueNoise(p, scale, textureKey);
}

double Nodule::huAt(const Point3& p) const {
  if (texture == Texture::solid || (texture == Texture::partSolid && coreDistance(p) <= 0)) return hu;
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

double fineStep(const Nodule& nodule) { return std::clamp(nodule.body.radiusMm / 16, 0.12, 0.5); }

}  // namespace

void measureNodule(Nodule& n, const Fields& fields) {
  const double step = fineStep(n), reach = n.body.reachMm();
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
