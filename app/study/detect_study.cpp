#include "app/study/detect_study.h"

#include <exception>
#include <fstream>
#include <new>

#include <fcntl.h>

#include "app/report/key_image.h"
#include "app/study/requests.h"
#include "core/job/shared_volume.h"
#include "core/parallel.h"
#include "core/sha256.h"
#include "io/results/findings_json.h"

namespace lynceus::study {
namespace {

namespace fs = std::filesystem;

/// What an error means for the study: its input is at fault, the user stopped it, or something broke.
detect::Status statusOf(ErrorCode code) {
  switch (code) {
    case ErrorCode::badInput:
    case ErrorCode::badGeometry:
    case ErrorCode::unsupported: return detect::Status::rejectedInput;
    default: return detect::Status::failed;
  }
}

/// Whose images these are and what marked them: on every picture that leaves the program.
report::KeyImageOptions captionOf(const detect::DetectionResult& result) {
  const detect::SeriesReference& s = result.series;
  report::KeyImageOptions options;
  if (s.patientId.empty() && s.patientName.empty()) {
    options.title = std::filesystem::path(s.source).filename().string() + " (the file names no patient)";
  } else {
    options.title = fmt::format("{}   ID {}   born {}", s.patientName, s.patientId,
                                s.patientBirthDate.empty() ? "unknown" : s.patientBirthDate);
  }
  options.subtitle =
      fmt::format("{}   {} {}", s.seriesDescription, result.provenance.modelId, result.provenance.modelVersion);
  return options;
}

StudyResult failedStudy(const Error& error, detect::SeriesReference reference) {
  StudyResult study;
  study.result.status = statusOf(error.code);
  study.result.reason = error.message;
  study.result.series = std::move(reference);
  study.error = error;
  return study;
}

/// Runs `work`; whatever a library throws in it ends this study alone.
template <class Work>
StudyResult guarded(const detect::SeriesReference& reference, Work work) {
  try {
    return work();
  } catch (const std::bad_alloc&) {
    return failedStudy({ErrorCode::resource, "there is not enough memory for this study"}, reference);
  } catch (const std::exception& e) {
    return failedStudy({ErrorCode::internal, fmt::format("this is a bug of Lynceus, please report it: {}", e.what())},
                       reference);
  }
}

/// A result of the pipeline with what is known of its series.
StudyResult finished(detect::DetectionResult result, const image::Volume& volume,
                     const detect::SeriesReference& reference, const std::vector<std::string>& remarks) {
  StudyResult study{std::move(result), volume, std::nullopt};
  study.result.series = reference;
  study.result.remarks.insert(study.result.remarks.begin(), remarks.begin(), remarks.end());
  if (study.result.status == detect::Status::rejectedInput)
    study.error = Error{ErrorCode::badInput, study.result.reason};
  return study;
}

constexpr double kLoaded = 0.2;  // of the progress of a study

class Here : public StudyDetector {
 public:
  Here(detect::Pipeline pipeline, DetectOptions options)
      : m_pipeline(std::move(pipeline)), m_options(std::move(options)) {}

  Expected<std::vector<ChosenSeries>> open(const fs::path& path, const Selection& selection,
                                           job::Context& context) override {
    auto source = io::openSource(path, context);
    if (!source) return passError(source);
    m_source = std::move(*source);
    return chooseSeries(m_source, selection);
  }

  StudyResult detect(const ChosenSeries& series, job::Context& context) override {
    return guarded(series.reference, [&] { return loadAndDetect(series, context); });
  }

 private:
  StudyResult loadAndDetect(const ChosenSeries& series, const job::Context& context) {
    job::Context loading = context.part(0, kLoaded);
    io::LoadOptions load;
    load.acceptGeometry = m_options.acceptGeometry;
    const auto loaded = io::loadSeries(m_source, series.index, loading, load);
    if (!loaded) return failedStudy(loaded.error(), series.reference);
    auto result = m_pipeline.run(loaded->volume, factsOf(loaded->identity), m_options.detect, context.part(kLoaded, 1));
    if (!result) return failedStudy(result.error(), loaded->reference);
    return finished(std::move(*result), loaded->volume, loaded->reference, loaded->remarks);
  }

  detect::Pipeline m_pipeline;
  DetectOptions m_options;
  io::Source m_source;
};

class InWorkers : public StudyDetector {
 public:
  InWorkers(ModelChoice model, std::optional<ModelChoice> classifier, DetectOptions options,
            std::shared_ptr<job::Engine> engine)
      : m_model(std::move(model)),
        m_classifier(std::move(classifier)),
        m_options(std::move(options)),
        m_engine(std::move(engine)) {}

  Expected<std::vector<ChosenSeries>> open(const fs::path& path, const Selection& selection,
                                           job::Context& context) override {
    m_path = path;
    const auto answer = m_engine->run({"parse", toJson(ScanRequest{path, selection}), {}, 0, ""}, context);
    if (!answer) return passError(about(answer));
    return chosenFromJson(answer->body["answer"]);
  }

  StudyResult detect(const ChosenSeries& series, job::Context& context) override {
    return guarded(series.reference, [&] { return loadAndDetect(series, context); });
  }

 private:
  /// What a worker says of its end does not name the study.
  Expected<job::Message> about(const Expected<job::Message>& answer) const {
    if (answer.error().code != ErrorCode::internal) return passError(answer);
    return makeError(ErrorCode::internal, "{}: {}", m_path.string(), answer.error().message);
  }

  StudyResult loadAndDetect(const ChosenSeries& series, const job::Context& context) {
    const LoadRequest load{m_path, series.id, m_options.acceptGeometry};
    auto loaded = m_engine->run({"parse", toJson(load), {}, 0, ""}, context.part(0, kLoaded));
    if (!loaded) return failedStudy(about(loaded).error(), series.reference);
    const auto answer = loadAnswerFromJson(loaded->body["answer"]);
    if (!answer) return failedStudy(answer.error(), series.reference);
    if (loaded->files.size() != 1) {
      return failedStudy({ErrorCode::internal, "the worker that read the series sent no volume"}, series.reference);
    }
    const auto memory = std::make_shared<const FileDescriptor>(std::move(loaded->files[0]));
    const auto volume = job::mapVolume(answer->volume, FileDescriptor(fcntl(memory->get(), F_DUPFD_CLOEXEC, 0)));
    if (!volume) return failedStudy(volume.error(), series.reference);
    const DetectRequest request{m_model, m_classifier, m_options, answer->facts, answer->volume};
    const auto found =
        m_engine->run({"detect", toJson(request), {memory}, 0, m_options.device}, context.part(kLoaded, 1));
    if (!found) return failedStudy(about(found).error(), answer->reference);
    auto result = results::fromJson(found->body["answer"]);
    if (!result) return failedStudy(result.error(), answer->reference);
    return finished(std::move(*result), *volume, answer->reference, answer->remarks);
  }

  ModelChoice m_model;
  std::optional<ModelChoice> m_classifier;
  DetectOptions m_options;
  std::shared_ptr<job::Engine> m_engine;
  fs::path m_path;
};

}  // namespace

std::unique_ptr<StudyDetector> detectHere(detect::Pipeline pipeline, DetectOptions options) {
  return std::make_unique<Here>(std::move(pipeline), std::move(options));
}

std::unique_ptr<StudyDetector> detectInWorkers(ModelChoice model, std::optional<ModelChoice> classifier,
                                               DetectOptions options, std::shared_ptr<job::Engine> engine) {
  return std::make_unique<InWorkers>(std::move(model), std::move(classifier), std::move(options), std::move(engine));
}

std::string resultKey(const detect::SeriesReference& series, const ModelChoice& model,
                      const std::optional<ModelChoice>& classifier, const DetectOptions& options) {
  std::string text =
      fmt::format("{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}", series.seriesUid, series.instancesSha256, model.sha256,
                  static_cast<int>(options.detect.region), options.detect.threshold.value_or(model.threshold),
                  options.acceptGeometry, static_cast<int>(options.detect.precision), options.detect.tta);
  // A library may hold several models; a package is named by its hash alone.
  if (model.isPlugin) text += "\n" + model.id;
  if (classifier) text += fmt::format("\n{} {}", classifier->id, classifier->sha256);
  return sha256(text);
}

Expected<void> prepareOutputFolder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) {
    return makeError(ErrorCode::resource, "{}: the output folder cannot be made ({}); choose another with -o",
                     folder.string(), error.message());
  }
  const fs::path probe = folder / ".lynceus-write-test";
  const bool written = static_cast<bool>(std::ofstream(probe) << "x" << std::flush);
  fs::remove(probe, error);
  if (!written) {
    return makeError(
        ErrorCode::resource,
        "{}: the output folder cannot be written (no permission or the disk is full); choose another with -o",
        folder.string());
  }
  return {};
}

Expected<void> writeResult(const StudyResult& study, const fs::path& folder) {
  if (auto ready = prepareOutputFolder(folder); !ready) return ready;
  const report::KeyImageOptions caption = captionOf(study.result);
  const std::vector<detect::Finding>& findings = study.result.findings;
  std::vector<Expected<void>> written(findings.size());
  // Compressing thirty pictures one after the other takes longer than the detection.
  parallelFor(static_cast<int64_t>(findings.size()), [&](int64_t i) {
    const fs::path path = folder / fmt::format("finding-{:02}.png", findings[i].id);
    written[i] = report::writeKeyImage(*study.volume, findings[i], caption, path);
  });
  for (const Expected<void>& outcome : written)
    if (!outcome) return outcome;
  // Last, so that a folder with findings.json is a complete one.
  return results::writeFindingsJson(study.result, folder / "findings.json");
}

}  // namespace lynceus::study
