// Lung nodules: analytic shape, placement, and the exact truth measured on that shape.
#pragma once

#include <string>

#include "core/image/volume.h"
#include "core/phantom/field.h"
#include "core/phantom/random.h"
#include "core/phantom/scene.h"

namespace lynceus::phantom {

enum class Texture { solid, partSolid, groundGlass };
enum class Margin { smooth, lobulated, spiculated };
enum class Attachment { isolated, juxtaPleural, juxtaVascular };

std::string_view name(Texture texture);
std::string_view name(Margin margin);
std::string_view name(Attachment attachment);

/// A star-shaped body: a stretched sphere with bumps, cut off by the surface of the lung. Patient space, mm.
struct NoduleBody {
  struct Lobe {
    Vec3 direction;
    double height = 0;     ///< relative to the radius
    double sharpness = 4;  ///< larger is narrower
  };
  Point3 centreMm;
  double radiusMm = 3;
  std::array<Vec3, 3> axes{Vec3{1, 0, 0}, {0, 1, 0}, {0, 0, 1}};
  Vec3 stretch{1, 1, 1};
  std::vector<Lobe> lobes;

  /// Signed distance of the free shape, negative inside; first order near the surface. `scale` shrinks the shape.
  double distance(const Point3& p, double scale = 1) const;
  /// No point of the body is farther from the centre.
  double reachMm() const;
};

struct Nodule {
  // what it is
  Texture texture = Texture::solid;
  Margin margin = Margin::smooth;
  Attachment attachment = Attachment::isolated;
  bool calcified = false;
  NoduleBody body;
  double hu = 40;               ///< of the solid part, or of the whole where nothing is solid
  double haloHu = -600;         ///< part-solid: of the ground glass around the core
  double coreScale = 0;         ///< part-solid: size of the core relative to the body
  Vec3 coreShiftMm;             ///< part-solid: the core is not in the middle
  uint64_t textureKey = 0;      ///< ground glass is not even
  std::vector<Shape> spicules;  ///< thin strands, not counted in the truth

  // truth, measured on the body inside the lung at a fine step, before blur and noise
  Point3 centreMm;  ///< centre of mass
  double volumeMm3 = 0;
  double diameterMm = 0;                   ///< of the sphere of the same volume
  double longAxisMm = 0, shortAxisMm = 0;  ///< on the axial plane where the long axis is longest
  Point3 longAxisEndsMm[2], shortAxisEndsMm[2];
  detect::BoxMm boxMm;
  double meanHu = 0, sdHu = 0;
  detect::RunLengthMask mask;  ///< voxels of the volume whose centre lies inside

  /// Negative inside: the body where it lies in the lung.
  double distance(const Point3& p, const Fields& fields) const;
  /// Negative inside the core of a part-solid nodule.
  double coreDistance(const Point3& p) const { return body.distance(p - coreShiftMm, coreScale); }
  /// Of the ground glass at a point: the halo of a part-solid nodule, the whole of a ground-glass one.
  double groundGlassHu(const Point3& p) const;
  double huAt(const Point3& p) const;
};

struct NoduleRequest {
  int count = 0;
  Point3 fromMm, toMm;  ///< nodules lie inside this box (patient)
};

/// Draws and places nodules that do not overlap; measures them. `scene` is in patient space.
std::vector<Nodule> placeNodules(const Anatomy& anatomy, const Fields& fields, const Scene& scene,
                                 const NoduleRequest& request);

/// Fills the truth of a placed nodule, all but the mask.
void measureNodule(Nodule& nodule, const Fields& fields);

/// Voxels of `geometry` (axial, axes as LPS) whose centre lies inside.
detect::RunLengthMask maskOf(const Nodule& nodule, const Fields& fields, const image::Geometry& geometry);

}  // namespace lynceus::phantom
