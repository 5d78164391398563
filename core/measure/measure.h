// What a radiologist reads off a lesion: volume, diameters, density.
#pragma once

#include "core/detect/finding.h"
#include "core/image/volume.h"

namespace lynceus::measure {

/// Measures the voxels of a mask on the grid of `volume`; the mask has at least one voxel and lies inside. Any thread.
///
/// Volume: voxel count times voxel volume; the diameter is that of the sphere of this volume. Mean and SD (of the
/// population) of the voxels' HU.
/// Long axis (RECIST 1.1): the longest distance within any one acquisition slice. It runs between the middles of voxel
/// borders, not between centres: so a row of n voxels is n spacings long, as it is in the patient, and a single voxel
/// is not 0 mm; corners would add up to 0.41 pixel on diagonals. Short axis: the longest chord of the convex hull of
/// that slice perpendicular to the long axis. `algorithm` stays empty: it names whoever made the mask.
detect::Measurements measure(const image::Volume& volume, const detect::RunLengthMask& mask);

}  // namespace lynceus::measure
