// One study from path to result files: what `detect` does once and `batch` does for each study.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/detect/pipeline.h"
#include "io/source.h"

namespace lynceus::cli {

struct SeriesChoice {
  size_t index = 0;
  std::string why;  ///< a sentence for the user; empty where there was nothing to choose
};

/// The series of one study that fits the model's input rules best: a volume without guessing (then, where `load`
/// accepts it, one that needs resampling), within the rules, thinnest slices. Where none fits, the one with the most
/// slices: loading or the pipeline then says what is wrong with it.
SeriesChoice chooseForModel(const std::vector<const io::dicom::Series*>& series, const model::InputRules& rules,
                            const io::LoadOptions& load);

/// Why a model must not be used on a series: the rule that it breaks, as a clause; empty where it may be.
std::string whyRefused(const io::dicom::Series& series, const model::InputRules& rules);

/// Loads and searches one series. Never fails as a whole: whatever goes wrong becomes the result's status and reason.
/// `volume` is set when it was loaded, for the key images.
struct StudyResult {
  detect::DetectionResult result;
  std::optional<image::Volume> volume;
  std::optional<Error> error;  ///< of a result that is not succeeded
};
StudyResult detectSeries(const io::Source& source, size_t index, detect::Pipeline& pipeline,
                         const detect::Options& options, const io::LoadOptions& load, job::Context& context);

/// A hash of the series' instances, the model and the options: the same key, the same result.
std::string resultKey(const detect::SeriesReference& series, const model::Package& package,
                      const detect::Options& options, const io::LoadOptions& load);

/// Makes sure that the folder exists and can be written, before minutes of work are spent.
Expected<void> prepareOutputFolder(const std::filesystem::path& folder);

/// Writes findings.json and finding-01.png … into the folder.
Expected<void> writeResult(const StudyResult& study, const std::filesystem::path& folder);

/// Exit code of a result: 0, 3 rejected, 6 partial, else that of its error.
int exitCodeOf(const StudyResult& study);

}  // namespace lynceus::cli
