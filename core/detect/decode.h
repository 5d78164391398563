// From what a network puts out for one tile to candidates: centre, size and raw score.
#pragma once

#include <optional>
#include <vector>

#include "core/error.h"
#include "core/image/geometry.h"
#include "core/model/package.h"
#include "core/nn/tensor.h"

namespace lynceus::detect {

/// In voxels of the network's input grid; `center` is a continuous index, `size` the extent of the box.
struct Candidate {
  image::Vec3 center;
  image::Vec3 size;
  double logit = 0;
  std::optional<double> secondLogit = {};  ///< of the second stage, where the candidate went through one
};

/// One tile's outputs by name, each of shape 1 x C x D x H x W.
using TileOutputs = std::vector<nn::NamedTensor>;

/// Peaks of the heat map: cells that exceed all of their 26 neighbours and the candidate score. Of equal neighbours
/// the one with the smallest offset counts. Indices are relative to the tile's first voxel.
Expected<std::vector<Candidate>> decodeHeatMap(const TileOutputs& outputs, const model::Output& rules,
                                               double spacingMm);

/// Boxes from anchors, coded as in R-CNN: center = anchor center + d * anchor size, size = exp(d) * anchor size, with
/// regressions in the order dx dy dz dw dh dd; ln size is clipped at ln(1000/16), as the field's detectors do.
Expected<std::vector<Candidate>> decodeAnchors(const TileOutputs& outputs, const model::Output& rules);

/// Whichever of the two the package states.
Expected<std::vector<Candidate>> decode(const TileOutputs& outputs, const model::Output& rules, double spacingMm);

/// The candidate's probability of being a lesion.
double calibratedScore(const Candidate& candidate, const model::Calibration& calibration);

/// Greedy non-maximum suppression: strongest first, a box falls if it overlaps a kept one by more than `iou`
/// (intersection over union) or if the centre of either lies in the ellipsoid that fills the other: the peaks of one
/// mass are one finding. Stops at `limit` kept.
std::vector<Candidate> suppress(std::vector<Candidate> candidates, double iou, int limit);

}  // namespace lynceus::detect
