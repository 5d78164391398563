// Harmless small things that a detector should not mark: scars, plaques, lymph nodes, buds, clips.
#pragma once

#include "core/phantom/field.h"
#include "core/phantom/scene.h"

namespace lynceus::phantom {

/// Draws them into `scene` (patient space), marks them there and in kOccupied.
void addDistractors(const Anatomy& anatomy, Fields& fields, Scene& scene);

/// The marks of a scene in patient space as a list.
std::vector<Distractor> listDistractors(const Scene& scene);

}  // namespace lynceus::phantom
