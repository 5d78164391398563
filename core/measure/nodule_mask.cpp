#include "core/measure/nodule_mask.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "core/image/components.h"
#include "core/image/morphology.h"
#include "core/image/resample.h"

namespace lynceus::measure {

namespace {

using image::Geometry;
using image::Image;
using image::Int3;
using image::Mask;
using image::Point3;
using image::Vec3;

/// What is known about the nodule besides the voxels.
struct Seed {
  Point3 centerMm;
  double diameterMm;
};

/// The block of source voxels within `reachMm` of the seed, clipped to the volume.
std::optional<image::IndexBox> blockAround(const Geometry& g, const Point3& centerMm, double reachMm) {
  const Vec3 c = g.toIndex(centerMm);
  const auto range = [&](double at, double spacingMm, int size, int& first, int& count) {
    first = std::max(0, static_cast<int>(std::floor(at - reachMm / spacingMm)));
    count = std::min(size - 1, static_cast<int>(std::ceil(at + reachMm / spacingMm))) - first + 1;
    return count > 0 && at > -0.5 && at < size - 0.5;
  };
  image::IndexBox box;
  const bool inside = range(c.x, g.spacingMm.x, g.size.x, box.first.x, box.size.x) &&
                      range(c.y, g.spacingMm.y, g.size.y, box.first.y, box.size.y) &&
                      range(c.z, g.spacingMm.z, g.size.z, box.first.z, box.size.z);
  return inside ? std::optional(box) : std::nullopt;
}

/// Calls use(offset, distance to the seed in mm) for each voxel within radiusMm of it.
template <class Use>
void forBall(const Geometry& g, const Point3& centerMm, double radiusMm, const Use& use) {
  const Vec3 c = g.toIndex(centerMm);
  for (int z = 0; z < g.size.z; ++z) {
    for (int y = 0; y < g.size.y; ++y) {
      for (int x = 0; x < g.size.x; ++x) {
        const double d = g.spacingMm.x * norm(Vec3{x - c.x, y - c.y, z - c.z});
        if (d <= radiusMm) use(static_cast<size_t>(g.offset(x, y, z)), d);
      }
    }
  }
}

float percentile(std::vector<float>& values, double fraction) {
  const auto at = values.begin() + static_cast<int64_t>(fraction * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

/// Binomial (1 2 1) / 4 along each axis.
void smooth(Image<float>& img) {
  const Int3 n = img.geometry.size;
  const int64_t stride[3] = {1, n.x, int64_t{n.x} * n.y};
  const int count[3] = {n.x, n.y, n.z};
  for (int a = 0; a < 3; ++a) {
    const std::vector<float> in = img.voxels;
    const auto at = [&](int64_t i) { return in[static_cast<size_t>(i)]; };
    for (int64_t start = 0; start < img.geometry.voxelCount(); start += stride[a] * count[a]) {
      for (int k = 0; k < count[a]; ++k) {
        const int64_t below = k > 0 ? stride[a] : 0, above = k + 1 < count[a] ? stride[a] : 0;
        for (int64_t i = start + k * stride[a]; i < start + (k + 1) * stride[a]; ++i) {
          img.voxels[static_cast<size_t>(i)] = 0.25F * at(i - below) + 0.5F * at(i) + 0.25F * at(i + above);
        }
      }
    }
  }
}

struct Levels {
  double coreHu, lungHu;
  /// Half-way is the edge of a large object behind a symmetric blur. A little lower makes up for what smoothing and
  /// opening take from curved surfaces: balls of 6 to 40 mm then have their volume within 3 %.
  double thresholdHu() const { return lungHu + 0.43 * (coreHu - lungHu); }
};

Levels findLevels(const Image<float>& hu, const Seed& seed) {
  std::vector<float> core, lung;
  forBall(hu.geometry, seed.centerMm, 0.3 * seed.diameterMm + 0.75,
          [&](size_t i, double) { core.push_back(hu.voxels[i]); });
  for (const float v : hu.voxels) {
    if (v > -1000 && v < -600) lung.push_back(v);
  }
  constexpr double kUsualLungHu = -860;
  // Calcium must not push the border of a nodule inwards.
  constexpr double kSoftTissueHu = 60;
  // Around an inexact seed of a small nodule more of the ball is lung.
  const double coreRank = 1 - 0.25 * std::min(1.0, seed.diameterMm / 7);
  const bool enough = lung.size() * 50 > hu.voxels.size();
  return {std::min<double>(percentile(core, coreRank), kSoftTissueHu), enough ? percentile(lung, 0.5) : kUsualLungHu};
}

/// Removes from `tissue` what a ball much larger than the nodule fits into: chest wall, mediastinum, diaphragm. What
/// stands out from them stays. Nothing is removed if that would take more than a quarter of the tissue
/// at the seed: then the nodule is larger than estimated.
void removeBulk(Mask& tissue, const Seed& seed) {
  const Image<float> depth = distanceMm(tissue, 0);
  const double radiusMm = 0.5 * seed.diameterMm * 1.35 + 1;
  Mask bulk(tissue.geometry);
  for (size_t i = 0; i < bulk.voxels.size(); ++i) bulk.voxels[i] = depth.voxels[i] > radiusMm ? 1 : 0;
  const Image<float> toBulk = distanceMm(bulk, 1);
  const double back = radiusMm + 0.5 * tissue.geometry.spacingMm.x;
  Mask rest = tissue;
  for (size_t i = 0; i < rest.voxels.size(); ++i) {
    if (toBulk.voxels[i] <= back) rest.voxels[i] = 0;
  }
  int before = 0, after = 0;
  forBall(rest.geometry, seed.centerMm, 0.25 * seed.diameterMm + 0.5, [&](size_t i, double) {
    before += tissue.voxels[i];
    after += rest.voxels[i];
  });
  if (4 * after >= 3 * before) tissue = std::move(rest);
}

/// The voxel deepest inside the mask near the seed; deeper is better, farther from the seed is worse.
std::optional<size_t> anchor(const Image<float>& depth, const Seed& seed) {
  std::optional<size_t> best;
  double bestValue = -std::numeric_limits<double>::infinity();
  forBall(depth.geometry, seed.centerMm, 0.3 * seed.diameterMm + 1.5, [&](size_t i, double d) {
    const double value = std::min<double>(depth.voxels[i], 0.5 * seed.diameterMm) - 0.5 * d;
    if (depth.voxels[i] <= 0 || value <= bestValue) return;
    best = i;
    bestValue = value;
  });
  return best;
}

/// The part of `mask` that is connected to the voxel `at`.
Mask connectedTo(const Mask& mask, size_t at) {
  const image::Components parts = labelComponents(mask, image::Connectivity::faces6);
  const int32_t label = parts.labels.voxels[at];
  Mask out(mask.geometry);
  for (size_t i = 0; i < out.voxels.size(); ++i) out.voxels[i] = label != 0 && parts.labels.voxels[i] == label ? 1 : 0;
  return out;
}

/// The opening of `tissue` by radiusMm, only where it connects to the anchor.
Mask openAt(const Mask& tissue, const Image<float>& depth, size_t anchorVoxel, double radiusMm) {
  Mask core(tissue.geometry);
  for (size_t i = 0; i < core.voxels.size(); ++i) core.voxels[i] = depth.voxels[i] > radiusMm ? 1 : 0;
  const Image<float> toCore = distanceMm(connectedTo(core, anchorVoxel), 1);
  // One voxel more than the erosion took gives a rough surface its detail back.
  const double back = radiusMm + tissue.geometry.spacingMm.x;
  Mask out(tissue.geometry);
  for (size_t i = 0; i < out.voxels.size(); ++i)
    out.voxels[i] = tissue.voxels[i] != 0 && toCore.voxels[i] <= back ? 1 : 0;
  return out;
}

int64_t countVoxels(const Mask& mask) { return std::count(mask.voxels.begin(), mask.voxels.end(), uint8_t{1}); }

/// Keeps what lies within radiusMm of the seed; returns the share of the mask that this removes.
double clip(Mask& mask, const Point3& centerMm, double radiusMm) {
  const int64_t before = countVoxels(mask);
  Mask kept(mask.geometry);
  forBall(mask.geometry, centerMm, radiusMm, [&](size_t i, double) { kept.voxels[i] = mask.voxels[i]; });
  mask = std::move(kept);
  return 1 - static_cast<double>(countVoxels(mask)) / static_cast<double>(before);
}

void fillHoles(Mask& mask) {
  Mask outside(mask.geometry);
  for (size_t i = 0; i < mask.voxels.size(); ++i) outside.voxels[i] = mask.voxels[i] == 0 ? 1 : 0;
  const image::Components parts = labelComponents(outside, image::Connectivity::faces6);
  const Int3 n = mask.geometry.size;
  for (size_t i = 0; i < mask.voxels.size(); ++i) {
    if (outside.voxels[i] == 0) continue;
    const image::Component& c = parts.components[static_cast<size_t>(parts.labels.voxels[i] - 1)];
    const bool touchesBorder =
        c.min.x == 0 || c.min.y == 0 || c.min.z == 0 || c.max.x == n.x - 1 || c.max.y == n.y - 1 || c.max.z == n.z - 1;
    if (!touchesBorder) mask.voxels[i] = 1;
  }
}

/// The source voxels of `block` whose centres lie in the mask (interpolated at one half).
detect::RunLengthMask toSourceGrid(const Mask& mask, const Geometry& source, const image::IndexBox& block) {
  detect::RunLengthMask out;
  const Geometry& g = mask.geometry;
  const auto inside = [&](const Vec3& index) {
    const int bx = static_cast<int>(std::floor(index.x)), by = static_cast<int>(std::floor(index.y)),
              bz = static_cast<int>(std::floor(index.z));
    double sum = 0;
    for (int k = 0; k < 8; ++k) {
      const Int3 v{bx + (k & 1), by + (k >> 1 & 1), bz + (k >> 2)};
      if (!g.contains(v) || mask.at(v.x, v.y, v.z) == 0) continue;
      sum += (1 - std::abs(v.x - index.x)) * (1 - std::abs(v.y - index.y)) * (1 - std::abs(v.z - index.z));
    }
    return sum >= 0.5;
  };
  for (int z = block.first.z; z < block.first.z + block.size.z; ++z) {
    for (int y = block.first.y; y < block.first.y + block.size.y; ++y) {
      bool open = false;
      for (int x = block.first.x; x < block.first.x + block.size.x; ++x) {
        const bool in = inside(g.toIndex(source.toPatient({double(x), double(y), double(z)})));
        if (in && !open) out.runs.push_back({source.offset(x, y, z), 0});
        if (in) ++out.runs.back().length;
        open = in;
      }
    }
  }
  return out;
}

}  // namespace

Expected<detect::RunLengthMask> segmentNodule(const image::Volume& volume, const Point3& centerMm, double diameterMm) {
  const Geometry& source = volume.geometry();
  const Seed seed{centerMm, std::clamp(diameterMm, 2.0, 100.0)};
  const double reachMm = std::min(60.0, seed.diameterMm + 6);
  const auto block = blockAround(source, centerMm, reachMm);
  if (!block) return makeError(ErrorCode::unsupported, "no mask: the position lies outside the volume");

  const double inPlaneMm = std::min(source.spacingMm.x, source.spacingMm.y);
  const double spacingMm = std::max(std::clamp(std::min(inPlaneMm, seed.diameterMm / 8), 0.4, 1.0), 2 * reachMm / 96);
  Image<float> hu = resampleLinear(volume, isotropicGeometry(source, spacingMm, *block));
  if (seed.diameterMm > 6) smooth(hu);
  const Levels levels = findLevels(hu, seed);
  if (levels.coreHu - levels.lungHu < 120) {
    return makeError(ErrorCode::unsupported, "no mask: the position is only {:.0f} HU denser than the lung around it",
                     levels.coreHu - levels.lungHu);
  }

  Mask tissue(hu.geometry);
  for (size_t i = 0; i < tissue.voxels.size(); ++i) tissue.voxels[i] = hu.voxels[i] >= levels.thresholdHu() ? 1 : 0;
  removeBulk(tissue, seed);
  const Image<float> depth = distanceMm(tissue, 0);
  const auto start = anchor(depth, seed);
  if (!start) return makeError(ErrorCode::unsupported, "no mask: there is no tissue at the position");

  constexpr double kMostLeaked = 0.02;
  const double limitMm = 0.5 * seed.diameterMm * 1.5 + 1.5;
  Mask best;
  double removed = 1;
  for (double radiusMm = std::clamp(0.1 * seed.diameterMm, 0.5, 2.0); radiusMm < 0.5 * seed.diameterMm;
       radiusMm *= 1.25) {
    if (depth.voxels[*start] <= radiusMm) break;
    Mask candidate = openAt(tissue, depth, *start, radiusMm);
    const double share = clip(candidate, centerMm, limitMm);
    if (share < removed) {
      removed = share;
      best = std::move(candidate);
    }
    if (removed < kMostLeaked) break;
  }
  if (best.voxels.empty()) {
    best = connectedTo(tissue, *start);
    removed = clip(best, centerMm, limitMm);
  }
  if (removed > kMostLeaked) clip(best, centerMm, 0.5 * seed.diameterMm * 1.25 + 1);
  // A region of which little fits into the size estimate has no border of its own there.
  constexpr double kMostCut = 0.8;
  if (removed > kMostCut) {
    return makeError(ErrorCode::unsupported,
                     "no mask: the tissue at the position has no border near {:.0f} mm diameter", seed.diameterMm);
  }
  best = connectedTo(best, *start);
  fillHoles(best);
  detect::RunLengthMask mask = toSourceGrid(best, source, *block);
  if (mask.runs.empty()) return makeError(ErrorCode::unsupported, "no mask: the nodule is smaller than a voxel");
  return mask;
}

}  // namespace lynceus::measure
