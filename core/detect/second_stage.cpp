#include "core/detect/second_stage.h"

#include <algorithm>
#include <cmath>

#include "core/detect/mirror.h"
#include "core/detect/tile_input.h"
#include "core/image/resample.h"
#include "core/parallel.h"

namespace lynceus::detect {
namespace {

using image::Geometry;
using image::Volume;

/// One axis of a crop: which of its voxels lie inside the volume and which voxels of the volume they are made of.
struct Span {
  int first = 0, count = 0;  ///< voxels of the crop
  double start = 0;          ///< volume index of the first of them
  int from = 0, size = 0;    ///< voxels of the volume, all that resampling reads
};

/// @param center  of the crop, a continuous index.  @param step  from crop voxel to crop voxel, in voxels.
Span spanOf(double center, double step, int cropVoxels, int volumeVoxels) {
  const double middle = (cropVoxels - 1) / 2.0;
  const auto cropIndex = [&](double index) {
    return std::clamp((index - center) / step + middle, -1.0, cropVoxels * 1.0);
  };
  Span span;
  span.first = std::max(0, static_cast<int>(std::ceil(cropIndex(-0.5))));
  span.count = std::min(cropVoxels - 1, static_cast<int>(std::floor(cropIndex(volumeVoxels - 0.5)))) + 1 - span.first;
  span.start = center + (span.first - middle) * step;
  const double reach = std::max(1.0, step) + 1;  // of resampling's filter, and one for rounding
  span.from = std::clamp(static_cast<int>(std::floor(span.start - reach)), 0, volumeVoxels - 1);
  const double last = span.start + (span.count - 1) * step;
  span.size = std::clamp(static_cast<int>(std::ceil(last + reach)), span.from, volumeVoxels - 1) - span.from + 1;
  return span;
}

/// A part of a volume as a volume of its own: resampling works through whole slices, which for a crop are wasted.
Expected<Volume> partOf(const Volume& volume, const Span& x, const Span& y, const Span& z) {
  Geometry part = volume.geometry();
  part.originMm = part.toPatient({1.0 * x.from, 1.0 * y.from, 1.0 * z.from});
  part.size = {x.size, y.size, z.size};
  std::vector<int16_t> hu;
  hu.reserve(static_cast<size_t>(part.voxelCount()));
  for (int k = z.from; k < z.from + z.size; ++k) {
    for (int j = y.from; j < y.from + y.size; ++j) {
      const auto row = volume.hu().begin() + volume.geometry().offset(x.from, j, k);
      hu.insert(hu.end(), row, row + x.size);
    }
  }
  return Volume::create(part, std::move(hu), volume.paddingHu());
}

}  // namespace

Expected<void> cropInput(const Volume& volume, const image::Point3& centerMm, const model::SecondStage& rules,
                         const model::Preprocessing& pre, float* crop) {
  const Geometry& g = volume.geometry();
  const image::Vec3 center = g.toIndex(centerMm);
  const int64_t side = rules.cropVoxels;
  const Span x = spanOf(center.x, rules.spacingMm / g.spacingMm.x, rules.cropVoxels, g.size.x);
  const Span y = spanOf(center.y, rules.spacingMm / g.spacingMm.y, rules.cropVoxels, g.size.y);
  const Span z = spanOf(center.z, rules.spacingMm / g.spacingMm.z, rules.cropVoxels, g.size.z);
  std::fill_n(crop, side * side * side, 0.0F);
  if (x.count <= 0 || y.count <= 0 || z.count <= 0) return {};
  const auto part = partOf(volume, x, y, z);
  if (!part) return passError(part);
  Geometry inside = g;
  inside.size = {x.count, y.count, z.count};
  inside.spacingMm = {rules.spacingMm, rules.spacingMm, rules.spacingMm};
  inside.originMm = g.toPatient({x.start, y.start, z.start});
  const image::Image<float> hu = image::resampleLinear(*part, inside);
  const Window window(pre);
  for (int k = 0; k < z.count; ++k) {
    for (int j = 0; j < y.count; ++j) {
      const float* row = &hu.at(0, j, k);
      std::transform(row, row + x.count, crop + ((z.first + k) * side + y.first + j) * side + x.first, window);
    }
  }
  return {};
}

Expected<void> classify(Network& network, compute::Device& device, const Volume& volume, const Geometry& grid,
                        const model::Package& package, compute::Precision precision, bool tta,
                        const job::Context& context, std::vector<Candidate>& candidates) {
  const model::SecondStage& rules = *package.secondStage;
  const int side = rules.cropVoxels, images = tta ? kMirrors : 1;
  const int64_t voxels = int64_t{side} * side * side, all = static_cast<int64_t>(candidates.size()) * images;
  const auto candidateOf = [&](int64_t i) -> Candidate& { return candidates[static_cast<size_t>(i / images)]; };
  for (int64_t first = 0; first < all; first += kBatch) {
    if (context.cancelled()) return makeError(ErrorCode::cancelled, "detection was cancelled");
    context.progress(static_cast<double>(first) / static_cast<double>(all), "second stage");
    nn::Tensor batch = nn::Tensor::zeros({kBatch, 1, side, side, side});
    const int64_t count = std::min(kBatch, all - first);
    std::vector<Expected<void>> cropped(static_cast<size_t>(count));
    parallelFor(count, [&](int64_t i) {
      float* crop = batch.floats().data() + i * voxels;
      cropped[static_cast<size_t>(i)] =
          cropInput(volume, grid.toPatient(candidateOf(first + i).center), rules, package.preprocessing, crop);
      mirror(crop, {side, side, side}, static_cast<int>((first + i) % images));
    });
    for (const Expected<void>& one : cropped)
      if (!one) return one;
    const auto outputs = network.run(device, std::move(batch), precision, context);
    if (!outputs) return passError(outputs);
    if (outputs->size() != 1 || !outputs->front().tensor.isFloat() ||
        outputs->front().tensor.shape != nn::Shape{kBatch, 2}) {
      return makeError(ErrorCode::badInput, "{}: a second stage has one output of shape N x 2: not a lesion, a lesion",
                       (package.folder / rules.network).string());
    }
    const std::vector<float>& logits = outputs->front().tensor.floats();
    for (int64_t i = 0; i < count; ++i) {
      const auto at = static_cast<size_t>(2 * i);
      std::optional<double>& sum = candidateOf(first + i).secondLogit;
      sum = sum.value_or(0) + (static_cast<double>(logits[at + 1]) - static_cast<double>(logits[at])) / images;
    }
  }
  return {};
}

}  // namespace lynceus::detect
