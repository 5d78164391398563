// Cutting a grid into overlapping tiles of one size, so that one compiled network serves them all.
#pragma once

#include <vector>

#include "core/image/geometry.h"

namespace lynceus::detect {

/// One tile along with the part of it that it alone answers for: cores are disjoint and cover the grid.
struct Tile {
  image::Int3 start;                ///< grid index of the tile's first voxel; the tile may reach beyond the grid
  image::Int3 coreFirst, coreLast;  ///< grid indices, coreLast exclusive
};

struct TilePlan {
  image::Int3 size;  ///< of every tile, voxels
  std::vector<Tile> tiles;
};

/// @param maxSize  per axis, a multiple of `multipleOf`.
/// @param overlap  of neighbours at least; half of it is the context that a core keeps on each side.
/// Starts and sizes are multiples of `multipleOf`, so a network with such strides sees the same phase in every tile.
TilePlan planTiles(const image::Int3& grid, int maxSize, int overlap, int multipleOf);

}  // namespace lynceus::detect
