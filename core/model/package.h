// A model package: a folder with model.toml, the network as ONNX and a model card. The built-in detector runs any.
#pragma once

#include <array>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/image/geometry.h"

namespace lynceus::model {

struct Range {
  double min = 0, max = 0;
  bool contains(double v) const { return v >= min && v <= max; }
};

/// What a series must look like for the model's figures to mean anything.
struct InputRules {
  std::string modality = "CT";
  Range pixelSpacingMm, sliceSpacingMm, sliceThicknessMm, coverageMm;
};

/// What is done to the volume before the network sees it.
struct Preprocessing {
  double spacingMm = 1;                ///< isotropic
  double lowHu = -1200, highHu = 600;  ///< mapped to 0 and 1, clamped
};

struct Tiling {
  int maxSizeVoxels = 192;  ///< per axis, a multiple of `multipleOf`
  int overlapVoxels = 48;   ///< between neighbouring tiles, a multiple of 2 * multipleOf
  int multipleOf = 8;       ///< what the network's strides divide
};

enum class Coding {
  heatMap,  ///< outputs heat (logit), size (ln mm), offset (mm, x y z): one cell of each for every strideVoxels
  anchors,  ///< for each level logits (anchors) and box regressions (6 an anchor) around fixed boxes
};

/// One resolution of an anchor network.
struct AnchorLevel {
  std::string scores, boxes;                       ///< output names
  image::Int3 strideVoxels;                        ///< network input voxels to one cell
  std::vector<std::array<double, 3>> sizesVoxels;  ///< x, y, z of each anchor
};

struct Output {
  Coding coding = Coding::heatMap;
  std::string heat = "heat", size = "size", offset = "offset";
  int strideVoxels = 2;
  std::vector<AnchorLevel> levels;
  double candidateScore = 0.05;  ///< raw scores below it are dropped before anything else
  double nmsIou = 0.2;           ///< boxes that overlap more are one finding
  int maxFindings = 100;
  std::string kind = "lung-nodule";
  double threshold = 0.5;  ///< calibrated score from which a mark is reported: the operating point
};

/// A second network that tells lesions from what looks like them. Input 1 x 1 x S x S x S for each candidate (the batch
/// is open), windowed as for the first; output N x 2: logits of "not a lesion" and "a lesion".
struct SecondStage {
  std::string network;   ///< file name of the ONNX graph
  int cropVoxels = 48;   ///< S
  double spacingMm = 1;  ///< of the crop's voxels
  int candidates = 60;   ///< the strongest candidates of a scan that go through it; all others are dropped
};

/// score = 1 / (1 + exp(-(slope * logit + secondStageSlope * logit2 + intercept))), logit2 being "a lesion" minus
/// "not a lesion" of the second stage and 0 without one.
struct Calibration {
  double slope = 1, secondStageSlope = 0, intercept = 0;
};

struct Package {
  std::filesystem::path folder;
  std::string id, version, task, licence, summary;
  InputRules input;
  Preprocessing preprocessing;
  Tiling tiling;
  Output output;
  std::optional<SecondStage> secondStage;
  Calibration calibration;
  std::string network;                        ///< file name of the ONNX graph
  std::map<std::string, std::string> sha256;  ///< of each file, lower-case hex
  std::string definitionSha256;  ///< of model.toml: it names all of the above, so it stands for the package

  const std::string& weightsSha256() const { return sha256.at(network); }
};

/// Reads and checks folder/model.toml; does not read the network.
/// @return an error that names the file, the key and what it must be.
Expected<Package> readPackage(const std::filesystem::path& folder);

/// Compares the files with the hashes in model.toml.
/// @return an error that names the first file that is missing or differs.
Expected<void> verifyPackage(const Package& package);

/// Every package in the model folders: $LYNCEUS_MODELS, ../share/lynceus/models beside the program, and
/// resources/models of a source tree that the program was built in. Ordered by id; a broken package is an error.
Expected<std::vector<Package>> findPackages();

/// @param idOrFolder  an id, a folder, or empty for the only or first package of task lung-nodule.
Expected<Package> findPackage(const std::string& idOrFolder);

/// What is known of a series beside its voxels; 0 or empty where the source does not say.
struct SeriesFacts {
  std::string modality;
  double sliceThicknessMm = 0;
};

/// @return the first rule that the series breaks, as a sentence with the value and the allowed range; empty if none.
std::string brokenRule(const InputRules& rules, const image::Geometry& geometry, const SeriesFacts& facts);

}  // namespace lynceus::model
