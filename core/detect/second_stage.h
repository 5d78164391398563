// The second stage: another network looks at a crop around each candidate and says how much it looks like a lesion.
#pragma once

#include "core/detect/decode.h"
#include "core/detect/network.h"
#include "core/image/volume.h"
#include "core/job/context.h"

namespace lynceus::detect {

/// Crops that go through the network together; with test-time augmentation those of one candidate.
inline constexpr int64_t kBatch = 8;

/// Writes a cube of rules.cropVoxels voxels of rules.spacingMm to `crop`, x fastest: its centre is `centerMm` (LPS),
/// its axes are the volume's, HU are mapped to 0..1 by the window of `pre`. It is resampled from the volume itself, so
/// that it depends on nothing else. What lies outside the volume is 0, the window's low end. Any thread.
Expected<void> cropInput(const image::Volume& volume, const image::Point3& centerMm, const model::SecondStage& rules,
                         const model::Preprocessing& pre, float* crop);

/// Sets secondLogit of every candidate: logit of "lesion" minus logit of "not", with `tta` the mean over the eight
/// mirror images of the crop. Crops go through the network in batches of one size, the last one filled up with zeros,
/// so that the bits do not depend on how many candidates there are.
/// @param grid  what the candidates' centres are indices of.
/// @return ErrorCode::cancelled, asked before each batch; an error where the network's output is not N x 2.
Expected<void> classify(Network& network, compute::Device& device, const image::Volume& volume,
                        const image::Geometry& grid, const model::Package& package, compute::Precision precision,
                        bool tta, const job::Context& context, std::vector<Candidate>& candidates);

}  // namespace lynceus::detect
