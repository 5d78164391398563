#include "core/model/package.h"

#include <algorithm>
#include <charconv>
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
  /// Letters, digits and what else is harmless in a file name and on a command line.
  std::string identifier(std::string_view key) {
    auto text = required<std::string>(key);
    if (text.empty() || text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789.-_") != std::string::npos)
      complain(key, "must be made of lower-case letters, digits, '.', '-' and '_'");
    return text;
  }
  /// Of the package's own folder, wherever it is moved to.
  void fileName(std::string_view key, const std::string& name) {
    if (name.empty()) return complain(key, "is empty: name a file beside model.toml");
    if (name.front() == '/')
      return complain(key, fmt::format("is the absolute path '{}': name a file beside model.toml", name));
    if (name == "." || name == ".." || name.substr(0, 3) == "../" || name.find("/../") != std::string::npos)
      return complain(key, fmt::format("leaves the package with '{}': name a file beside model.toml", name));
    if (name.find('/') != std::string::npos || name.find('\0') != std::string::npos)
      complain(key, fmt::format("is '{}', in another folder: name a file beside model.toml", name));
  }
  /// The name of an ONNX file of the package.
  std::string network(std::string_view key) {
    auto name = required<std::string>(key);
    fileName(key, name);
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
      for (const double extent : level.sizesVoxels.back())
        if (!(extent > 0 && extent <= 4096)) read.complain(key + ".sizesVoxels", "must be above 0 and at most 4096");
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

Tiling readTiling(Reader& read, const Output& output) {
  Tiling t;
  t.maxSizeVoxels = read.positive("tiling.maxSizeVoxels", t.maxSizeVoxels);
  t.overlapVoxels = read.positive("tiling.overlapVoxels", t.overlapVoxels);
  t.multipleOf = read.positive("tiling.multipleOf", t.multipleOf);
  if (t.maxSizeVoxels % t.multipleOf != 0 || t.maxSizeVoxels <= 2 * t.overlapVoxels) {
    read.complain("tiling.maxSizeVoxels",
                  "must be a multiple of tiling.multipleOf and above twice tiling.overlapVoxels");
  }
  std::vector<image::Int3> strides{{output.strideVoxels, output.strideVoxels, output.strideVoxels}};
  if (output.coding == Coding::anchors) strides.clear();
  for (const AnchorLevel& level : output.levels) strides.push_back(level.strideVoxels);
  for (const image::Int3& s : strides) {
    if (t.multipleOf % s.x != 0 || t.multipleOf % s.y != 0 || t.multipleOf % s.z != 0)
      read.complain("tiling.multipleOf", "must be a multiple of every strideVoxels of the output");
  }
  return t;
}

std::map<std::string, std::string> readHashes(const toml::table& table, Reader& read) {
  std::map<std::string, std::string> hashes;
  if (const toml::table* files = table["sha256"].as_table()) {
    for (const auto& [name, hash] : *files) {
      read.fileName("sha256", std::string(name.str()));
      hashes[std::string(name.str())] = hash.value_or(std::string());
    }
  }
  return hashes;
}

/// The text of a model.toml, in which the parser has nothing to stumble over.
Expected<std::string> readText(const fs::path& path) {
  constexpr uintmax_t kMostBytes = 1 << 20;
  std::error_code failed;
  if (!fs::is_regular_file(path, failed)) {
    return makeError(ErrorCode::resource, "{}: there is no such file; a model package is a folder with a model.toml",
                     path.string());
  }
  if (fs::file_size(path, failed) > kMostBytes || failed)
    return makeError(ErrorCode::resource, "{}: more than 1 MiB: this is not the description of a model", path.string());
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file) return makeError(ErrorCode::resource, "{}: the file cannot be read", path.string());
  // toml++ 3.3 runs into undefined behaviour on some characters outside strings; nothing in the file needs them.
  const auto strange =
      std::find_if(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) > 126; });
  if (strange != text.end()) {
    return makeError(ErrorCode::resource, "{}: line {}: write the file in plain ASCII", path.string(),
                     1 + std::count(text.begin(), strange, '\n'));
  }
  return text;
}

Expected<toml::table> parseText(const std::string& text, const fs::path& path) {
  try {
    return toml::parse(text, path.string());
  } catch (const toml::parse_error& e) {
    return makeError(ErrorCode::resource, "{}: line {}: {}", path.string(), e.source().begin.line, e.description());
  }
}

/// The file itself, wherever links lead, where that is in the package's folder.
Expected<fs::path> fileOf(const Package& package, const std::string& name) {
  const fs::path path = package.folder / name;
  std::error_code failed;
  if (!fs::exists(path, failed)) {
    return makeError(ErrorCode::resource,
                     "{}: model.toml names this file, but it is missing; install the package again", path.string());
  }
  const fs::path home = fs::canonical(package.folder, failed), file = fs::canonical(path, failed);
  if (failed || std::mismatch(home.begin(), home.end(), file.begin(), file.end()).first != home.end()) {
    return makeError(ErrorCode::resource, "{}: this link leaves the package's folder; put the file itself there",
                     path.string());
  }
  if (!fs::is_regular_file(file, failed))
    return makeError(ErrorCode::resource, "{}: this is not a file; install the package again", path.string());
  return file;
}

std::string outside(std::string_view what, double value, const Range& allowed) {
  return fmt::format("{} is {:.2f} mm, the model was made for {:.2f} to {:.2f} mm", what, value, allowed.min,
                     allowed.max);
}

}  // namespace

std::optional<Version> parseVersion(std::string_view text) {
  Version version{};
  const char *at = text.data(), *end = at + text.size();
  for (size_t i = 0; i < version.size(); ++i) {
    if (i > 0 && (at == end || *at++ != '.')) return std::nullopt;
    const auto [next, failed] = std::from_chars(at, end, version[i]);
    if (failed != std::errc{} || version[i] < 0) return std::nullopt;
    at = next;
  }
  if (at != end) return std::nullopt;
  return version;
}

Expected<Package> readPackage(const fs::path& folder) {
  const fs::path path = folder / "model.toml";
  const auto text = readText(path);
  if (!text) return passError(text);
  const auto parsed = parseText(*text, path);
  if (!parsed) return passError(parsed);
  const toml::table& table = *parsed;
  Reader read(table, path);
  const auto schema = read.required<int64_t>("schemaVersion");
  if (schema != kModelSchemaVersion) {
    return makeError(ErrorCode::resource, "{}: schemaVersion is {}, this version of Lynceus reads {}", path.string(),
                     schema, kModelSchemaVersion);
  }
  Package p;
  p.folder = folder;
  p.definitionSha256 = sha256(*text);
  p.id = read.identifier("id");
  p.version = read.required<std::string>("version");
  if (!parseVersion(p.version)) read.complain("version", "must be three numbers with dots, such as 1.2.0");
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
  p.output = readOutput(table, read);
  p.tiling = readTiling(read, p.output);
  p.secondStage = readSecondStage(table, read);
  p.calibration = readCalibration(table, read);
  p.sha256 = readHashes(table, read);
  if (!read.complaint().empty()) return tl::make_unexpected(Error{ErrorCode::resource, read.complaint()});
  return p;
}

BrokenPackage describeBroken(const fs::path& folder, Error error) {
  BrokenPackage broken{folder, {}, {}, std::move(error)};
  const auto text = readText(folder / "model.toml");
  if (!text) return broken;
  const auto table = parseText(*text, folder / "model.toml");
  if (!table) return broken;
  broken.id = (*table)["id"].value_or(std::string());
  broken.version = (*table)["version"].value_or(std::string());
  return broken;
}

Expected<std::string> readFile(const Package& package, const std::string& name) {
  constexpr uintmax_t kMostBytes = uintmax_t{1} << 31;  // no ONNX file is larger
  const auto path = fileOf(package, name);
  if (!path) return passError(path);
  const fs::path shown = package.folder / name;
  std::error_code failed;
  const uintmax_t size = fs::file_size(*path, failed);
  if (failed || size > kMostBytes)
    return makeError(ErrorCode::resource, "{}: larger than 2 GiB; install the package again", shown.string());
  std::string bytes(size, '\0');
  if (std::ifstream file(*path, std::ios::binary); !file.read(bytes.data(), static_cast<std::streamsize>(size)))
    return makeError(ErrorCode::resource, "{}: the file cannot be read; check its access rights", shown.string());
  const std::string found = lynceus::sha256(bytes), &wanted = package.sha256.at(name);
  if (found != wanted) {
    return makeError(ErrorCode::resource, "{}: its SHA-256 is {}, model.toml says {}; install the package again",
                     shown.string(), found, wanted);
  }
  return bytes;
}

Expected<void> verifyPackage(const Package& package) {
  for (const auto& [name, hash] : package.sha256) {
    if (auto bytes = readFile(package, name); !bytes) return passError(bytes);
  }
  return {};
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
