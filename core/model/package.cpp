#include "core/model/package.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include <toml++/toml.h>

#include "core/sha256.h"
#include "core/version.h"

namespace lynceus::model {
namespace {

namespace fs = std::filesystem;

/// Reads keys of one file and keeps the first complaint, so that the code below reads like the file.
class Reader {
 public:
  Reader(const toml::table& table, fs::path path) : m_table(table), m_path(std::move(path)) {}

  template <class T>
  T required(std::string_view key) {
    const auto value = m_table.at_path(key).value<T>();
    if (!value) complain(key, "is missing or of the wrong type");
    return value.value_or(T{});
  }
  template <class T>
  T optional(std::string_view key, T otherwise) {
    const toml::node_view node = m_table.at_path(key);
    if (!node) return otherwise;
    const auto value = node.template value<T>();
    if (!value) complain(key, "is of the wrong type");
    return value.value_or(otherwise);
  }
  int positive(std::string_view key, int otherwise) { return whole(key, otherwise, 1, 4096); }
  int whole(std::string_view key, int otherwise, int least, int most) {
    const int64_t value = optional<int64_t>(key, otherwise);
    if (value < least || value > most) complain(key, fmt::format("must be between {} and {}", least, most));
    return static_cast<int>(std::clamp<int64_t>(value, least, most));
  }
  /// The name of an ONNX file of the package.
  std::string network(std::string_view key) {
    auto name = required<std::string>(key);
    if (name.find('/') != std::string::npos) complain(key, "must name a file of the package");
    const toml::table* files = m_table["sha256"].as_table();
    if (!files || !files->contains(name))
      complain("sha256", fmt::format("must give the hash of the file that '{}' names", key));
    return name;
  }
  Range range(std::string_view key) {
    const toml::array* pair = m_table.at_path(key).as_array();
    if (!pair || pair->size() != 2 || !(*pair)[0].value<double>() || !(*pair)[1].value<double>()) {
      complain(key, "must be two numbers: [smallest, largest]");
      return {};
    }
    const Range r{*(*pair)[0].value<double>(), *(*pair)[1].value<double>()};
    if (!(r.min < r.max)) complain(key, "must name the smaller number first");
    return r;
  }
  void complain(std::string_view key, std::string_view what) {
    if (m_complaint.empty()) m_complaint = fmt::format("{}: the key '{}' {}", m_path.string(), key, what);
  }
  const std::string& complaint() const { return m_complaint; }

 private:
  const toml::table& m_table;
  fs::path m_path;
  std::string m_complaint;
};

std::vector<AnchorLevel> readLevels(const toml::table& table, Reader& read) {
  std::vector<AnchorLevel> levels;
  const toml::array* list = table.at_path("output.levels").as_array();
  if (!list || list->empty()) read.complain("output.levels", "must list the levels of an anchor network");
  for (size_t i = 0; list && i < list->size(); ++i) {
    const std::string key = fmt::format("output.levels[{}]", i);
    AnchorLevel level;
    level.scores = read.required<std::string>(key + ".scores");
    level.boxes = read.required<std::string>(key + ".boxes");
    const auto stride = [&](int axis) { return read.positive(fmt::format("{}.strideVoxels[{}]", key, axis), 1); };
    level.strideVoxels = {stride(0), stride(1), stride(2)};
    const toml::array* sizes = table.at_path(key + ".sizesVoxels").as_array();
    if (!sizes || sizes->empty()) read.complain(key + ".sizesVoxels", "must list the anchors as [x, y, z]");
    for (size_t a = 0; sizes && a < sizes->size(); ++a) {
      const auto size = [&](int axis) {
        return read.required<double>(fmt::format("{}.sizesVoxels[{}][{}]", key, a, axis));
      };
      level.sizesVoxels.push_back({size(0), size(1), size(2)});
    }
    levels.push_back(std::move(level));
  }
  return levels;
}

Output readOutput(const toml::table& table, Reader& read) {
  Output out;
  const auto coding = read.required<std::string>("output.coding");
  if (coding == "heat-map") {
    out.coding = Coding::heatMap;
    out.heat = read.optional<std::string>("output.heat", out.heat);
    out.size = read.optional<std::string>("output.size", out.size);
    out.offset = read.optional<std::string>("output.offset", out.offset);
    out.strideVoxels = read.positive("output.strideVoxels", out.strideVoxels);
  } else if (coding == "anchors") {
    out.coding = Coding::anchors;
    out.levels = readLevels(table, read);
  } else {
    read.complain("output.coding", "must be \"heat-map\" or \"anchors\"");
  }
  out.candidateScore = read.optional("output.candidateScore", out.candidateScore);
  if (!(out.candidateScore > 0 && out.candidateScore < 1))
    read.complain("output.candidateScore", "must lie between 0 and 1");
  out.nmsIou = read.optional("output.nmsIou", out.nmsIou);
  out.maxFindings = read.positive("output.maxFindings", out.maxFindings);
  out.kind = read.optional("output.kind", out.kind);
  out.threshold = read.required<double>("output.threshold");
  return out;
}

std::optional<SecondStage> readSecondStage(const toml::table& table, Reader& read) {
  if (!table.contains("secondStage")) return std::nullopt;
  SecondStage second;
  second.network = read.network("secondStage.network");
  // 96^3 voxels are few enough to be cut out by one thread while others cut out the next.
  second.cropVoxels = read.whole("secondStage.cropVoxels", second.cropVoxels, 8, 96);
  second.spacingMm = read.optional("secondStage.spacingMm", second.spacingMm);
  if (!(second.spacingMm > 0.1 && second.spacingMm <= 10))
    read.complain("secondStage.spacingMm", "must be above 0.1 and at most 10");
  second.candidates = read.positive("secondStage.candidates", second.candidates);
  return second;
}

Calibration readCalibration(const toml::table& table, Reader& read) {
  Calibration c;
  c.slope = read.optional("calibration.slope", 1.0);
  c.intercept = read.optional("calibration.intercept", 0.0);
  if (!(c.slope > 0)) read.complain("calibration.slope", "must be positive: scores keep their order");
  constexpr std::string_view kSecond = "calibration.secondStageSlope";
  if (table.contains("secondStage")) {
    c.secondStageSlope = read.required<double>(kSecond);
    if (!(c.secondStageSlope > 0)) read.complain(kSecond, "must be positive: scores keep their order");
  } else if (table.at_path(kSecond)) {
    read.complain(kSecond, "needs a table [secondStage]");
  }
  return c;
}

std::vector<fs::path> modelFolders() {
  std::vector<fs::path> folders;
  if (const char* set = std::getenv("LYNCEUS_MODELS"); set && *set) folders.emplace_back(set);
  std::error_code ignored;
  const fs::path program = fs::read_symlink("/proc/self/exe", ignored).parent_path();
  folders.push_back(program.parent_path() / "share/lynceus/models");
  folders.push_back(program.parent_path().parent_path().parent_path() / "resources/models");  // build/<preset>/bin
  return folders;
}

std::string outside(std::string_view what, double value, const Range& allowed) {
  return fmt::format("{} is {:.2f} mm, the model was made for {:.2f} to {:.2f} mm", what, value, allowed.min,
                     allowed.max);
}

}  // namespace

Expected<Package> readPackage(const fs::path& folder) {
  const fs::path path = folder / "model.toml";
  std::error_code ignored;
  if (!fs::is_regular_file(path, ignored)) {
    return makeError(ErrorCode::resource, "{}: there is no such file; a model package is a folder with a model.toml",
                     path.string());
  }
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  // toml++ 3.3 runs into undefined behaviour on some characters outside strings; nothing in the file needs them.
  const auto strange =
      std::find_if(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) > 126; });
  if (strange != text.end()) {
    return makeError(ErrorCode::badInput, "{}: line {}: write the file in plain ASCII", path.string(),
                     1 + std::count(text.begin(), strange, '\n'));
  }
  toml::table table;
  try {
    table = toml::parse(text, path.string());
  } catch (const toml::parse_error& e) {
    return makeError(ErrorCode::badInput, "{}: line {}: {}", path.string(), e.source().begin.line, e.description());
  }
  Reader read(table, path);
  const auto schema = read.required<int64_t>("schemaVersion");
  if (schema != kModelSchemaVersion) {
    return makeError(ErrorCode::unsupported, "{}: schemaVersion is {}, this version of Lynceus reads {}", path.string(),
                     schema, kModelSchemaVersion);
  }
  Package p;
  p.folder = folder;
  p.definitionSha256 = sha256(text);
  p.id = read.required<std::string>("id");
  p.version = read.required<std::string>("version");
  p.task = read.required<std::string>("task");
  p.licence = read.required<std::string>("licence");
  p.summary = read.optional<std::string>("summary", "");
  p.network = read.network("network");
  p.input.modality = read.optional<std::string>("input.modality", "CT");
  p.input.pixelSpacingMm = read.range("input.pixelSpacingMm");
  p.input.sliceSpacingMm = read.range("input.sliceSpacingMm");
  p.input.sliceThicknessMm = read.range("input.sliceThicknessMm");
  p.input.coverageMm = read.range("input.coverageMm");
  p.preprocessing.spacingMm = read.required<double>("preprocessing.spacingMm");
  if (!(p.preprocessing.spacingMm > 0.1)) read.complain("preprocessing.spacingMm", "must be above 0.1");
  const Range window = read.range("preprocessing.windowHu");
  p.preprocessing.lowHu = window.min;
  p.preprocessing.highHu = window.max;
  p.tiling.maxSizeVoxels = read.positive("tiling.maxSizeVoxels", p.tiling.maxSizeVoxels);
  p.tiling.overlapVoxels = read.positive("tiling.overlapVoxels", p.tiling.overlapVoxels);
  p.tiling.multipleOf = read.positive("tiling.multipleOf", p.tiling.multipleOf);
  if (p.tiling.maxSizeVoxels % p.tiling.multipleOf != 0 || p.tiling.maxSizeVoxels <= 2 * p.tiling.overlapVoxels) {
    read.complain("tiling.maxSizeVoxels",
                  "must be a multiple of tiling.multipleOf and above twice tiling.overlapVoxels");
  }
  p.output = readOutput(table, read);
  p.secondStage = readSecondStage(table, read);
  p.calibration = readCalibration(table, read);
  if (const toml::table* files = table["sha256"].as_table()) {
    for (const auto& [name, hash] : *files) p.sha256[std::string(name.str())] = hash.value_or(std::string());
  }
  if (!read.complaint().empty()) return tl::make_unexpected(Error{ErrorCode::badInput, read.complaint()});
  return p;
}

Expected<void> verifyPackage(const Package& package) {
  for (const auto& [name, expected] : package.sha256) {
    const auto found = sha256OfFile(package.folder / name);
    if (!found) return passError(found);
    if (*found != expected) {
      return makeError(ErrorCode::resource, "{}: its SHA-256 is {}, model.toml says {}; install the package again",
                       (package.folder / name).string(), *found, expected);
    }
  }
  return {};
}

Expected<std::vector<Package>> findPackages() {
  std::vector<Package> found;
  for (const fs::path& folder : modelFolders()) {
    std::error_code ignored;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored)) {
      if (!fs::exists(entry.path() / "model.toml", ignored)) continue;
      auto package = readPackage(entry.path());
      if (!package) return passError(package);
      // The first folder that has an id wins: a site's own version shadows the shipped one.
      const bool known = std::any_of(found.begin(), found.end(), [&](const Package& p) { return p.id == package->id; });
      if (!known) found.push_back(std::move(*package));
    }
  }
  std::sort(found.begin(), found.end(), [](const Package& a, const Package& b) { return a.id < b.id; });
  return found;
}

Expected<Package> findPackage(const std::string& idOrFolder) {
  std::error_code ignored;
  if (!idOrFolder.empty() && fs::is_directory(idOrFolder, ignored)) return readPackage(idOrFolder);
  auto packages = findPackages();
  if (!packages) return passError(packages);
  std::string known;
  for (Package& p : *packages) {
    if (idOrFolder.empty() ? p.task == "lung-nodule" : p.id == idOrFolder) return std::move(p);
    known += (known.empty() ? "" : ", ") + p.id;
  }
  return makeError(ErrorCode::resource,
                   "there is no model '{}'; installed: {}. Set LYNCEUS_MODELS or give a package folder",
                   idOrFolder.empty() ? "lung-nodule" : idOrFolder, known.empty() ? "none" : known);
}

std::string brokenRule(const InputRules& rules, const image::Geometry& geometry, const SeriesFacts& facts) {
  if (!facts.modality.empty() && facts.modality != rules.modality) {
    return fmt::format("modality is {}, the model was made for {}", facts.modality, rules.modality);
  }
  for (const double pixel : {geometry.spacingMm.x, geometry.spacingMm.y}) {
    if (!rules.pixelSpacingMm.contains(pixel)) return outside("the pixel spacing", pixel, rules.pixelSpacingMm);
  }
  if (!rules.sliceSpacingMm.contains(geometry.spacingMm.z)) {
    return outside("the slice spacing", geometry.spacingMm.z, rules.sliceSpacingMm);
  }
  if (facts.sliceThicknessMm > 0 && !rules.sliceThicknessMm.contains(facts.sliceThicknessMm)) {
    return outside("the slice thickness", facts.sliceThicknessMm, rules.sliceThicknessMm);
  }
  const double coverage = geometry.spacingMm.z * geometry.size.z;
  if (!rules.coverageMm.contains(coverage))
    return outside("the coverage along the patient", coverage, rules.coverageMm);
  return {};
}

}  // namespace lynceus::model
