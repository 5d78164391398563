// What lies between and below the lungs: great vessels, heart chambers, trachea and main bronchi, oesophagus,
// spleen and stomach. All in the anatomy's frame.
#pragma once

#include "core/phantom/anatomy.h"
#include "core/phantom/scene.h"

namespace lynceus::phantom {

constexpr int kAortaPieces = 36;

/// Where the trees of one lobe start.
struct LobeRoots {
  Point3 artery, vein;
  Vec3 airwaySide;  ///< from the artery towards the airway that runs with it
};

/// Great vessels as tubes: they are drawn, and the lungs keep clear of them. The first kAortaPieces are the aorta.
std::vector<Shape> greatVessels(const Anatomy& anatomy);

/// Start of artery, airway and vein of a lobe. @param lobe  0 right upper, 1 middle, 2 right lower, 3 left upper, 4
/// left lower.
LobeRoots lobeRoots(const Anatomy& anatomy, int lobe);

/// Heart with its chambers, spleen, stomach, oesophagus.
void addOrgans(const Anatomy& anatomy, Scene& scene);

/// Trachea and main bronchi down to the hila.
void addCentralAirways(const Anatomy& anatomy, Scene& scene);

}  // namespace lynceus::phantom
