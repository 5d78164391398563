// One Series Instance UID, several stacks: phases, passes, a survey image among the slices. Splits a series only where
// its geometry does not pass as a whole and the parts do, so that a series whose acquisition number grows with every
// slice stays whole.
#pragma once

#include <vector>

#include "io/dicom/series.h"

namespace lynceus::io::dicom {

struct StackPart {
  std::vector<size_t> members;  ///< indices of the given instances
  std::string name;             ///< "acquisition 2"; empty where the series stays whole
};

/// Survey images and slices of another size or orientation are set apart wherever a stack remains. Then the keys in the
/// order of StackKey, each where the slices still do not pass: a key is taken where at least one of its parts passes,
/// most slices that shared a place no longer do (a phase may have a gap of its own), and no two neighbouring parts
/// would pass together. Slices that only lie unevenly are split only where every part passes; single slices and images
/// of one place may stand beside parts that pass.
/// @return one part where the series passes the gate as a whole or no split makes it pass, else two or more, the one
/// with the most slices first. Pure function, any thread; the result does not depend on the order of the instances.
std::vector<StackPart> splitSeries(const std::vector<Instance>& instances);

}  // namespace lynceus::io::dicom
