// A model package: a folder with model.toml, the network as ONNX and a model card. The built-in detector runs any.
#pragma once

#include <array>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
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

/// major, minor, patch: compares as versions do.
using Version = std::array<int, 3>;
/// "1.12.0"; nothing where the text is not three whole numbers.
std::optional<Version> parseVersion(std::string_view text);

/// Reads and checks folder/model.toml; does not read the network. Whatever is wrong with a package is
/// ErrorCode::resource: the study that it was meant for is not at fault.
/// @return an error that names the file, the key and what it must be.
Expected<Package> readPackage(const std::filesystem::path& folder);

/// The bytes of a file that model.toml gives the hash of.
/// @return an error that names the file where it is missing, is no file of the package's folder, or differs.
Expected<std::string> readFile(const Package& package, const std::string& name);

/// Compares all files with the hashes in model.toml.
/// @return the error of the first that readFile refuses.
Expected<void> verifyPackage(const Package& package);

/// A package in one of the model folders.
struct FoundPackage {
  Package package;
  std::string origin;              ///< of the folder: "$LYNCEUS_MODELS", "user", "installed" or "source tree"
  bool isDefault = false;          ///< what its id alone names: the highest version
  std::filesystem::path hiddenBy;  ///< the folder of the same id and version that comes first; empty if none does
};

/// A folder that should hold a package or several, and does not.
struct BrokenPackage {
  std::filesystem::path folder;
  std::string id, version;  ///< as far as its model.toml can be read
  Error error;
};

/// Adds what can be read of the folder's model.toml to the error that readPackage gave.
BrokenPackage describeBroken(const std::filesystem::path& folder, Error error);

struct PackageSearch {
  std::vector<FoundPackage> packages;  ///< by id, highest version first, hidden ones behind what hides them
  std::vector<BrokenPackage> broken;
  /// What findPackage("") names; nullptr where there is none.
  const FoundPackage* standard() const;
};

/// Every package in the model folders, which are searched in this order: the folders in $LYNCEUS_MODELS (separated by
/// colons), $XDG_DATA_HOME/lynceus/models or ~/.local/share/lynceus/models, ../share/lynceus/models beside the program,
/// and resources/models of a source tree that the program was built in.
PackageSearch findPackages();

/// @param name  an id (its highest version), id@version, a folder, or empty for the first id of task lung-nodule.
/// @return an error where there is none, or where what the name stands for is broken: another version never steps in.
Expected<Package> findPackage(const std::string& name);

/// What is known of a series beside its voxels; 0 or empty where the source does not say.
struct SeriesFacts {
  std::string modality;
  double sliceThicknessMm = 0;
};

/// @return the first rule that the series breaks, as a sentence with the value and the allowed range; empty if none.
std::string brokenRule(const InputRules& rules, const image::Geometry& geometry, const SeriesFacts& facts);

}  // namespace lynceus::model
