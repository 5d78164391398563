// The mask of a lung nodule, from its place and rough size.
#pragma once

#include "core/detect/finding.h"
#include "core/error.h"
#include "core/image/volume.h"

namespace lynceus::measure {

/// Names the algorithm and its version; a change that may change a mask changes the version.
inline constexpr const char* kNoduleMaskAlgorithm = "threshold-opening/1";

/// The voxels of the nodule at `centerMm` (LPS, a few millimetres off at most) of about `diameterMm`, on the grid of
/// the volume.
///
/// A region around the seed is resampled to cubic voxels and divided half-way between the nodule's core and the lung
/// around it. What hangs together with the seed then holds vessels and chest wall too. They are cut by an opening: the
/// voxels deeper than a radius are kept where they connect to the seed, and grown back by that radius. The radius
/// starts at that of small vessels and rises until the region no longer reaches beyond what the size estimate allows
/// (the idea of Kuhnigk et al., IEEE TMI 2006); what no radius cuts is cut by a sphere.
///
/// Any thread; works on at most a million voxels on the calling thread, so callers may run findings in parallel.
/// @return ErrorCode::unsupported with the reason where no credible mask exists: no contrast to the lung, nothing at
/// the seed, or a region that has no border of its own.
Expected<detect::RunLengthMask> segmentNodule(const image::Volume& volume, const image::Point3& centerMm,
                                              double diameterMm);

}  // namespace lynceus::measure
