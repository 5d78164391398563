// Connected components of a mask.
#pragma once

#include <cstdint>
#include <vector>

#include "core/image/volume.h"

namespace lynceus::image {

/// Which voxels touch: those that share a face, or also those that share an edge or a corner.
enum class Connectivity { faces6, corners26 };

struct Component {
  int64_t voxels = 0;
  Int3 min, max;       ///< box of voxel indices, both inclusive
  Vec3 centroidIndex;  ///< mean voxel index
};

struct Components {
  Image<int32_t> labels;              ///< 0 outside, else 1 + the position in `components`
  std::vector<Component> components;  ///< in memory order of their first voxels
};

/// Non-zero voxels are inside. Any thread; the same mask gives the same labels. Fewer than 2^31 components.
Components labelComponents(const Mask& mask, Connectivity connectivity);

}  // namespace lynceus::image
