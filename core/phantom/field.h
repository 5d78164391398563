// Smooth quantities of the chest sampled on a coarse grid in patient space, to be interpolated at each voxel.
#pragma once

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
  /// The line of grid.size.x values at (y, z), interpolated in y and z.
  void line(FieldId id, double y, double z, float* out) const;

 private:
  void normalise(FieldId id);

  FieldGrid m_grid;
  std::vector<float> m_values[kFieldCount];
};

}  // namespace lynceus::phantom
