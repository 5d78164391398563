// lynceus detect: finds lesions in one study and writes findings.json and a key image of each finding.
#include <memory>

#include <CLI/CLI.hpp>

#include "app/cli/command.h"
#include "app/cli/detect_study.h"
#include "app/report/findings_table.h"
#include "core/evaluate/match.h"
#include "io/results/findings_json.h"

namespace lynceus::cli {
namespace {

struct Arguments {
  std::string path, output, seriesUid, model, truth;
  std::string device = "auto", region = "lung", precision = "fp32";
  bool all = false, tta = false;
  std::optional<double> threshold;
  io::LoadOptions load;
};

/// Which series of the source to search.
Expected<std::vector<size_t>> chosenSeries(const io::Source& source, const Arguments& args,
                                           const model::Package& package) {
  std::vector<size_t> chosen;
  if (args.all) {
    for (size_t i = 0; i < source.series.size(); ++i) chosen.push_back(i);
    return chosen;
  }
  if (!args.seriesUid.empty()) {
    const auto index = io::chooseSeries(source, args.seriesUid);
    if (!index) return passError(index);
    return std::vector<size_t>{*index};
  }
  std::vector<const io::dicom::Series*> series;
  for (const io::dicom::Series& s : source.series) series.push_back(&s);
  const SeriesChoice choice = chooseForModel(series, package.input, args.load);
  if (!choice.why.empty()) fmt::print(stderr, "{} (--series or --all to choose otherwise)\n", choice.why);
  return std::vector<size_t>{choice.index};
}

Expected<int> detectAll(const Arguments& args) {
  const auto precision = parsePrecision(args.precision);
  if (!precision) return passError(precision);
  std::vector<detect::Finding> truth;
  if (!args.truth.empty()) {
    auto known = results::readFindingsJson(args.truth);
    if (!known) return passError(known);
    truth = std::move(known->findings);
  }
  if (auto ready = prepareOutputFolder(args.output); !ready) return passError(ready);
  auto package = model::findPackage(args.model);
  if (!package) return passError(package);
  auto device = compute::openDevice(args.device);
  if (!device) return passError(device);
  auto pipeline = detect::Pipeline::create(*package, std::move(*device));
  if (!pipeline) return passError(pipeline);
  if (auto fits = checkPrecision(args.precision, pipeline->network()); !fits) return passError(fits);
  TerminalContext context("lynceus detect");
  const auto source = io::openSource(args.path, context);
  if (!source) return passError(source);
  const auto chosen = chosenSeries(*source, args, *package);
  if (!chosen) return passError(chosen);

  detect::Options options;
  options.region = args.region == "whole" ? detect::Region::whole : detect::Region::lung;
  options.threshold = args.threshold;
  options.precision = *precision;
  options.tta = args.tta;
  int exitCode = kExitOk;
  for (const size_t index : *chosen) {
    const StudyResult study = detectSeries(*source, index, *pipeline, options, args.load, context);
    const std::filesystem::path folder =
        args.all ? std::filesystem::path(args.output) / source->series[index].id() : std::filesystem::path(args.output);
    if (auto written = writeResult(study, folder); !written) return passError(written);
    context.clear();
    fmt::print("{}", report::findingsTable(study.result));
    if (!truth.empty()) fmt::print("\n{}", evaluate::comparisonTable(truth, study.result.findings));
    fmt::print("written to {}\n", folder.string());
    if (study.error) fmt::print(stderr, "lynceus: {}\n", study.error->message);
    if (exitCode == kExitOk) exitCode = exitCodeOf(study);
  }
  return exitCode;
}

}  // namespace

void addDetect(CLI::App& app, int& exitCode) {
  CLI::App* command = app.add_subcommand("detect", "Find lesions in a CT study");
  auto args = std::make_shared<Arguments>();
  command->add_option("path", args->path, "DICOM folder or file, or a NIfTI, MetaImage or NRRD file in HU")->required();
  command->add_option("-o,--output", args->output, "folder for findings.json and key images")->required();
  command->add_option("--series", args->seriesUid, "Series Instance UID; default: the series that fits the model best");
  command->add_flag("--all", args->all, "every series, each into a folder named by its UID")->excludes("--series");
  command->add_option("--model", args->model, "id or folder of a model package; see `lynceus models list`");
  command->add_option("--device", args->device, "auto, cpu, or reference (slow, for checking)")->capture_default_str();
  command->add_option("--precision", args->precision, kPrecisionHelp)->capture_default_str();
  command->add_option("--region", args->region, "search the lung region or the whole volume")
      ->check(CLI::IsMember({"lung", "whole"}))
      ->capture_default_str();
  command
      ->add_option("--threshold", args->threshold, "report marks from this score; default: the model's operating point")
      ->check(CLI::Range(0.0, 1.0));
  addThreadsOption(*command);
  command->add_flag("--tta", args->tta, kTtaHelp);
  command->add_flag("--accept-geometry", args->load.acceptGeometry, kAcceptGeometryHelp);
  command->add_option("--truth", args->truth, "known lesions (truth.json of a phantom): print hits and misses");
  command->callback([args, &exitCode] {
    const auto done = detectAll(*args);
    exitCode = done ? *done : reportError(done.error());
  });
}

}  // namespace lynceus::cli
