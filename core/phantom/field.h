// Smooth quantities of the chest sampled on a coarse grid in patient space, to be interpolated at each voxel.
#pragma once

#include <functional>
#include <vector>

#include "core/phantom/anatomy.h"

namespace lynceus::phantom {

/// What is sampled. Distances in mm, negative inside; textures in about -1..1.
enum FieldId {
  kSkin,
  kMuscle,
  kCavity,
  kLung,
  kDiaphragm,  ///< height below the diaphragm
  kLiver,
  kOblique,
  kHorizontal,
  kTextureLow,
  kTextureFine,
  kSepta,
  kFluid,      ///< pleural effusion
  kDense,      ///< lung without air: consolidation, atelectasis
  kHaze,       ///< share of tissue added to the lung, negative where some is missing
  kHoles,      ///< emphysema, 0..1
  kReticular,  ///< fibrosis, 0..1
  kOccupied,   ///< anything drawn by disease or as a distractor: no nodule may lie in it
  kFieldCount
};

struct FieldGrid {
  Point3 originMm;
  double stepMm = 3;
  image::Int3 size;
};

class Fields {
 public:
  /// Samples the anatomy on a grid that covers the box `from`..`to` (patient, mm). Runs on all threads.
  Fields(const Anatomy& anatomy, const std::vector<Shape>& mediastinalVessels, const Point3& from, const Point3& to);

  const FieldGrid& grid() const { return m_grid; }
  /// Trilinear value at a patient point; the border value outside.
  double sample(FieldId id, const Point3& patient) const;
  /// Whether a sphere lies clear of disease and distractors, so that a nodule there is seen for what it is.
  bool hasRoom(const Point3& patient, double radiusMm) const { return sample(kOccupied, patient) > radiusMm; }
  /// The line of grid.size.x values at (y, z), interpolated in y and z.
  void line(FieldId id, double y, double z, float* out) const;

  /// Replaces the value at each grid point of the box (patient, mm) by `value(point, old)`. Runs on all threads.
  void update(FieldId id, const detect::BoxMm& box, const std::function<double(const Point3&, double)>& value);
  /// Marks the shape (patient) and what lies near it in kOccupied.
  void occupy(const Shape& shape);
  /// The box of the whole grid.
  detect::BoxMm bounds() const;

 private:
  void normalise(FieldId id);

  FieldGrid m_grid;
  std::vector<float> m_values[kFieldCount];
};

}  // namespace lynceus::phantom
