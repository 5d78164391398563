// A synthetic chest CT with nodules whose truth is known exactly: for training, demonstrations and tests.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/image/volume.h"
#include "core/job/context.h"
#include "core/phantom/disease.h"
#include "core/phantom/lesion.h"
#include "core/phantom/scanner.h"
#include "core/phantom/scene.h"

namespace lynceus::phantom {

struct PhantomOptions {
  uint64_t seed = 1;
  image::Int3 size{512, 512, 0};  ///< voxels; z = 0: as many slices as the coverage needs; x = y = 0: as the body needs
  image::Vec3 spacingMm{0, 0, 1.4};  ///< x = 0: the field of view that the seed draws; y is as x
  double sliceThicknessMm = 0;       ///< 0: as the slice distance
  double coverageMm = 0;             ///< along z, around the lungs; 0: the whole lungs
  int nodules = -1;                  ///< -1: by seed, see LesionCase
  int atLeastNodules = 0;            ///< lower bound where the seed decides
  LesionKind lesions = LesionKind::sculpted;
  bool noise = true;
  bool blur = true;  ///< point spread in the plane; slices keep their thickness
  bool lungMask = false;
  bool tame = false;               ///< a near-normal patient and an ordinary scan: for demonstrations
  std::optional<Disease> disease;  ///< what the patient has; without it the seed decides
};

struct Phantom {
  image::Volume volume;
  std::vector<Lesion> nodules;  ///< largest first
  std::vector<Distractor> distractors;
  Scanner scanner;
  double sliceThicknessMm = 0;
  bool female = false, contrast = false;
  int lungBranches = 0;             ///< tube pieces of pulmonary vessels
  std::string description;          ///< one line for a person
  std::optional<image::Mask> lung;  ///< where PhantomOptions::lungMask asks: lungs with vessels and nodules
};

/// The same options give the same bits for any number of threads (on one machine: sin, exp and pow are the C
/// library's). Memory: about 100 MB and the volume. @return wrongUse for sizes that make no volume, or cancelled.
Expected<Phantom> makeChest(const PhantomOptions& options, job::Context& context);

}  // namespace lynceus::phantom
