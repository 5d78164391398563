// Runs the models of plugins as the built-in detector runs a model package: the same gate, region, masks and result.
#pragma once

#include <string>

#include "core/detect/pipeline.h"
#include "plugins/host/library.h"
#include "plugins/host/services.h"

namespace lynceus::plugins {

/// Calibrated score from which a finding is reported where the caller names none.
inline constexpr double kDefaultThreshold = 0.5;

/// Has a detector of the library search a volume. Fills everything of the result but `series`.
///
/// Status rejectedInput: the volume breaks a rule of the description, or the plugin says that it is not for it. Status
/// failed: the plugin failed, threw, or reported something that is no finding; `reason` says what. Options: tta is
/// refused, the rest works as in a pipeline.
/// @return ErrorCode::cancelled when the context was cancelled, resource where the plugin had too little of something,
/// wrongUse for a model that is no detector of this library. See Library::damage() after each call.
Expected<detect::DetectionResult> runDetector(Library& library, const std::string& modelId, const image::Volume& volume,
                                              const model::SeriesFacts& facts, const detect::Options& options,
                                              const Resources& resources, const job::Context& context);

/// Has a classifier of the library judge the findings of `result`: their score becomes the classifier's, the old one
/// stands in the tag "detectorScore", the order and the ids follow the new one. options.threshold drops what is below
/// it; by default nothing goes.
/// @return an error, and `result` is as it was: a rule of the description is broken, a finding is of a kind that the
/// classifier does not know, a score is not 0 to 1, or as in runDetector; where that says failed, ErrorCode::resource.
Expected<void> classify(Library& library, const std::string& modelId, const image::Volume& volume,
                        const model::SeriesFacts& facts, const detect::Options& options, const Resources& resources,
                        const job::Context& context, detect::DetectionResult& result);

}  // namespace lynceus::plugins
