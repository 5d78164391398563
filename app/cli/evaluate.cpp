// lynceus evaluate: how many findings a detector finds at what price in false marks, and whether its scores are
// probabilities.
#include <algorithm>
#include <memory>

#include <CLI/CLI.hpp>

#include "app/cli/command.h"
#include "core/atomic_file.h"
#include "core/evaluate/plot.h"
#include "core/evaluate/report.h"
#include "io/results/findings_json.h"

namespace lynceus::cli {
namespace {

namespace fs = std::filesystem;

struct Arguments {
  evaluate::LunaFiles lists;
  std::string truth, results, patches, json, plot, title;
  evaluate::BootstrapOptions bootstrap;
};

/// The folders of `path` with a truth.json, by name.
Expected<std::vector<std::string>> studiesWithTruth(const fs::path& path) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(path, error)) {
    std::error_code ignored;
    if (fs::exists(entry.path() / "truth.json", ignored)) names.push_back(entry.path().filename().string());
  }
  if (error)
    return makeError(ErrorCode::resource, "{}: cannot be read as a folder: {}", path.string(), error.message());
  if (names.empty()) {
    return makeError(ErrorCode::badInput, "{}: no folder in it holds a truth.json: give the folder of the phantoms",
                     path.string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

Expected<evaluate::KnownFinding> knownFinding(const detect::Finding& finding, const fs::path& file,
                                              const std::vector<std::string>& groupColumns) {
  evaluate::KnownFinding known{
      {finding.centerMm, evaluate::diameterOf(finding)}, fmt::format("finding {}", finding.id), {}};
  if (!(known.ball.diameterMm > 0)) {
    return makeError(ErrorCode::badInput, "{}: {} has the diameter {} mm: give one above 0", file.string(), known.place,
                     known.ball.diameterMm);
  }
  for (const std::string& column : groupColumns) {
    const auto tag = finding.tags.find(column);
    known.groups.push_back(tag == finding.tags.end() ? "not given" : tag->second);
  }
  return known;
}

Expected<evaluate::Scan> readStudy(const std::string& name, const Arguments& args,
                                   const std::vector<std::string>& groupColumns) {
  const fs::path truthFile = fs::path(args.truth) / name / "truth.json";
  const fs::path resultFile = fs::path(args.results) / name / "findings.json";
  const auto truth = results::readFindingsJson(truthFile);
  if (!truth) return passError(truth);
  std::error_code ignored;
  if (!fs::exists(resultFile, ignored)) {
    return makeError(ErrorCode::badInput,
                     "{}: is not there, and a study without a result is not one without findings: run `lynceus batch` "
                     "on {}",
                     resultFile.string(), args.truth);
  }
  const auto result = results::readFindingsJson(resultFile);
  if (!result) return passError(result);
  if (result->status != detect::Status::succeeded) {
    return makeError(ErrorCode::badInput,
                     "{}: its status is \"{}\" ({}), which is not a study without findings: detect it again",
                     resultFile.string(), results::statusName(result->status), result->reason);
  }
  evaluate::Scan scan;
  scan.name = name;
  for (const detect::Finding& f : truth->findings) {
    auto known = knownFinding(f, truthFile, groupColumns);
    if (!known) return passError(known);
    scan.findings.push_back(std::move(*known));
  }
  for (const detect::Finding& f : result->findings) scan.marks.push_back({f.centerMm, f.score});
  return scan;
}

Expected<evaluate::LunaInput> readFolders(const Arguments& args) {
  const auto names = studiesWithTruth(args.truth);
  if (!names) return passError(names);
  evaluate::LunaInput result;
  std::vector<std::string>& columns = result.input.groupColumns;
  columns = {"texture", "attachment"};
  for (const std::string& name : args.lists.groupColumns)
    if (std::find(columns.begin(), columns.end(), name) == columns.end()) columns.push_back(name);
  for (const std::string& name : *names) {
    auto scan = readStudy(name, args, columns);
    if (!scan) return passError(scan);
    result.input.scans.push_back(std::move(*scan));
  }
  if (!args.lists.background.empty()) {
    if (auto set = evaluate::setBackground(args.lists.background, result.input); !set) return passError(set);
  }
  return result;
}

evaluate::Origin originOf(const Arguments& args) {
  evaluate::Origin origin{{}, args.bootstrap};
  const std::pair<const char*, const std::string*> files[] = {{"annotations", &args.lists.annotations},
                                                              {"excluded", &args.lists.excluded},
                                                              {"series", &args.lists.series},
                                                              {"detections", &args.lists.detections},
                                                              {"background", &args.lists.background},
                                                              {"truth", &args.truth},
                                                              {"results", &args.results},
                                                              {"patches", &args.patches}};
  for (const auto& [name, file] : files)
    if (!file->empty()) origin.inputs[name] = *file;
  return origin;
}

/// What there is to evaluate is given in one of three ways.
Expected<void> checkUse(const Arguments& args) {
  const evaluate::LunaFiles& l = args.lists;
  const bool lists = !l.annotations.empty() || !l.series.empty() || !l.detections.empty() || !l.excluded.empty();
  const bool folders = !args.truth.empty() || !args.results.empty();
  const bool patches = !args.patches.empty();
  const bool complete = lists     ? !l.annotations.empty() && !l.series.empty() && !l.detections.empty()
                        : folders ? !args.truth.empty() && !args.results.empty()
                                  : patches && l.background.empty() && l.groupColumns.empty();
  if (complete && lists + folders + patches == 1) return {};
  return makeError(ErrorCode::wrongUse,
                   "evaluate: give --annotations, --series and --detections, or --truth and --results, or --patches "
                   "alone; --excluded goes with the first, --background and --by with the first two");
}

Expected<void> writeFiles(const Arguments& args, const nlohmann::json& json, const std::string& plot) {
  if (!args.json.empty()) {
    if (auto written = writeFileAtomically(args.json, json.dump(1) + "\n"); !written) return written;
  }
  if (!args.plot.empty()) return writeFileAtomically(args.plot, plot);
  return {};
}

std::string titleOf(const Arguments& args, const std::string& fallback) {
  return args.title.empty() ? fallback : args.title;
}

Expected<void> evaluatePatches(const Arguments& args) {
  const auto outcomes = evaluate::readPatches(args.patches);
  if (!outcomes) return passError(outcomes);
  const auto patches = evaluate::evaluatePatches(*outcomes, args.bootstrap);
  if (!patches) return makeError(patches.error().code, "{}: {}", args.patches, patches.error().message);
  fmt::print("{}", tableOf(*patches));
  return writeFiles(args, jsonOf(*patches, originOf(args)),
                    plotOf(*patches, titleOf(args, fs::path(args.patches).filename().string())));
}

Expected<void> evaluateDetections(const Arguments& args) {
  const bool folders = !args.truth.empty();
  const auto input = folders ? readFolders(args) : evaluate::readLunaLists(args.lists);
  if (!input) return passError(input);
  const std::string& known = folders ? args.truth : args.lists.annotations;
  const auto froc = evaluate::computeFroc(input->input, args.bootstrap);
  if (!froc) return makeError(froc.error().code, "{}: {}", known, froc.error().message);
  fmt::print("{}", tableOf(*froc, *input));
  const std::string& found = folders ? args.results : args.lists.detections;
  return writeFiles(args, jsonOf(*froc, *input, originOf(args)),
                    plotOf(*froc, titleOf(args, fs::path(found).filename().string())));
}

Expected<void> runEvaluate(const Arguments& args) {
  if (auto right = checkUse(args); !right) return right;
  return args.patches.empty() ? evaluateDetections(args) : evaluatePatches(args);
}

}  // namespace

void addEvaluate(CLI::App& app, int& exitCode) {
  CLI::App* command = app.add_subcommand(
      "evaluate", "Sensitivity, false marks and calibration of detections, by the protocol of LUNA16");
  const auto args = std::make_shared<Arguments>();
  evaluate::LunaFiles& lists = args->lists;
  command->add_option("--annotations", lists.annotations,
                      "CSV of findings: seriesuid, coordX, coordY, coordZ (LPS, mm), diameter_mm");
  command->add_option("--excluded", lists.excluded, "CSV of findings in which marks are ignored: the same columns");
  command->add_option("--series", lists.series, "CSV of the series to evaluate: one UID a line");
  command->add_option("--detections", lists.detections, "CSV of marks: seriesuid, coordX, coordY, coordZ, probability");
  command->add_option("--truth", args->truth, "instead of the lists: a folder of studies with a truth.json each");
  command->add_option("--results", args->results, "with --truth: what `lynceus batch` wrote for these studies");
  command->add_option(
      "--background", lists.background,
      "CSV of the series in which false marks are counted: a pseudo-FROC; the others give findings only");
  command->add_option("--by", lists.groupColumns,
                      "sensitivity for each value of this column of the annotations or tag of the truth; always by "
                      "diameter, and by texture and attachment where they are given");
  command->add_option("--patches", args->patches, "alone: CSV of classified patches: patient, label (0, 1), score");
  command->add_option("--json", args->json, "write every figure here");
  command->add_option("--plot", args->plot, "draw the curve and the reliability of the scores here, as SVG");
  command->add_option("--title", args->title, "of the plot; default: the name of the detections");
  command->add_option("--bootstraps", args->bootstrap.replicates, "samples behind the 95 % intervals")
      ->check(CLI::Range(evaluate::kLeastReplicates, 100000))
      ->capture_default_str();
  command->add_option("--seed", args->bootstrap.seed, "of these samples: the same seed gives the same intervals")
      ->capture_default_str();
  addThreadsOption(*command);
  command->callback([args, &exitCode] {
    const auto done = runEvaluate(*args);
    exitCode = done ? static_cast<int>(kExitOk) : reportError(done.error());
  });
}

}  // namespace lynceus::cli
