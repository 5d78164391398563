#include "core/detect/tile_input.h"

#include <algorithm>
#include <cmath>

#include "core/image/resample.h"
#include "core/parallel.h"

namespace lynceus::detect {
namespace {

using image::Geometry;
using image::Image;
using image::Int3;
using image::Mask;
using image::Vec3;

/// The part of the volume's index space that the set voxels of a coarse mask over the same extent cover.
image::IndexBox boxOf(const Mask& mask, const Geometry& volume) {
  Int3 low = mask.geometry.size, high{-1, -1, -1};
  for (int z = 0; z < mask.geometry.size.z; ++z) {
    for (int y = 0; y < mask.geometry.size.y; ++y) {
      for (int x = 0; x < mask.geometry.size.x; ++x) {
        if (!mask.at(x, y, z)) continue;
        low = {std::min(low.x, x), std::min(low.y, y), std::min(low.z, z)};
        high = {std::max(high.x, x), std::max(high.y, y), std::max(high.z, z)};
      }
    }
  }
  const Vec3 a = volume.toIndex(mask.geometry.toPatient({low.x - 0.5, low.y - 0.5, low.z - 0.5}));
  const Vec3 b = volume.toIndex(mask.geometry.toPatient({high.x + 0.5, high.y + 0.5, high.z + 0.5}));
  const auto first = [](double v) { return std::max(0, static_cast<int>(std::floor(v + 0.5))); };
  const auto count = [](int from, double to, int size) {
    return std::clamp(static_cast<int>(std::ceil(to + 0.5)) - from, 1, size - from);
  };
  image::IndexBox box{{first(a.x), first(a.y), first(a.z)}, {}};
  box.size = {count(box.first.x, b.x, volume.size.x), count(box.first.y, b.y, volume.size.y),
              count(box.first.z, b.z, volume.size.z)};
  return box;
}

}  // namespace

Geometry networkGrid(const image::Volume& volume, const LungRegion* lungs, const model::Preprocessing& rules) {
  return lungs ? image::isotropicGeometry(volume.geometry(), rules.spacingMm, boxOf(lungs->mask, volume.geometry()))
               : image::isotropicGeometry(volume.geometry(), rules.spacingMm);
}

nn::Tensor tileInput(const Image<float>& hu, const TilePlan& plan, const Tile& tile,
                     const model::Preprocessing& rules) {
  nn::Tensor input = nn::Tensor::zeros({1, 1, plan.size.z, plan.size.y, plan.size.x});
  std::vector<float>& out = input.floats();
  const Window window(rules);
  const float air = window(image::kAirHu);
  const Int3 size = hu.geometry.size;
  parallelFor(plan.size.z, [&](int64_t tz) {
    const int z = tile.start.z + static_cast<int>(tz);
    for (int ty = 0; ty < plan.size.y; ++ty) {
      const int y = tile.start.y + ty;
      float* row = out.data() + (tz * plan.size.y + ty) * plan.size.x;
      for (int tx = 0; tx < plan.size.x; ++tx) {
        const int x = tile.start.x + tx;
        const bool inside = z < size.z && y < size.y && x < size.x;  // tiles never start before the grid
        row[tx] = inside ? window(hu.at(x, y, z)) : air;
      }
    }
  });
  return input;
}

}  // namespace lynceus::detect
