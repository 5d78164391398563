// How the lesions of the first kind look: size, body, density, what is inside and what radiates from them.
#pragma once

#include "core/phantom/nodule.h"

namespace lynceus::phantom {

/// Everything but the place. @param contrast  the patient got contrast: lesions take it up.
Nodule drawNodule(Random& random, Origin origin, bool contrast);

/// Flattens the body along a direction, at unchanged volume: `ratio` < 1 of thickness to width.
void flatten(NoduleBody& body, const Vec3& along, double ratio);

/// Spicules, pleural tags that draw the pleura in, and vessels that lead to it, once it has its place.
void addStrands(Random& random, const LesionSites& sites, Nodule& nodule);

}  // namespace lynceus::phantom
