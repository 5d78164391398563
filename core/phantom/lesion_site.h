// Where lesions may lie: points of the lung by region, its surfaces, and what is taken already.
#pragma once

#include "core/phantom/field.h"
#include "core/phantom/lesion.h"
#include "core/phantom/random.h"
#include "core/phantom/scene.h"

namespace lynceus::phantom {

struct LesionRequest {
  LesionCase patient;
  Point3 fromMm, toMm;  ///< lesions lie inside this box (patient)
};

class LesionSites {
 public:
  LesionSites(const Anatomy& anatomy, const Fields& fields, const Scene& scene, const LesionRequest& request);

  /// Which part of the lung the next points come from.
  enum class Region { all, apex, hilum, base };
  static Region drawRegion(Random& random);

  /// A point of the chest, not always in the lung.
  Point3 anywhere(Random& random, Region region) const;
  /// Moves p along the slope of a distance field until the field has `value` there. @return whether it arrived.
  bool moveTo(FieldId id, double value, Point3& p) const;
  /// Unit vector in which the field grows.
  Vec3 slope(FieldId id, const Point3& p) const;
  /// Whether a ball lies in the box and clear of all lesions so far.
  bool isFree(const Point3& centre, double reachMm) const;
  void take(const Point3& centre, double reachMm) { m_taken.push_back({centre, reachMm}); }
  /// Distance to the nearest vessel that a reader would see.
  double vesselDistance(const Point3& p) const;
  /// A point where a vessel of a given calibre forks, or, where fork is false, its middle. @return the vessel.
  const Shape* drawVessel(Random& random, double smallestMm, double largestMm, bool fork, Point3& at) const;
  Location locate(const Point3& p) const;

  const Anatomy& anatomy() const { return m_anatomy; }
  const Fields& fields() const { return m_fields; }
  const Scene& scene() const { return m_scene; }

 private:
  struct Ball {
    Point3 centre;
    double reachMm;
  };
  const Anatomy& m_anatomy;
  const Fields& m_fields;
  const Scene& m_scene;
  LesionRequest m_request;
  std::vector<Ball> m_taken;
};

}  // namespace lynceus::phantom
