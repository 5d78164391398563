// The patient of one seed: sizes, densities and pose, and the analytic surfaces of the chest that follow from them.
//
// The anatomy's frame has its axes as LPS and its origin at the carina: x to the patient's left, y to the back,
// z to the head, millimetres. A distance function is negative inside.
#pragma once

#include <vector>

#include "core/phantom/shape.h"

namespace lynceus::phantom {

struct Anatomy {
  uint64_t seed = 0;
  bool female = false;
  bool contrast = false;
  Pose pose;

  double halfWidthMm = 125;  ///< of the thoracic cavity where it is widest
  double halfDepthMm = 90;   ///< likewise, front to back
  double apexZ = 92;         ///< top of the lungs
  double baseZ = -165;       ///< deepest costophrenic angle
  double domeRightZ = -92, domeLeftZ = -105;
  double fatMm = 18;    ///< subcutaneous
  double breastMm = 0;  ///< how far the breasts rise over the chest wall
  double heartScale = 1;
  double spineBowMm = 34;  ///< how far the spine comes forward from mid-thorax to the apex
  double lungHu = -865;
  double dependentHu = 45;  ///< how much denser the back of the lung is than its front
  double emphysema = 0;     ///< 0 none .. 1 many low-density areas
  double arteryHu = 42, aortaHu = 42, veinHu = 42, organHu = 50;
  bool table = true;

  static Anatomy draw(uint64_t seed);

  double height() const { return apexZ - baseZ; }
  /// 0 at the apex, 1 at the base of the lungs.
  double level(double z) const { return (apexZ - z) / height(); }

  // The axial outline of the thoracic cavity at a height: centre and half axes of a superellipse.
  double cavityHalfWidth(double z) const;
  double cavityHalfDepth(double z) const;
  double cavityCentreY(double z) const;
  double spineY(double z) const;    ///< centre of the vertebral body
  double sternumY(double z) const;  ///< centre of the sternum
  double tracheaY(double z) const { return spineY(z) - 29; }

  double skin(const Point3& p) const;
  double cavity(const Point3& p) const;
  /// Thickness of muscle and ribs outside the cavity at the direction of p.
  double wallThickness(const Point3& p) const;
  /// Height of the diaphragm above the point, for the side that p lies on.
  double diaphragmZ(const Point3& p) const;
  /// What lies between the lungs: core, heart and `vessels` with a cover of fat.
  double mediastinum(const Point3& p, const std::vector<Shape>& vessels) const;
  double lung(const Point3& p, double cavityDistance, const std::vector<Shape>& vessels) const;
  double liver(const Point3& p, double cavityDistance) const;
  /// Signed height over the oblique fissure of the side of p: above lies the upper (and middle) lobe.
  double obliqueFissure(const Point3& p) const;
  /// Signed height over the horizontal fissure; only the right lung has one.
  double horizontalFissure(const Point3& p) const;

  Shape heart(double coverMm = 0) const;
};

/// Smooth noise in about -1..1 with features of `scaleMm`; the same for the same key everywhere.
double valueNoise(const Point3& p, double scaleMm, uint64_t key);

}  // namespace lynceus::phantom
