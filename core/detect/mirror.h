// The eight mirror images of a tile or crop: what test-time augmentation shows a network, and the way back.
#pragma once

#include "core/detect/decode.h"

namespace lynceus::detect {

/// Mirror images are numbered 0 to 7: bit 0 mirrors x, bit 1 y, bit 2 z.
inline constexpr int kMirrors = 8;

/// Reverses a block of size.x * size.y * size.z values (x fastest) in place along the axes of the mirror image.
void mirror(float* block, const image::Int3& size, int image);

/// Every channel of a float tensor N x C x D x H x W, in place; parallel inside.
void mirror(nn::Tensor& tensor, int image);

/// Turns what a network says of a mirrored tile into what it says of the tile: cells change places, and offsets and
/// box regressions change sign along the mirrored axes. Outputs that the package does not name stay as they are.
/// @return an error where a grid of cells does not cover the tile exactly: then no cell is another's mirror image.
Expected<void> mirrorBack(TileOutputs& outputs, int image, const model::Output& rules, const image::Int3& tileSize);

}  // namespace lynceus::detect
