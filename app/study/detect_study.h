// One study from path to result files, in this process or in workers: what `detect` does once and `batch` for each.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/study/model_choice.h"
#include "app/study/series_choice.h"
#include "core/detect/pipeline.h"
#include "core/job/engine.h"

namespace lynceus::study {

/// Whatever goes wrong becomes the result's status and reason. `volume` is set when it was loaded, for the key images.
struct StudyResult {
  detect::DetectionResult result;
  std::optional<image::Volume> volume;
  std::optional<Error> error;  ///< of a result that is not succeeded
};

/// How a model is applied to every study of a run.
struct DetectOptions {
  detect::Options detect;
  std::string device = "auto";
  bool acceptGeometry = false;
};

/// A model, ready for one study after the other. One thread at a time.
class StudyDetector {
 public:
  virtual ~StudyDetector() = default;
  /// Reads headers. The series of the last call are what detect() takes.
  virtual Expected<std::vector<ChosenSeries>> open(const std::filesystem::path& path, const Selection& selection,
                                                   job::Context& context) = 0;
  /// Loads and searches one series. Never fails as a whole.
  virtual StudyResult detect(const ChosenSeries& series, job::Context& context) = 0;
};

/// In this process.
std::unique_ptr<StudyDetector> detectHere(detect::Pipeline pipeline, DetectOptions options);

/// In workers, whose crash ends a study and not this process. The volume comes back through shared memory.
/// @param classifier  of a plugin: judges what the model finds.
std::unique_ptr<StudyDetector> detectInWorkers(ModelChoice model, std::optional<ModelChoice> classifier,
                                               DetectOptions options, std::shared_ptr<job::Engine> engine);

/// A hash of the series' instances, the models and the options: the same key, the same result.
std::string resultKey(const detect::SeriesReference& series, const ModelChoice& model,
                      const std::optional<ModelChoice>& classifier, const DetectOptions& options);

/// Makes sure that the folder exists and can be written, before minutes of work are spent.
Expected<void> prepareOutputFolder(const std::filesystem::path& folder);

/// Writes findings.json and finding-01.png … into the folder.
Expected<void> writeResult(const StudyResult& study, const std::filesystem::path& folder);

}  // namespace lynceus::study
