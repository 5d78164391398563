// Lesions of the first kind: analytic bodies with what lies inside and around them, and the truth measured on them.
#pragma once

#include <utility>

#include "core/image/volume.h"
#include "core/phantom/lesion.h"
#include "core/phantom/lesion_site.h"

namespace lynceus::phantom {

/// A stretched sphere, or a union of balls, cut by facets, with bumps and a rough surface. Patient space, mm.
struct NoduleBody {
  struct Lobe {
    Vec3 direction;
    double height = 0;     ///< relative to the radius
    double sharpness = 4;  ///< larger is narrower
  };
  struct Ball {
    Vec3 at;  ///< in radii, in the frame of the body
    double radius = 1;
  };
  struct Facet {
    Vec3 normal;
    double offset = 1;  ///< of the plane from the centre, in radii
  };
  Point3 centreMm;
  double radiusMm = 3;
  std::array<Vec3, 3> axes{Vec3{1, 0, 0}, {0, 1, 0}, {0, 0, 1}};
  Vec3 stretch{1, 1, 1};
  std::vector<Ball> balls;  ///< none: the unit sphere
  std::vector<Facet> facets;
  std::vector<Lobe> lobes;
  double roughness = 0;  ///< height of small irregularities, relative to the radius
  uint64_t roughnessKey = 0;

  /// Signed distance of the free shape, negative inside; first order near the surface. `scale` shrinks the shape.
  double distance(const Point3& p, double scale = 1) const;
  /// No point of the body is farther from the centre.
  double reachMm() const;
};

struct Nodule : Lesion {
  struct Core {
    Vec3 shiftMm;
    double radiusMm = 1;
  };
  NoduleBody body;
  double hu = 40;        ///< of the solid part, or of the whole where nothing is solid
  double haloHu = -600;  ///< part-solid: of the ground glass around the cores
  double unevenHu = 0;   ///< amplitude of the texture of what is solid
  double unevenMm = 3;   ///< and its scale
  double hazeHu = 70;    ///< amplitude of the texture of ground glass
  double edgeMm = 0;     ///< width over which solid tissue gives way to the lung; the truth ends at its middle
  double rimShare = 0, rimMm = 1;  ///< thickened lung around it, fading over rimMm: not counted in the truth
  double filletMm = 0;             ///< at the pleura the corner is filled by this radius
  double invasionMm = 0;           ///< how far the body grows through the pleura
  double cavityScale = 0;          ///< size of a cavity relative to the body; 0: none
  Vec3 cavityShiftMm;
  std::vector<Core> cores;                       ///< part-solid
  std::vector<double> shells;                    ///< laminated calcification: depths of its layers, mm
  double calciumHu = 300;                        ///< of the shells
  std::vector<Shape> inclusions;                 ///< air, calcium or fat inside, by their own HU
  uint64_t textureKey = 0;                       ///< of all unevenness
  std::vector<std::pair<Layer, Shape>> strands;  ///< spicules, tags, vessels: not counted in the truth

  /// Width of the edge of the ground glass, which fades into the lung; the truth ends at its middle.
  double softEdgeMm() const { return std::max(edgeMm, std::clamp(0.3 * body.radiusMm, 1.0, 3.0)); }
  double reachMm() const { return body.reachMm() + 0.5 * filletMm; }
  /// The body and its corner at the pleura, not cut by it. @param lung  the field kLung at p
  double freeDistance(const Point3& p, double lung) const;
  /// Negative inside: the body where it lies in the lung, or in what it invades.
  double distance(const Point3& p, const Fields& fields) const;
  /// Negative inside the cores of a part-solid nodule.
  double coreDistance(const Point3& p) const;
  /// Whether its density varies within a voxel.
  bool isStructured() const { return cavityScale > 0 || !cores.empty() || !shells.empty() || !inclusions.empty(); }
  /// Of the ground glass at a point: the halo of a part-solid nodule, the whole of a ground-glass one.
  double groundGlassHu(const Point3& p) const;
  double solidHu(const Point3& p) const;
  double huAt(const Point3& p) const;
};

/// Draws and places nodules that do not overlap; measures them. `scene` is in patient space.
std::vector<Nodule> placeNodules(const Anatomy& anatomy, const Fields& fields, const Scene& scene,
                                 const LesionRequest& request);

/// Fills the truth of a placed nodule, all but the mask.
void measureNodule(Nodule& nodule, const Fields& fields);

/// Voxels of `geometry` (axial, axes as LPS) whose centre lies inside.
detect::RunLengthMask maskOf(const Nodule& nodule, const Fields& fields, const image::Geometry& geometry);

}  // namespace lynceus::phantom
