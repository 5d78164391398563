#include "core/detect/lung_region.h"

#include <algorithm>

#include "core/image/components.h"
#include "core/image/morphology.h"
#include "core/image/resample.h"

namespace lynceus::detect {
namespace {

using image::Mask;

constexpr double kGridMm = 3;
constexpr float kLungBelowHu = -400;     // between aerated lung (about -850) and soft tissue
constexpr float kOutsideBelowHu = -920;  // room air is -1000; lung that the field of view cuts off is not
constexpr float kGasBelowHu = -960;      // stomach and bowel; the inside of emphysema stays above
constexpr double kMostGasMl = 1000;
constexpr double kOpeningMm = 11;  // a trachea is up to 10 mm in radius
constexpr double kBandMm = 18;     // from aerated lung to the middle of a pleural lesion of 36 mm
constexpr double kGapMm = 30;      // from lung on one side of a mass or of the mediastinum to its middle
constexpr double kLeastLungMl = 200;
constexpr double kLeastPartMl = 50;

bool touchesSides(const image::Component& c, const image::Int3& size) {
  return c.min.x == 0 || c.min.y == 0 || c.max.x == size.x - 1 || c.max.y == size.y - 1;
}

/// Aerated lung without its outer kOpeningMm: air that is neither trachea or bronchi, which are thinner, nor the room
/// around the patient nor gas below the diaphragm, which weigh nothing.
Mask lungCore(const image::Image<float>& hu) {
  Mask air(hu.geometry);
  for (size_t i = 0; i < air.voxels.size(); ++i) air.voxels[i] = hu.voxels[i] < kLungBelowHu;
  const image::Components parts = image::labelComponents(air, image::Connectivity::faces6);
  Mask core = image::erode(air, kOpeningMm);
  // By what most of the voxels are: those at the surface are half tissue, and around a patient there are many.
  struct Inside {
    int64_t voxels = 0, outside = 0, gas = 0;
  };
  std::vector<Inside> inside(parts.components.size());
  const auto labelOf = [&](size_t i) { return static_cast<size_t>(parts.labels.voxels[i] - 1); };
  for (size_t i = 0; i < core.voxels.size(); ++i) {
    if (!core.voxels[i]) continue;
    Inside& part = inside[labelOf(i)];
    ++part.voxels;
    part.outside += hu.voxels[i] < kOutsideBelowHu;
    part.gas += hu.voxels[i] < kGasBelowHu;
  }
  std::vector<bool> lung(parts.components.size());
  for (size_t c = 0; c < lung.size(); ++c) {
    const image::Component& part = parts.components[c];
    const bool small = static_cast<double>(part.voxels) * hu.geometry.voxelVolumeMm3() < kMostGasMl * 1000;
    const bool room = touchesSides(part, hu.geometry.size) && 2 * inside[c].outside > inside[c].voxels;
    lung[c] = !room && !(small && 2 * inside[c].gas > inside[c].voxels);
  }
  for (size_t i = 0; i < core.voxels.size(); ++i) {
    if (core.voxels[i] && !lung[labelOf(i)]) core.voxels[i] = 0;
  }
  return core;
}

/// The parts of a mask that are large enough to be lung.
Mask largeParts(const Mask& mask) {
  const image::Components parts = image::labelComponents(mask, image::Connectivity::faces6);
  const double voxelMl = mask.geometry.voxelVolumeMm3() / 1000;
  Mask out(mask.geometry);
  for (size_t i = 0; i < out.voxels.size(); ++i) {
    const int label = parts.labels.voxels[i];
    out.voxels[i] =
        label > 0 &&
        static_cast<double>(parts.components[static_cast<size_t>(label - 1)].voxels) * voxelMl >= kLeastPartMl;
  }
  return out;
}

/// Voxels within a distance, none of them on the border of the image: an erosion then does not take what lies beyond
/// for inside.
Mask withinButBorder(const image::Image<float>& distanceMm, double mostMm) {
  const image::Int3 size = distanceMm.geometry.size;
  Mask out(distanceMm.geometry);
  for (int z = 1; z < size.z - 1; ++z) {
    for (int y = 1; y < size.y - 1; ++y) {
      for (int x = 1; x < size.x - 1; ++x) out.at(x, y, z) = distanceMm.at(x, y, z) <= mostMm;
    }
  }
  return out;
}

/// Without the voxels whose centres lie beyond the volume: they would be a sheet of air that joins lung and room.
image::Geometry coarseGrid(const image::Geometry& volume) {
  image::Geometry grid = image::isotropicGeometry(volume, kGridMm);
  const auto fit = [](int& count, int voxels, double spacingMm) {
    if ((count - 0.5) * kGridMm > voxels * spacingMm && count > 1) --count;
  };
  fit(grid.size.x, volume.size.x, volume.spacingMm.x);
  fit(grid.size.y, volume.size.y, volume.spacingMm.y);
  fit(grid.size.z, volume.size.z, volume.spacingMm.z);
  return grid;
}

}  // namespace

std::optional<LungRegion> findLungRegion(const image::Volume& volume) {
  const image::Image<float> coarse = image::resampleLinear(volume, coarseGrid(volume.geometry()));
  // Distances from the core: up to kOpeningMm is the opened lung, the band lies around that.
  const image::Image<float> distance = image::distanceMm(largeParts(lungCore(coarse)), 1);
  const auto lungVoxels = std::count_if(distance.voxels.begin(), distance.voxels.end(),
                                        [](float d) { return d <= static_cast<float>(kOpeningMm); });
  const double lungMl = static_cast<double>(lungVoxels) * coarse.geometry.voxelVolumeMm3() / 1000;
  if (lungMl < kLeastLungMl) return std::nullopt;
  // Grown by the gap and shrunk to the band: what has lung on both sides stays filled.
  Mask region = image::erode(withinButBorder(distance, kOpeningMm + kGapMm), kGapMm - kBandMm);
  for (size_t i = 0; i < region.voxels.size(); ++i) {
    if (distance.voxels[i] <= kOpeningMm + kBandMm) region.voxels[i] = 1;
  }
  return LungRegion{std::move(region), lungMl};
}

}  // namespace lynceus::detect
