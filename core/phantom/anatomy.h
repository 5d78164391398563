// The patient of one seed: sizes, densities and pose, and the analytic surfaces of the chest that follow from them.
//
// The anatomy's frame has its axes as LPS and its origin at the carina: x to the patient's left, y to the back,
// z to the head, millimetres. A distance function is negative inside.
#pragma once

#include <vector>

#include "core/phantom/disease.h"
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
  double asymmetry = 0;           ///< the left half is wider by this share, the right one narrower
  double sectionExponent = 2.3;   ///< of the superellipse that the chest looks like from above
  double gutterMm = 25;           ///< how far the lungs reach back beside the spine, from the middle of the vertebra
  double diaphragmLumpsMm = 0;    ///< height of slips and lumps of the diaphragm
  double fatLumpsMm = 0;          ///< of fat between the chest wall and the pleura
  double hilarLumpsMm = 0;        ///< how uneven the border of the mediastinum is
  double aortaBowMm = 0;          ///< how far a tortuous aorta swings out
  double aortaWidth = 1;          ///< relative
  double fissureMm = 0.22;        ///< thickness of the sheet
  double fissureGaps = 0;         ///< 0 complete .. 1 hardly seen
  bool leftMinorFissure = false;  ///< an accessory fissure
  double fatMm = 18;              ///< subcutaneous
  double breastMm = 0;            ///< how far the breasts rise over the chest wall
  double heartScale = 1;
  double spineBowMm = 34;  ///< how far the spine comes forward from mid-thorax to the apex
  double lungHu = -865;
  double dependentHu = 45;  ///< how much denser the back of the lung is than its front
  double arteryHu = 42, aortaHu = 42, veinHu = 42, organHu = 50;
  bool table = true;
  bool armsDown = false;
  Disease disease;

  /// @param tame  a patient without disease and with nothing unusual.
  static Anatomy draw(uint64_t seed, bool tame = false);

  double height() const { return apexZ - baseZ; }
  /// 0 at the apex, 1 at the base of the lungs.
  double level(double z) const { return (apexZ - z) / height(); }

  // The axial outline of the thoracic cavity at a height: centre and half axes of a superellipse.
  double cavityHalfWidth(double z) const;
  double sideWidth(double x) const { return x < 0 ? 1 - asymmetry : 1 + asymmetry; }  ///< factor on it
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
  /// Thickness of fluid between chest wall and lung at the direction of p, and of that together with fat and scar.
  double effusionMm(const Point3& p) const;
  double pleuralLayerMm(const Point3& p) const;
  /// What lies between the lungs: core, heart and `vessels` with a cover of fat.
  double mediastinum(const Point3& p, const std::vector<Shape>& vessels) const;
  double lung(const Point3& p, double cavityDistance, const std::vector<Shape>& vessels) const;
  double liver(const Point3& p, double cavityDistance) const;
  /// Signed height over the oblique fissure of the side of p: above lies the upper (and middle) lobe.
  double obliqueFissure(const Point3& p) const;
  /// Signed height over the horizontal fissure; only the right lung has one, or the left where leftMinorFissure.
  double horizontalFissure(const Point3& p) const;

  Shape heart(double coverMm = 0) const;
};

/// Smooth noise in about -1..1 with features of `scaleMm`; the same for the same key everywhere.
double valueNoise(const Point3& p, double scaleMm, uint64_t key);

}  // namespace lynceus::phantom
