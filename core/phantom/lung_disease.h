// Diseases of the lung itself: emphysema, cysts, fibrosis, consolidation, ground glass, effusion with collapse.
#pragma once

#include "core/phantom/field.h"
#include "core/phantom/random.h"
#include "core/phantom/scene.h"

namespace lynceus::phantom {

/// A random point of the lung `depthMm` below its surface, on the chest wall (wall) or just over the diaphragm.
/// @return whether one was found.
bool pointAtDepth(const Anatomy& anatomy, const Fields& fields, Random& random, double depthMm, bool wall, Point3& at);

/// Unit vector from the surface of the lung into it.
Vec3 inward(const Fields& fields, const Point3& patient);

/// Writes what the anatomy's disease says into the fields kHaze, kHoles, kReticular, kDense and kOccupied, adds cysts
/// to the scene (patient space), and lists all of it.
std::vector<Distractor> addLungDisease(const Anatomy& anatomy, Fields& fields, Scene& scene);

}  // namespace lynceus::phantom
