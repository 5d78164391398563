// What a detection network is shown of a volume: shared by detection and by what calibrates networks.
#pragma once

#include <algorithm>

#include "core/detect/lung_region.h"
#include "core/detect/tiling.h"
#include "core/image/volume.h"
#include "core/model/package.h"
#include "core/nn/tensor.h"

namespace lynceus::detect {

/// HU to what a network sees: the window's ends become 0 and 1, what lies beyond is clamped.
class Window {
 public:
  explicit Window(const model::Preprocessing& rules)
      : m_low(static_cast<float>(rules.lowHu)), m_scale(static_cast<float>(1 / (rules.highHu - rules.lowHu))) {}
  float operator()(float hu) const { return std::clamp((hu - m_low) * m_scale, 0.0f, 1.0f); }

 private:
  float m_low, m_scale;
};

/// The isotropic grid around the lungs; over the whole volume where `lungs` is null.
image::Geometry networkGrid(const image::Volume& volume, const LungRegion* lungs, const model::Preprocessing& rules);

/// One tile of the resampled volume as network input, 1 x 1 x D x H x W: HU mapped to 0..1; what lies outside the grid
/// is air.
nn::Tensor tileInput(const image::Image<float>& hu, const TilePlan& plan, const Tile& tile,
                     const model::Preprocessing& rules);

}  // namespace lynceus::detect
