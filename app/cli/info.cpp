// lynceus info PATH: what lies there, said the way a radiographer asks for it, and which models accept it.
#include <filesystem>
#include <string>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "app/cli/command.h"
#include "app/study/series_choice.h"
#include "core/model/package.h"
#include "io/source.h"

namespace lynceus::cli {
namespace {

using io::dicom::GeometryProblem;
using io::dicom::Series;
using io::dicom::SeriesIdentity;
using nlohmann::json;

constexpr int kInfoSchemaVersion = 1;
constexpr size_t kShownProblems = 5;

// 20240131 -> 2024-01-31
std::string dateText(const std::string& date) {
  return date.size() == 8 ? date.substr(0, 4) + "-" + date.substr(4, 2) + "-" + date.substr(6, 2) : date;
}

// The parts that are not empty.
std::string join(const std::vector<std::string>& parts, const std::string& separator = ", ") {
  std::string text;
  for (const std::string& p : parts) {
    if (!p.empty()) text += (text.empty() ? "" : separator) + p;
  }
  return text;
}

std::string prefixed(const std::string& prefix, const std::string& text) { return text.empty() ? "" : prefix + text; }

std::string sizeText(const Series& s) {
  const std::string slices = s.spacingMm.z > 0 ? fmt::format(" x {:.4g}", s.spacingMm.z) : "";
  return fmt::format("{} x {} x {} voxels of {:.4g} x {:.4g}{} mm", s.size.x, s.size.y, s.size.z, s.spacingMm.x,
                     s.spacingMm.y, slices);
}

void printLine(const char* label, const std::string& text) {
  if (!text.empty()) fmt::print("  {:<12} {}\n", label, text);
}

double coverageMm(const Series& s) { return s.report.lastMm - s.report.firstMm + s.report.spacingMm; }

std::string coverageText(const Series& s) {
  if (s.report.spacingMm <= 0) return "";
  return fmt::format("{:.1f} mm, slice centres from {:.1f} to {:.1f} mm along the slice normal", coverageMm(s),
                     s.report.firstMm, s.report.lastMm);
}

void printGeometry(const Series& s) {
  const auto& report = s.report;
  const std::string name(geometryClassName(report.geometryClass));
  printLine("geometry", report.regular()  ? report.verdict()
                        : report.usable() ? name + ": loading straightens it by shifting slices"
                                          : fmt::format("NOT REGULAR ({})", name));
  for (size_t i = 0; i < report.problems.size() && i < kShownProblems; ++i) {
    printLine(report.problems[i].severity == io::dicom::Severity::bad ? "  problem" : "  notice",
              report.problems[i].sentence);
  }
  if (report.problems.size() > kShownProblems) {
    printLine("", fmt::format("  and {} more", report.problems.size() - kShownProblems));
  }
}

std::string gantryTiltText(const Series& s) {
  if (s.instances.empty()) return "";
  const double degrees = s.instances.front().gantryTiltDegrees.value_or(0);
  return degrees != 0 ? fmt::format("gantry tilt {:g} degrees by the header", degrees) : "";
}

using Packages = std::vector<model::Package>;

void printModels(const Series& s, const Packages& packages) {
  for (const model::Package& package : packages) {
    const std::string why = study::whyRefused(s, package.input);
    printLine("model",
              fmt::format("{} {} {}", package.id, package.version, why.empty() ? "accepts it" : "refuses it: " + why));
  }
}

void printSeries(const Series& s, const Packages& packages, size_t number, size_t count) {
  const SeriesIdentity& id = s.identity;
  fmt::print("\nSeries {} of {}: {}\n", number, count, s.name());
  printLine("patient", join({id.patientName, prefixed("ID ", id.patientId),
                             prefixed("born ", dateText(id.patientBirthDate)), id.patientSex}));
  printLine("study", join({dateText(id.studyDate), id.studyDescription, prefixed("accession ", id.accessionNumber)}));
  printLine("series", join({id.seriesNumber != 0 ? fmt::format("number {}", id.seriesNumber) : "", id.modality,
                            id.bodyPart, prefixed("kernel ", id.kernel), prefixed("contrast ", id.contrast),
                            id.kvp ? fmt::format("{:g} kV", *id.kvp) : ""}));
  printLine("scanner", join({id.manufacturer, id.manufacturerModel, gantryTiltText(s)}, " "));
  printLine("size", sizeText(s));
  printLine("thickness", id.sliceThicknessMm ? fmt::format("{:g} mm", *id.sliceThicknessMm) : "");
  printLine("coverage", coverageText(s));
  printLine("compression", s.compression);
  printGeometry(s);
  printModels(s, packages);
  if (id.textGuessed) printLine("text", "the character set is guessed: the one that the files declare cannot be right");
  printLine("UID", s.id());
}

void printRemarks(const io::Source& source) {
  std::string text;
  for (const std::string& remark : source.remarks) text += remark + "\n";
  const std::string skipped = io::describeSkipped(source.skipped);
  if (!skipped.empty()) text += fmt::format("Not used: {}\n", skipped);
  for (const auto& file : source.skipped.damaged) text += fmt::format("Damaged: {}\n", file.reason);
  if (!text.empty()) fmt::print("\n{}", text);
}

void printText(const io::Source& source, const Packages& packages) {
  fmt::print("{}: {} CT series\n", source.path.string(), source.series.size());
  for (size_t i = 0; i < source.series.size(); ++i)
    printSeries(source.series[i], packages, i + 1, source.series.size());
  printRemarks(source);
}

json optional(const std::optional<double>& value) { return value ? json(*value) : json(nullptr); }

json identityJson(const SeriesIdentity& id) {
  return {{"patientId", id.patientId},
          {"patientName", id.patientName},
          {"patientBirthDate", id.patientBirthDate},
          {"patientSex", id.patientSex},
          {"studyUid", id.studyUid},
          {"studyDate", id.studyDate},
          {"studyDescription", id.studyDescription},
          {"accessionNumber", id.accessionNumber},
          {"seriesUid", id.seriesUid},
          {"seriesNumber", id.seriesNumber},
          {"seriesDescription", id.seriesDescription},
          {"modality", id.modality},
          {"bodyPart", id.bodyPart},
          {"kernel", id.kernel},
          {"contrast", id.contrast},
          {"manufacturer", id.manufacturer},
          {"manufacturerModel", id.manufacturerModel},
          {"sliceThicknessMm", optional(id.sliceThicknessMm)},
          {"kvp", optional(id.kvp)}};
}

json reportJson(const io::dicom::GeometryReport& report) {
  json problems = json::array();
  for (const GeometryProblem& p : report.problems) {
    problems.push_back({{"kind", geometryClassName(p.kind)},
                        {"severity", p.severity == io::dicom::Severity::bad ? "bad" : "notice"},
                        {"slices", p.slices},
                        {"mm", p.mm},
                        {"sentence", p.sentence}});
  }
  return {{"class", geometryClassName(report.geometryClass)},
          {"usable", report.usable()},
          {"verdict", report.verdict()},
          {"spacingMm", report.spacingMm},
          {"firstMm", report.firstMm},
          {"lastMm", report.lastMm},
          {"tiltDegrees", report.tiltDegrees},
          {"largestDeviationMm", report.largestDeviationMm},
          {"problems", problems}};
}

json modelsJson(const Series& s, const Packages& packages) {
  json models = json::array();
  for (const model::Package& package : packages) {
    const std::string why = study::whyRefused(s, package.input);
    models.push_back({{"id", package.id}, {"version", package.version}, {"accepts", why.empty()}, {"reason", why}});
  }
  return models;
}

json seriesJson(const Series& s, const Packages& packages) {
  json j = identityJson(s.identity);
  j["size"] = {s.size.x, s.size.y, s.size.z};
  j["spacingMm"] = {s.spacingMm.x, s.spacingMm.y, s.spacingMm.z};
  j["coverageMm"] = s.report.spacingMm > 0 ? json(coverageMm(s)) : json(nullptr);
  j["instances"] = s.instances.size();
  j["compression"] = s.compression;
  j["id"] = s.id();
  j["part"] = s.part;
  j["charsetGuessed"] = s.identity.textGuessed;
  j["geometry"] = reportJson(s.report);
  j["models"] = modelsJson(s, packages);
  return j;
}

void printJson(const io::Source& source, const Packages& packages) {
  json j = {{"schemaVersion", kInfoSchemaVersion}, {"path", source.path.string()}, {"series", json::array()}};
  for (const Series& s : source.series) j["series"].push_back(seriesJson(s, packages));
  json damaged = json::array();
  for (const auto& file : source.skipped.damaged)
    damaged.push_back({{"path", file.path.string()}, {"reason", file.reason}});
  j["remarks"] = source.remarks;
  j["skipped"] = {{"notDicom", source.skipped.notDicom},
                  {"notCtImages", source.skipped.notCtImages},
                  {"damaged", damaged},
                  {"copies", source.skipped.copies},
                  {"missing", source.skipped.missing},
                  {"zipFiles", source.skipped.zipFiles},
                  {"danglingLinks", source.skipped.danglingLinks},
                  {"otherFiles", source.skipped.otherFiles},
                  {"unreadableFolders", source.skipped.unreadableFolders}};
  // File names may hold any bytes; JSON may not.
  fmt::print("{}\n", j.dump(2, ' ', false, json::error_handler_t::replace));
}

int runInfo(const std::string& path, bool asJson) {
  Expected<io::Source> source = [&] {
    TerminalContext context("info");
    return io::openSource(path, context);
  }();
  if (!source) return reportError(source.error());
  // Without models the rest still is what was asked for.
  const auto packages = model::findPackages();
  if (!packages) fmt::print(stderr, "lynceus: note: {}\n", packages.error().message);
  const Packages known = packages.value_or(Packages{});
  asJson ? printJson(*source, known) : printText(*source, known);
  return kExitOk;
}

}  // namespace

void addInfo(CLI::App& app, int& exitCode) {
  struct Options {
    std::string path;
    bool json = false;
  };
  const auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("info", "Say what lies in a folder or file: patient, series, geometry, damage");
  command->add_option("PATH", options->path, "DICOM folder or file; NIfTI, MetaImage or NRRD file")->required();
  command->add_flag("--json", options->json, "Print JSON");
  command->callback([options, &exitCode] { exitCode = runInfo(options->path, options->json); });
}

}  // namespace lynceus::cli
