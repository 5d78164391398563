// Everything that is drawn over the smooth tissue fields, in the order in which it is drawn.
#pragma once

#include <string>
#include <vector>

#include "core/phantom/shape.h"

namespace lynceus::phantom {

/// A harmless thing that a detector should not mark.
struct Distractor {
  std::string kind;
  detect::BoxMm boxMm;
};

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
  kLayerSolid,    ///< filled by nodules
  kLayerCalcium,  ///< in vessels and lymph nodes
  kLayerCartilage,
  kLayerCortex,
  kLayerMarrow,
  kLayerCanal,
  kLayerMetal,
  kLayerCount
};

struct Scene {
  std::vector<Shape> layers[kLayerCount];

  void add(Layer layer, const Shape& shape) { layers[layer].push_back(shape); }

  /// Shapes of one layer that together are a distractor; the box is taken when all shapes have their place.
  struct Mark {
    std::string kind;
    Layer layer;
    size_t first, last;
  };
  std::vector<Mark> marks;

  /// The shapes of the layer from index `first` on are one distractor.
  void mark(std::string kind, Layer layer, size_t first) {
    if (first < layers[layer].size()) marks.push_back({std::move(kind), layer, first, layers[layer].size()});
  }
  void addMarked(std::string kind, Layer layer, const Shape& shape) {
    add(layer, shape);
    mark(std::move(kind), layer, layers[layer].size() - 1);
  }
};

}  // namespace lynceus::phantom
