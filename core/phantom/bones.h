// Ribs, spine, sternum, clavicles and scapulae: a dense shell around marrow. All in the anatomy's frame.
#pragma once

#include "core/phantom/anatomy.h"
#include "core/phantom/scene.h"

namespace lynceus::phantom {

void addBones(const Anatomy& anatomy, Scene& scene);

}  // namespace lynceus::phantom
