#include "core/detect/lung_region.h"

#include "core/image/components.h"
#include "core/image/morphology.h"
#include "core/image/resample.h"

namespace lynceus::detect {
namespace {

using image::Mask;

constexpr double kGridMm = 3;
constexpr float kLungBelowHu = -400;     // between aerated lung (about -850) and soft tissue
constexpr float kOutsideBelowHu = -920;  // room air is -1000; lung that the field of view cuts off is not
constexpr double kOpeningMm = 11;        // a trachea is up to 10 mm in radius
constexpr double kBandMm = 18;           // from aerated lung to the middle of a pleural lesion of 36 mm
constexpr double kLeastLungMl = 200;
constexpr double kLeastPartMl = 50;

bool touchesSides(const image::Component& c, const image::Int3& size) {
  return c.min.x == 0 || c.min.y == 0 || c.max.x == size.x - 1 || c.max.y == size.y - 1;
}

/// Air that does not belong to the room around the patient.
Mask airInside(const image::Image<float>& hu) {
  Mask air(hu.geometry);
  for (size_t i = 0; i < air.voxels.size(); ++i) air.voxels[i] = hu.voxels[i] < kLungBelowHu;
  const image::Components parts = image::labelComponents(air, image::Connectivity::faces6);
  std::vector<double> sums(parts.components.size(), 0.0);
  for (size_t i = 0; i < air.voxels.size(); ++i) {
    if (const int label = parts.labels.voxels[i]; label > 0) sums[static_cast<size_t>(label - 1)] += hu.voxels[i];
  }
  std::vector<bool> room(parts.components.size());
  for (size_t c = 0; c < room.size(); ++c) {
    const auto& part = parts.components[c];
    room[c] = touchesSides(part, hu.geometry.size) && sums[c] / static_cast<double>(part.voxels) < kOutsideBelowHu;
  }
  for (size_t i = 0; i < air.voxels.size(); ++i) {
    if (const int label = parts.labels.voxels[i]; label > 0 && room[static_cast<size_t>(label - 1)]) air.voxels[i] = 0;
  }
  return air;
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
  // Opening removes what is thinner than a lung: trachea, bronchi, bowel gas, air around a tube.
  const Mask core = image::erode(airInside(coarse), kOpeningMm);
  const image::Components parts = image::labelComponents(core, image::Connectivity::faces6);
  const double voxelMl = coarse.geometry.voxelVolumeMm3() / 1000;
  Mask lungs(coarse.geometry);
  for (size_t i = 0; i < lungs.voxels.size(); ++i) {
    const int label = parts.labels.voxels[i];
    if (label > 0 &&
        static_cast<double>(parts.components[static_cast<size_t>(label - 1)].voxels) * voxelMl >= kLeastPartMl) {
      lungs.voxels[i] = 1;
    }
  }
  lungs = image::dilate(lungs, kOpeningMm);
  int64_t voxels = 0;
  for (const uint8_t v : lungs.voxels) voxels += v;
  const double lungMl = static_cast<double>(voxels) * voxelMl;
  if (lungMl < kLeastLungMl) return std::nullopt;
  return LungRegion{image::dilate(lungs, kBandMm), lungMl};
}

}  // namespace lynceus::detect
