// What the lung between its vessels looks like, healthy and sick.
#pragma once

#include "core/phantom/anatomy.h"

namespace lynceus::phantom {

/// The smooth fields at one point of the lung.
struct LungSample {
  Point3 at;                ///< patient, mm
  float base = -850;        ///< HU of healthy lung here
  float low = 0, fine = 0;  ///< textures, -1..1
  float haze = 0, holes = 0, reticular = 0;
  float denseMm = 60;    ///< to airless lung, negative inside
  float fissureMm = 60;  ///< to the nearest fissure
  float rampMm = 1;      ///< width that the edge of a thing has in this plane
};

/// HU before blur and noise.
float lungHu(const Anatomy& anatomy, const LungSample& sample);

}  // namespace lynceus::phantom
