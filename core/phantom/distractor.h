// Harmless things that a detector should not mark: pleural thickening, linear scars, atelectasis, lymph nodes.
#pragma once

#include <string>
#include <vector>

#include "core/phantom/field.h"
#include "core/phantom/scene.h"

namespace lynceus::phantom {

struct Distractor {
  std::string kind;  ///< "pleural-thickening", "linear-scar", "atelectasis", "mediastinal-lymph-node"
  detect::BoxMm boxMm;
};

/// Draws them into `scene` (patient space) and lists them.
std::vector<Distractor> addDistractors(const Anatomy& anatomy, const Fields& fields, Scene& scene);

}  // namespace lynceus::phantom
