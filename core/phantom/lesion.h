// What is true about one lesion, however it was drawn: words a reader would use, and measurements.
#pragma once

#include <string_view>

#include "core/detect/finding.h"

namespace lynceus::phantom {

enum class Texture { solid, partSolid, groundGlass };
enum class Margin { smooth, lobulated, spiculated, irregular, illDefined };
enum class Attachment { isolated, juxtaPleural, juxtaVascular, fissural, endobronchial, juxtaMediastinal };
enum class Calcification { none, diffuse, central, laminated, popcorn };
enum class Inside { even, cavity, bronchogram, bubbles, fat };
enum class Origin { nodule, lymphNode, metastasis, satellite, mass };
enum class Location { apical, perihilar, basal, peripheral, central };

std::string_view name(Texture texture);
std::string_view name(Margin margin);
std::string_view name(Attachment attachment);
std::string_view name(Calcification calcification);
std::string_view name(Inside inside);
std::string_view name(Origin origin);
std::string_view name(Location location);

struct Lesion {
  Texture texture = Texture::solid;
  Margin margin = Margin::smooth;
  Attachment attachment = Attachment::isolated;
  Calcification calcification = Calcification::none;
  Inside inside = Inside::even;
  Origin origin = Origin::nodule;
  Location location = Location::peripheral;

  // Measured on the body at a fine step, before blur and noise. The body lies in the lung, but for masses that grow
  // through the pleura, which count whole. Cavities and bubbles count; spicules, tags and vessels do not.
  image::Point3 centreMm;  ///< centre of mass
  double volumeMm3 = 0;
  double diameterMm = 0;                   ///< of the sphere of the same volume
  double longAxisMm = 0, shortAxisMm = 0;  ///< on the axial plane where the long axis is longest
  image::Point3 longAxisEndsMm[2], shortAxisEndsMm[2];
  detect::BoxMm boxMm;
  double meanHu = 0, sdHu = 0;
  detect::RunLengthMask mask;  ///< voxels of the volume whose centre lies inside
};

/// Which generator draws the lesions. The second shares no code of shape, density or drawing with the first: a detector
/// that learned how the first draws fails on it.
enum class LesionKind {
  sculpted,  ///< analytic bodies, see nodule.h
  grown      ///< cell by cell on a fine grid, see grown_lesion.h
};

std::string_view name(LesionKind kind);

/// What a patient has. Where the seed decides: 0 to 8 nodules, one in twelve patients with a mass, one in 25 with
/// 10 to 40 metastases.
struct LesionCase {
  int count = 0;
  bool mass = false, metastases = false;

  /// @param count  how many; -1: the seed decides, but at least `atLeast`.
  static LesionCase draw(uint64_t seed, int count, int atLeast);
};

}  // namespace lynceus::phantom
