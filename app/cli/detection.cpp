#include "app/cli/detection.h"

#include <algorithm>

#include <omp.h>
#include <CLI/CLI.hpp>

#include "app/cli/command.h"
#include "core/thread_team.h"

namespace lynceus::cli {

namespace {

/// An error where 8-bit numbers are asked of a package that has none.
Expected<void> checkModel(const study::ModelChoice& model, const std::string& precision) {
  if (precision != "int8" || model.isPlugin) return {};
  const auto package = model::readPackage(model.path);
  if (!package) return passError(package);
  const auto bytes = model::readFile(*package, package->network);
  if (!bytes) return passError(bytes);
  const auto network = detect::Network::parse(*bytes, package->network);
  if (!network) return passError(network);
  return checkPrecision(precision, network->graph());
}

}  // namespace

void addDetectionOptions(CLI::App& command, const std::shared_ptr<DetectionArguments>& args) {
  command.add_option("--model", args->model,
                     "id, id@version or folder of a model package, or id of a plugin's detector; see `lynceus models "
                     "list` and `lynceus plugins list`");
  command.add_option("--classifier", args->classifier, "id of a plugin's classifier that judges what the model finds");
  command.add_option("--device", args->device, "auto, cpu, or reference (slow, for checking)")->capture_default_str();
  command.add_option("--precision", args->precision, kPrecisionHelp)->capture_default_str();
  command.add_option("--region", args->region, "search the lung region or the whole volume")
      ->check(CLI::IsMember({"lung", "whole"}))
      ->capture_default_str();
  command
      .add_option("--threshold", args->threshold, "report marks from this score; default: the model's operating point")
      ->check(CLI::Range(0.0, 1.0));
  addThreadsOption(command);
  command.add_flag("--tta", args->tta,
                   "test-time augmentation: the mean over the eight mirror images, at eight times the computation");
  command.add_flag("--accept-geometry", args->acceptGeometry, kAcceptGeometryHelp);
  command.add_flag("--isolate", args->isolate,
                   "read and search in worker processes: what crashes or hangs there ends the study, not this program");
}

Expected<Detection> prepareDetection(const DetectionArguments& args, int jobs) {
  const auto precision = parsePrecision(args.precision);
  if (!precision) return passError(precision);
  auto model = study::chooseModel(args.model);
  if (!model) return passError(model);
  Detection detection{std::move(*model), {}, {}, nullptr, nullptr};
  if (!args.classifier.empty()) {
    auto classifier = study::chooseClassifier(args.classifier);
    if (!classifier) return passError(classifier);
    detection.classifier = std::move(*classifier);
  }
  detection.options.detect.region = args.region == "whole" ? detect::Region::whole : detect::Region::lung;
  detection.options.detect.threshold = args.threshold;
  detection.options.detect.precision = *precision;
  detection.options.detect.tta = args.tta;
  detection.options.device = args.device;
  detection.options.acceptGeometry = args.acceptGeometry;
  if (auto fits = checkModel(detection.model, args.precision); !fits) return passError(fits);
  if (args.isolate || detection.model.isPlugin || detection.classifier) {  // plugins run in workers only
    job::EngineOptions options;
    options.workersPerMode = jobs;
    options.threadsPerWorker = shareThreads(omp_get_max_threads(), jobs).back();
    detection.engine = std::make_shared<job::Engine>(
        options, [](const std::string& line) { fmt::print(stderr, "lynceus: {}\n", line); });
    return detection;
  }
  auto device = compute::openDevice(args.device);
  if (!device) return passError(device);
  detection.device = std::move(*device);
  return detection;
}

Expected<std::unique_ptr<study::StudyDetector>> makeDetector(const Detection& detection) {
  if (detection.engine)
    return study::detectInWorkers(detection.model, detection.classifier, detection.options, detection.engine);
  auto package = model::readPackage(detection.model.path);
  if (!package) return passError(package);
  auto pipeline = detect::Pipeline::create(std::move(*package), detection.device);
  if (!pipeline) return passError(pipeline);
  return study::detectHere(std::move(*pipeline), detection.options);
}

int exitCodeOf(const study::StudyResult& found) {
  if (found.result.status == detect::Status::succeeded) return kExitOk;
  if (found.result.status == detect::Status::partial) return kExitPartial;
  return found.error ? exitCodeOf(*found.error) : kExitInternal;
}

}  // namespace lynceus::cli
