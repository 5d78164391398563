// The truth of a phantom in the shape of a detection result: what a perfect detector would say.
#pragma once

#include <nlohmann/json.hpp>

#include "core/detect/finding.h"
#include "core/phantom/chest.h"

namespace lynceus::phantom {

/// One finding with score 1 for each nodule, largest first, with mask, measurements and tags: texture, margin,
/// attachment, calcified, calcification, inside, origin and location. The series is left to whoever writes the images.
detect::DetectionResult truthOf(const Phantom& phantom);

/// What else the truth file says: {"phantom": {…}, "distractors": [{kind, boxMm}]}.
nlohmann::json describe(const Phantom& phantom, const PhantomOptions& options);

}  // namespace lynceus::phantom
