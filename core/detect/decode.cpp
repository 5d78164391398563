#include "core/detect/decode.h"

#include <algorithm>
#include <cmath>

namespace lynceus::detect {
namespace {

using image::Int3;
using image::Vec3;

double logitOf(double score) { return std::log(score / (1 - score)); }

/// A tile's output seen as channels of a grid of cells.
struct Cells {
  const float* data = nullptr;
  int channels = 0;
  Int3 size;
  float at(int channel, int x, int y, int z) const {
    return data[((static_cast<int64_t>(channel) * size.z + z) * size.y + y) * size.x + x];
  }
};

Expected<Cells> cellsOf(const TileOutputs& outputs, const std::string& name, int channels) {
  const auto found = std::find_if(outputs.begin(), outputs.end(), [&](const auto& o) { return o.name == name; });
  if (found == outputs.end()) {
    return makeError(ErrorCode::badInput, "the network has no output '{}' that model.toml names", name);
  }
  const nn::Shape& s = found->tensor.shape;
  if (!found->tensor.isFloat() || s.size() != 5 || s[0] != 1 || s[1] != channels) {
    return makeError(ErrorCode::badInput, "the network's output '{}' must be of shape 1 x {} x D x H x W", name,
                     channels);
  }
  return Cells{found->tensor.floats().data(),
               channels,
               {static_cast<int>(s[4]), static_cast<int>(s[3]), static_cast<int>(s[2])}};
}

bool isPeak(const Cells& heat, int x, int y, int z) {
  const float value = heat.at(0, x, y, z);
  for (int dz = -1; dz <= 1; ++dz) {
    for (int dy = -1; dy <= 1; ++dy) {
      for (int dx = -1; dx <= 1; ++dx) {
        const Int3 n{x + dx, y + dy, z + dz};
        if (n.x < 0 || n.y < 0 || n.z < 0 || n.x >= heat.size.x || n.y >= heat.size.y || n.z >= heat.size.z) continue;
        const float other = heat.at(0, n.x, n.y, n.z);
        const bool before = dz < 0 || (dz == 0 && (dy < 0 || (dy == 0 && dx < 0)));
        if (other > value || (before && other == value)) return false;
      }
    }
  }
  return true;
}

double overlapIou(const Candidate& a, const Candidate& b) {
  const auto shared = [](double ca, double sa, double cb, double sb) {
    return std::max(0.0, std::min(ca + sa / 2, cb + sb / 2) - std::max(ca - sa / 2, cb - sb / 2));
  };
  const double common = shared(a.center.x, a.size.x, b.center.x, b.size.x) *
                        shared(a.center.y, a.size.y, b.center.y, b.size.y) *
                        shared(a.center.z, a.size.z, b.center.z, b.size.z);
  const double all = a.size.x * a.size.y * a.size.z + b.size.x * b.size.y * b.size.z - common;
  return all > 0 ? common / all : 0;
}

bool sameLesion(const Candidate& a, const Candidate& b, double iou) {
  const Vec3 d = a.center - b.center;
  const auto reaches = [&](const Vec3& size) {
    const double x = 2 * d.x / size.x, y = 2 * d.y / size.y, z = 2 * d.z / size.z;
    return x * x + y * y + z * z < 1;
  };
  return overlapIou(a, b) > iou || reaches(a.size) || reaches(b.size);
}

}  // namespace

Expected<std::vector<Candidate>> decodeHeatMap(const TileOutputs& outputs, const model::Output& rules,
                                               double spacingMm) {
  const auto heat = cellsOf(outputs, rules.heat, 1);
  if (!heat) return passError(heat);
  const auto size = cellsOf(outputs, rules.size, 1);
  if (!size) return passError(size);
  const auto offset = cellsOf(outputs, rules.offset, 3);
  if (!offset) return passError(offset);
  if (!(heat->size == size->size && heat->size == offset->size)) {
    return makeError(ErrorCode::badInput, "the network's outputs '{}', '{}' and '{}' differ in size", rules.heat,
                     rules.size, rules.offset);
  }
  const double least = logitOf(rules.candidateScore);
  // A cell's centre: the middle of the strideVoxels input voxels below it.
  const double middle = (rules.strideVoxels - 1) / 2.0;
  std::vector<Candidate> found;
  for (int z = 0; z < heat->size.z; ++z) {
    for (int y = 0; y < heat->size.y; ++y) {
      for (int x = 0; x < heat->size.x; ++x) {
        const double logit = heat->at(0, x, y, z);
        if (!(logit > least) || !isPeak(*heat, x, y, z)) continue;
        const auto place = [&](int cell, int axis) {
          return cell * rules.strideVoxels + middle + offset->at(axis, x, y, z) / spacingMm;
        };
        // 100 mm bounds what a network that has gone wrong can claim.
        const double diameter = std::min(std::exp(static_cast<double>(size->at(0, x, y, z))), 100.0) / spacingMm;
        found.push_back({{place(x, 0), place(y, 1), place(z, 2)}, {diameter, diameter, diameter}, logit});
      }
    }
  }
  return found;
}

Expected<std::vector<Candidate>> decodeAnchors(const TileOutputs& outputs, const model::Output& rules) {
  const double least = logitOf(rules.candidateScore);
  const double largestLn = std::log(1000.0 / 16);
  std::vector<Candidate> found;
  for (const model::AnchorLevel& level : rules.levels) {
    const int anchors = static_cast<int>(level.sizesVoxels.size());
    const auto scores = cellsOf(outputs, level.scores, anchors);
    if (!scores) return passError(scores);
    const auto boxes = cellsOf(outputs, level.boxes, anchors * 6);
    if (!boxes) return passError(boxes);
    if (!(scores->size == boxes->size)) {
      return makeError(ErrorCode::badInput, "the network's outputs '{}' and '{}' differ in size", level.scores,
                       level.boxes);
    }
    const Int3 stride = level.strideVoxels;
    for (int a = 0; a < anchors; ++a) {
      const auto& anchor = level.sizesVoxels[static_cast<size_t>(a)];
      for (int z = 0; z < scores->size.z; ++z) {
        for (int y = 0; y < scores->size.y; ++y) {
          for (int x = 0; x < scores->size.x; ++x) {
            const double logit = scores->at(a, x, y, z);
            if (!(logit > least)) continue;
            const auto code = [&](int i) { return static_cast<double>(boxes->at(a * 6 + i, x, y, z)); };
            const Vec3 cell{x * stride.x + (stride.x - 1) / 2.0, y * stride.y + (stride.y - 1) / 2.0,
                            z * stride.z + (stride.z - 1) / 2.0};
            const auto extent = [&](int axis) {
              return std::exp(std::min(code(3 + axis), largestLn)) * anchor[static_cast<size_t>(axis)];
            };
            found.push_back({{cell.x + code(0) * anchor[0], cell.y + code(1) * anchor[1], cell.z + code(2) * anchor[2]},
                             {extent(0), extent(1), extent(2)},
                             logit});
          }
        }
      }
    }
  }
  return found;
}

Expected<std::vector<Candidate>> decode(const TileOutputs& outputs, const model::Output& rules, double spacingMm) {
  return rules.coding == model::Coding::heatMap ? decodeHeatMap(outputs, rules, spacingMm)
                                                : decodeAnchors(outputs, rules);
}

double calibratedScore(const Candidate& candidate, const model::Calibration& calibration) {
  const double second = calibration.secondStageSlope * candidate.secondLogit.value_or(0);
  return 1 / (1 + std::exp(-(calibration.slope * candidate.logit + second + calibration.intercept)));
}

std::vector<Candidate> suppress(std::vector<Candidate> candidates, double iou, int limit) {
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const Candidate& a, const Candidate& b) { return a.logit > b.logit; });
  std::vector<Candidate> kept;
  for (const Candidate& c : candidates) {
    if (static_cast<int>(kept.size()) >= limit) break;
    const bool repeated =
        std::any_of(kept.begin(), kept.end(), [&](const Candidate& k) { return sameLesion(k, c, iou); });
    if (!repeated) kept.push_back(c);
  }
  return kept;
}

}  // namespace lynceus::detect
