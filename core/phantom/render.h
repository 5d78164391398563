// From anatomy to Hounsfield units: each slice is the mean of thin planes, blurred in the plane, with noise on top.
#pragma once

#include "core/job/context.h"
#include "core/phantom/field.h"
#include "core/phantom/grown_lesion.h"
#include "core/phantom/nodule.h"
#include "core/phantom/scanner.h"
#include "core/phantom/scene.h"

namespace lynceus::phantom {

struct RenderInput {
  const Anatomy& anatomy;
  const Fields& fields;
  const Scene& scene;  ///< patient space
  const std::vector<Nodule>& nodules;
  const std::vector<GrownLesion>& grown;
  const Scanner& scanner;
  image::Geometry geometry;  ///< axes as LPS
  double sliceThicknessMm = 1;
  bool blur = true, noise = true;
};

/// Runs on all threads; the bits do not depend on how many. @return voxels, or ErrorCode::cancelled.
Expected<std::vector<int16_t>> render(const RenderInput& input, job::Context& context);

}  // namespace lynceus::phantom
