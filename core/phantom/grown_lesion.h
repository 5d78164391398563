// Lesions of the second kind: grown cell by cell on a fine grid. They test detectors that learned from the first kind
// (nodule.h), so shape, density, truth and drawing are written apart from it: only the place in the lung is chosen by
// the same rules.
#pragma once

#include "core/image/volume.h"
#include "core/phantom/lesion.h"
#include "core/phantom/lesion_site.h"

namespace lynceus::phantom {

struct GrownLesion : Lesion {
  enum Cell : uint8_t { kEmpty, kHaze, kSolid };

  Point3 cornerMm;  ///< of the first cell: cell (i, j, k) begins at cornerMm + (i, j, k) * cellMm
  double cellMm = 0.3;
  image::Int3 size;
  std::vector<uint8_t> body;  ///< 1 where the truth says lesion
  std::vector<uint8_t> kind;  ///< Cell: haze lies under the vessels, solid tissue over them
  std::vector<float> cover;   ///< share of the cell that is covered, strands included
  std::vector<int16_t> hu;    ///< of what covers it
  double hazeHu = -600;       ///< of the haze in which solid cells lie, where the lesion is part-solid

  size_t at(int i, int j, int k) const {
    return (static_cast<size_t>(k) * static_cast<size_t>(size.y) + static_cast<size_t>(j)) *
               static_cast<size_t>(size.x) +
           static_cast<size_t>(i);
  }
  Point3 middleOf(int i, int j, int k) const { return cornerMm + Vec3{i + 0.5, j + 0.5, k + 0.5} * cellMm; }
};

/// What a lesion shall become; growth fills in the rest.
struct GrowthPlan {
  GrownLesion words;  ///< texture, margin and so on; no cells
  Point3 seedMm;
  double diameterMm = 8;
  double reachMm = 8;     ///< it stays within this distance of the seed
  double elongation = 0;  ///< length of the line (or radius of the disc) that it starts from, in diameters
  Vec3 axis{0, 0, 1};
  bool disc = false;  ///< starts from a disc across the axis, not from a line along it
  double creep = 0;   ///< how much faster it spreads along pleura, fissure or vessel
  std::optional<Shape> vessel;
  uint64_t key = 0;
  bool contrast = false;
};

/// Grows the lesion of a plan and measures it. One thread.
GrownLesion growLesion(const GrowthPlan& plan, const LesionSites& sites);

/// Places and grows lesions that do not overlap. Runs on all threads; the bits do not depend on how many.
std::vector<GrownLesion> growLesions(const Anatomy& anatomy, const Fields& fields, const Scene& scene,
                                     const LesionRequest& request);

/// Fills the truth, all but the mask, by counting cells.
void measureCells(GrownLesion& g);

/// Voxels of `geometry` (axial, axes as LPS) whose centre lies in a cell of the body.
detect::RunLengthMask maskOf(const GrownLesion& g, const image::Geometry& geometry);

/// A plane of voxels of some thickness that a lesion is drawn into.
struct PlaneView {
  float* hu;
  const image::Geometry& geometry;
  double z, thicknessMm;
};

/// Draws what lies under the vessels (haze) or over them (solid): each cell by its exact share in each voxel.
void layInto(const PlaneView& plane, const GrownLesion& g, GrownLesion::Cell kind);

}  // namespace lynceus::phantom
