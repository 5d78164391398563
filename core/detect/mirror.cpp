#include "core/detect/mirror.h"

#include <algorithm>

#include "core/detect/coded_outputs.h"
#include "core/parallel.h"

namespace lynceus::detect {
namespace {

using image::Int3;

void changeSigns(nn::Tensor& tensor, int vector, int image) {
  const int64_t channels = tensor.shape[1];
  const auto cells = nn::elementCount({tensor.shape[2], tensor.shape[3], tensor.shape[4]});
  for (int64_t c = 0; c < channels; ++c) {
    const int64_t axis = c % vector;
    if (axis > 2 || (image >> axis & 1) == 0) continue;
    float* first = tensor.floats().data() + c * cells;
    std::transform(first, first + cells, first, [](float v) { return -v; });
  }
}

}  // namespace

void mirror(float* block, const Int3& size, int image) {
  const int64_t row = size.x, slice = row * size.y;
  for (int z = 0; z < size.z; ++z) {
    float* first = block + z * slice;
    if (image & 1) {
      for (int y = 0; y < size.y; ++y) std::reverse(first + y * row, first + (y + 1) * row);
    }
    if (image & 2) {
      for (int y = 0; y < size.y / 2; ++y)
        std::swap_ranges(first + y * row, first + (y + 1) * row, first + (size.y - 1 - y) * row);
    }
  }
  if (image & 4) {
    for (int z = 0; z < size.z / 2; ++z)
      std::swap_ranges(block + z * slice, block + (z + 1) * slice, block + (size.z - 1 - z) * slice);
  }
}

void mirror(nn::Tensor& tensor, int image) {
  if (image == 0) return;
  const nn::Shape& s = tensor.shape;
  const Int3 size{static_cast<int>(s[4]), static_cast<int>(s[3]), static_cast<int>(s[2])};
  const int64_t voxels = int64_t{size.x} * size.y * size.z;
  parallelFor(s[0] * s[1], [&](int64_t i) { mirror(tensor.floats().data() + i * voxels, size, image); });
}

Expected<void> mirrorBack(TileOutputs& outputs, int image, const model::Output& rules, const Int3& tileSize) {
  if (image == 0) return {};
  for (const CodedOutput& coded : codedOutputs(rules)) {
    const auto found =
        std::find_if(outputs.begin(), outputs.end(), [&](const auto& o) { return o.name == coded.name; });
    if (found == outputs.end()) continue;  // the decoder says so
    nn::Tensor& tensor = found->tensor;
    const nn::Shape& s = tensor.shape;
    if (!tensor.isFloat() || s.size() != 5 || s[0] != 1 || s[4] * coded.strideVoxels.x != tileSize.x ||
        s[3] * coded.strideVoxels.y != tileSize.y || s[2] * coded.strideVoxels.z != tileSize.z) {
      return makeError(
          ErrorCode::unsupported,
          "the cells of the network's output '{}' do not cover a tile exactly, so its mirror images cannot "
          "be averaged: run without --tta",
          coded.name);
    }
    mirror(tensor, image);
    if (coded.vector > 0) changeSigns(tensor, coded.vector, image);
  }
  return {};
}

}  // namespace lynceus::detect
