// What `detect` and `batch` share: the options of a detection, and where it runs.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "app/study/detect_study.h"

namespace CLI {
class App;
}

namespace lynceus::cli {

/// The words of the command line. The same options mean the same in `detect` and `batch`.
struct DetectionArguments {
  std::string model, classifier, device = "auto", region = "lung", precision = "fp32";
  std::optional<double> threshold;
  bool tta = false, acceptGeometry = false, isolate = false;
};

/// --model, --classifier, --device, --precision, --region, --threshold, --tta, --accept-geometry, --isolate and
/// --threads.
void addDetectionOptions(CLI::App& command, const std::shared_ptr<DetectionArguments>& args);

/// A model ready to detect, and what it was asked.
struct Detection {
  study::ModelChoice model;
  std::optional<study::ModelChoice> classifier;
  study::DetectOptions options;
  std::shared_ptr<compute::Device> device;  ///< shared by all detectors; none where they run in workers
  std::shared_ptr<job::Engine> engine;      ///< of --isolate and for what plugins do, else none
};

/// Finds the model and opens the device, or the engine for `jobs` studies at a time.
/// @return an error that says what of the arguments cannot be had.
Expected<Detection> prepareDetection(const DetectionArguments& args, int jobs);

/// One for each thread that detects.
Expected<std::unique_ptr<study::StudyDetector>> makeDetector(const Detection& detection,
                                                             const DetectionArguments& args);

/// Exit code of a result: 0, 3 rejected, 6 partial, else that of its error.
int exitCodeOf(const study::StudyResult& found);

}  // namespace lynceus::cli
