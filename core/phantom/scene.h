// Everything that is drawn over the smooth tissue fields, in the order in which it is drawn.
#pragma once

#include <vector>

#include "core/phantom/shape.h"

namespace lynceus::phantom {

/// Later layers cover earlier ones; inside a layer shapes unite. kLayerOrgans lies under the lungs, all others above.
enum Layer {
  kLayerOrgans,       ///< heart, chambers, spleen, stomach
  kLayerGas,          ///< in stomach and bowel
  kLayerMediastinal,  ///< great vessels, oesophagus, lymph nodes
  kLayerGroundGlass,  ///< filled by nodules
  kLayerScars,        ///< pleural thickening, linear scars, atelectasis
  kLayerAirwayWalls,
  kLayerLungVessels,
  kLayerAirwayLumen,
  kLayerSolid,  ///< filled by nodules
  kLayerCartilage,
  kLayerCortex,
  kLayerMarrow,
  kLayerCanal,
  kLayerCount
};

struct Scene {
  std::vector<Shape> layers[kLayerCount];

  void add(Layer layer, const Shape& shape) { layers[layer].push_back(shape); }
};

}  // namespace lynceus::phantom
