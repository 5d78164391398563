// lynceus detect: finds lesions in one study and writes findings.json and a key image of each finding.
#include <memory>

#include <CLI/CLI.hpp>

#include "app/cli/command.h"
#include "app/cli/detection.h"
#include "app/report/findings_table.h"
#include "core/evaluate/match.h"
#include "io/results/findings_json.h"

namespace lynceus::cli {
namespace {

struct Arguments {
  std::string path, output, seriesUid, truth;
  bool all = false;
  std::shared_ptr<DetectionArguments> detection = std::make_shared<DetectionArguments>();
};

study::Selection selectionOf(const Arguments& args, const study::ModelChoice& model) {
  using What = study::Selection::What;
  const What what = args.all ? What::all : args.seriesUid.empty() ? What::best : What::named;
  return {what, args.seriesUid, model.input, args.detection->acceptGeometry};
}

Expected<int> detectAll(const Arguments& args) {
  std::vector<detect::Finding> truth;
  if (!args.truth.empty()) {
    auto known = results::readFindingsJson(args.truth);
    if (!known) return passError(known);
    truth = std::move(known->findings);
  }
  const auto detection = prepareDetection(*args.detection, 1);
  if (!detection) return passError(detection);
  const auto detector = makeDetector(*detection);
  if (!detector) return passError(detector);
  if (auto ready = study::prepareOutputFolder(args.output); !ready) return passError(ready);
  TerminalContext context("lynceus detect");
  const auto chosen = (*detector)->open(args.path, selectionOf(args, detection->model), context);
  if (!chosen) return passError(chosen);
  int exitCode = kExitOk;
  for (const study::ChosenSeries& series : *chosen) {
    if (!series.why.empty()) fmt::print(stderr, "{} (--series or --all to choose otherwise)\n", series.why);
    const study::StudyResult found = (*detector)->detect(series, context);
    const std::filesystem::path folder =
        args.all ? std::filesystem::path(args.output) / series.id : std::filesystem::path(args.output);
    if (auto written = study::writeResult(found, folder); !written) return passError(written);
    context.clear();
    fmt::print("{}", report::findingsTable(found.result));
    if (!truth.empty()) fmt::print("\n{}", evaluate::comparisonTable(truth, found.result.findings));
    fmt::print("written to {}\n", folder.string());
    if (found.error) fmt::print(stderr, "lynceus: {}\n", found.error->message);
    if (exitCode == kExitOk) exitCode = exitCodeOf(found);
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
  addDetectionOptions(*command, args->detection);
  command->add_option("--truth", args->truth, "known lesions (truth.json of a phantom): print hits and misses");
  command->callback([args, &exitCode] {
    const auto done = detectAll(*args);
    exitCode = done ? *done : reportError(done.error());
  });
}

}  // namespace lynceus::cli
