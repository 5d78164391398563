// Calcium in arteries, and what treatment left behind: clips, wires, stents, leads and catheters. In the anatomy's
// frame.
#pragma once

#include "core/phantom/anatomy.h"
#include "core/phantom/scene.h"

namespace lynceus::phantom {

/// @param aorta  pieces of the aorta from the valve on.
void addArterialCalcium(const Anatomy& anatomy, const std::vector<Shape>& aorta, Scene& scene);
void addImplants(const Anatomy& anatomy, Scene& scene);

}  // namespace lynceus::phantom
