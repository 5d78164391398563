// The steps that every detector shares, whatever finds its candidates: a model package or a plugin.
#pragma once

#include <chrono>
#include <optional>
#include <vector>

#include "core/detect/finding.h"
#include "core/detect/lung_region.h"
#include "core/image/volume.h"
#include "core/job/context.h"
#include "core/model/package.h"

namespace lynceus::detect {

/// Milliseconds since it was made or last asked.
class Stopwatch {
 public:
  double lap();

 private:
  std::chrono::steady_clock::time_point m_last = std::chrono::steady_clock::now();
};

/// Writes down when this is, and by which Lynceus.
void stamp(Provenance& provenance);

/// The input gate. @return false where the volume breaks a rule: then `result` says that it was rejected, and why.
bool admit(const model::InputRules& rules, const image::Volume& volume, const model::SeriesFacts& facts,
           DetectionResult& result);

/// Nothing where the whole volume is searched; a remark in `result` where that is because no lung was found.
std::optional<LungRegion> regionOf(const image::Volume& volume, Region region, DetectionResult& result);

/// Whether a place (LPS, mm) lies in a mask on a grid of its own; beyond the grid its nearest voxel decides.
bool contains(const image::Mask& mask, const image::Point3& pointMm);

/// Keeps the findings whose score reaches the threshold, strongest first, `most` at most, and numbers them from 1.
void rank(std::vector<Finding>& findings, double threshold, size_t most);

/// Gives every finding its mask and measurements, from its centre and estimated diameter.
/// @return ErrorCode::cancelled, asked before each finding.
Expected<void> segmentAndMeasure(const image::Volume& volume, const job::Context& context,
                                 std::vector<Finding>& findings);

/// What a detector returns when it was stopped.
tl::unexpected<Error> wasCancelled();

}  // namespace lynceus::detect
