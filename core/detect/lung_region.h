// Where to search for lung lesions: the lungs with a wide band around them, without trachea, bowel and outside air.
#pragma once

#include <optional>

#include "core/image/volume.h"

namespace lynceus::detect {

/// Where lesions are searched.
enum class Region { lung, whole };

/// The mask lies on a coarse grid of its own (about 3 mm) over the extent of the volume, up to 1.5 mm less at the far
/// ends.
struct LungRegion {
  image::Mask mask;         ///< where a lesion's centre may lie
  double lungVolumeMl = 0;  ///< of the aerated lung inside
};

/// Air that survives an opening with a ball wider than the trachea and is neither the room nor gas below the diaphragm,
/// grown by a band that reaches lesions at the pleura, and what has lung on both sides: masses and the mediastinum.
/// @return nothing where less than 200 ml of lung is found: then the whole volume must be searched.
std::optional<LungRegion> findLungRegion(const image::Volume& volume);

}  // namespace lynceus::detect
