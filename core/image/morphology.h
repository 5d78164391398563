// Distances and round structuring elements in millimetres, whatever the voxel spacing.
#pragma once

#include "core/image/volume.h"

namespace lynceus::image {

/// Exact Euclidean distance in mm from each voxel centre to the nearest voxel centre that is inside (non-zero) where
/// `to` is 1, or outside where `to` is 0; infinity where there is none. What lies beyond the image does not count.
/// Lower envelope of parabolas, one axis after the other (Felzenszwalb and Huttenlocher, 2012).
/// Any thread; parallel inside above a million voxels, the same bits for any number of threads.
Image<float> distanceMm(const Mask& mask, int to);

/// Voxels within radiusMm of the mask (centre to centre); a radius of 0 changes nothing.
Mask dilate(const Mask& mask, double radiusMm);
/// Voxels of the mask farther than radiusMm from everything outside it; what lies beyond the image counts as inside.
Mask erode(const Mask& mask, double radiusMm);
/// Erosion, then dilation: removes what is thinner than about twice the radius.
Mask open(const Mask& mask, double radiusMm);
/// Dilation, then erosion: fills gaps and holes narrower than about twice the radius. Near the border of the image the
/// mask may grow to it; leave a margin of the radius where that matters.
Mask close(const Mask& mask, double radiusMm);

}  // namespace lynceus::image
