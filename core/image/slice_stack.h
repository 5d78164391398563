// Slices that do not lie on a regular grid (gantry tilt, uneven distances) and the regular grid that holds them all:
// each slice is shifted within its plane, and between slices the values are interpolated.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/image/geometry.h"

namespace lynceus::image {

/// Offsets this close to a whole number of pixels, and weights this close to 0 or 1, count as such: copies stay exact
/// where header digits are rounded. A thousandth of a pixel or of a slice distance.
inline constexpr double kWholeTolerance = 1e-3;

/// Where the first pixel of a slice lies in the grid, in pixels; not negative.
struct PixelOffset {
  double x = 0, y = 0;
  friend bool operator==(const PixelOffset&, const PixelOffset&) = default;
};

/// A grid and how its slices come from those that exist.
struct StackPlan {
  /// Slice z of the grid: slices[below] * (1 - weightAbove) + slices[above] * weightAbove.
  struct Mix {
    size_t below = 0, above = 0;  ///< indices of slices that exist; equal where one is copied
    double weightAbove = 0;
    friend bool operator==(const Mix&, const Mix&) = default;
  };
  Geometry grid;
  std::vector<PixelOffset> offsets;  ///< of each slice that exists
  std::vector<Mix> mixes;            ///< for each slice of the grid
};

/// A grid of more than this many times the voxels of the slices that exist would be invention: an error.
inline constexpr double kMostGrowth = 4;

/// Every slice becomes a slice of the grid: the slices lie evenly along the normal, whatever their sideways shift.
/// @param slice  of one slice: size.x, size.y, spacingMm.x, spacingMm.y; of the stack: direction (orthonormal) and
/// spacingMm.z, the distance of the slices along the normal. Its origin is not used.
/// @param firstPixelsMm  LPS, ascending along the normal; at least one.
/// @return a grid with rows and columns added so that no pixel of any slice is lost, or ErrorCode::badGeometry.
Expected<StackPlan> planShear(const Geometry& slice, std::span<const Point3> firstPixelsMm);

/// The grid is even from the first slice to the last, its spacing the one nearest to slice.spacingMm.z that does so.
/// @param firstPixelsMm  as above, at distances above 0; at least two.
Expected<StackPlan> planResample(const Geometry& slice, std::span<const Point3> firstPixelsMm);

/// Shifts a slice by its offset with bilinear interpolation into a slice of the grid; outside it is fillHu, also for
/// the interpolation at its edge. HU rounded to nearest, halves up. A whole offset copies bit by bit. Any thread.
/// @param columns  of a row of `slice`; its rows follow from its size. The same for `out`.
void shiftSlice(std::span<const int16_t> slice, int columns, const PixelOffset& offset, int16_t fillHu,
                std::span<int16_t> out, int outColumns);

/// below * (1 - weightAbove) + above * weightAbove, rounded to nearest, halves up. `out` may be one of them. Any
/// thread.
void mixSlices(std::span<const int16_t> below, std::span<const int16_t> above, double weightAbove,
               std::span<int16_t> out);

}  // namespace lynceus::image
