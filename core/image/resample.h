// Bringing a CT onto another grid, such as the isotropic one a network wants.
#pragma once

#include "core/image/geometry.h"
#include "core/image/volume.h"

namespace lynceus::image {

/// A block of voxels of a grid: the first index and how many along each axis.
struct IndexBox {
  Int3 first;
  Int3 size;
};

/// The grid with cubic voxels over the same extent and axes as `source`, from the outer corner of its first voxel.
/// Where the extent is no multiple of spacingMm the last voxel reaches beyond it. Both spacings must be positive.
Geometry isotropicGeometry(const Geometry& source, double spacingMm);
/// The same over the part of `source` that `part` names.
Geometry isotropicGeometry(const Geometry& source, double spacingMm, const IndexBox& part);

/// The volume in HU at the voxel centres of `target`, wherever in patient space its grid lies.
///
/// Along an axis where the target is as fine as the source or finer: linear interpolation, equal to
/// Volume::sampleAt between voxel centres. Where it is coarser: a triangle filter whose half-width is the target's
/// spacing, the widest linear interpolation that does not alias, so thin structures fade instead of vanishing between
/// samples. The outer half voxel of the source repeats its outermost values; beyond the source's voxel edges the value
/// is kAirHu. Axes parallel to the source's (in any order and sense) take a separable path; others are sampled point by
/// point with the mean of ceil(target / source spacing) sub-samples per axis. Any thread; parallel inside, the same
/// bits for any number of threads.
Image<float> resampleLinear(const Volume& volume, const Geometry& target);

}  // namespace lynceus::image
