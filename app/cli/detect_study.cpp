#include "app/cli/detect_study.h"

#include <algorithm>
#include <exception>
#include <fstream>
#include <new>

#include "app/cli/command.h"
#include "app/report/key_image.h"
#include "core/parallel.h"
#include "core/sha256.h"
#include "io/results/findings_json.h"

namespace lynceus::cli {
namespace {

namespace fs = std::filesystem;

image::Geometry geometryOf(const io::dicom::Series& series) {
  image::Geometry g;
  g.size = series.size;
  g.spacingMm = series.spacingMm;
  return g;
}

model::SeriesFacts factsOf(const io::dicom::SeriesIdentity& identity) {
  return {identity.modality, identity.sliceThicknessMm.value_or(0)};
}

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

/// loadSeries and Pipeline::run; may throw std::bad_alloc.
StudyResult loadAndDetect(const io::Source& source, size_t index, detect::Pipeline& pipeline,
                          const detect::Options& options, const io::LoadOptions& load, const job::Context& context) {
  job::Context loading = context.part(0, 0.2);
  const auto loaded = io::loadSeries(source, index, loading, load);
  if (!loaded) return failedStudy(loaded.error(), io::describeSeries(source, index));
  auto result = pipeline.run(loaded->volume, factsOf(loaded->identity), options, context.part(0.2, 1));
  if (!result) return failedStudy(result.error(), loaded->reference);
  StudyResult study{std::move(*result), loaded->volume, std::nullopt};
  study.result.series = loaded->reference;
  study.result.remarks.insert(study.result.remarks.begin(), loaded->remarks.begin(), loaded->remarks.end());
  if (study.result.status == detect::Status::rejectedInput)
    study.error = Error{ErrorCode::badInput, study.result.reason};
  return study;
}

}  // namespace

SeriesChoice chooseForModel(const std::vector<const io::dicom::Series*>& series, const model::InputRules& rules,
                            const io::LoadOptions& load) {
  // 2: as it is, 1: resampled, 0: not at all.
  const auto fitness = [&](const io::dicom::Series& s) {
    if (!model::brokenRule(rules, geometryOf(s), factsOf(s.identity)).empty()) return 0;
    return s.report.usable() ? 2 : load.acceptGeometry && s.report.resamplable() ? 1 : 0;
  };
  const auto better = [&](const io::dicom::Series* a, const io::dicom::Series* b) {
    const int fitA = fitness(*a), fitB = fitness(*b);
    if (fitA != fitB) return fitA > fitB;
    if (fitA > 0 && a->spacingMm.z != b->spacingMm.z) return a->spacingMm.z < b->spacingMm.z;
    return a->size.z > b->size.z;
  };
  SeriesChoice choice;
  for (size_t i = 1; i < series.size(); ++i) {
    if (better(series[i], series[choice.index])) choice.index = i;
  }
  if (series.size() < 2) return choice;
  const io::dicom::Series& chosen = *series[choice.index];
  const auto fitting = std::count_if(series.begin(), series.end(), [&](const auto* s) { return fitness(*s) > 0; });
  choice.why = fitting > 0
                   ? fmt::format("{} of {} series fit the model; '{}' has the thinnest slices ({:.2f} mm, {} slices)",
                                 fitting, series.size(), chosen.name(), chosen.spacingMm.z, chosen.size.z)
                   : fmt::format("none of {} series fits the model; trying '{}', which has the most slices ({})",
                                 series.size(), chosen.name(), chosen.size.z);
  return choice;
}

std::string whyRefused(const io::dicom::Series& series, const model::InputRules& rules) {
  if (!series.report.usable()) return fmt::format("its geometry is {}", geometryClassName(series.report.geometryClass));
  return model::brokenRule(rules, geometryOf(series), factsOf(series.identity));
}

StudyResult detectSeries(const io::Source& source, size_t index, detect::Pipeline& pipeline,
                         const detect::Options& options, const io::LoadOptions& load, job::Context& context) {
  // Whatever a library throws ends this study alone.
  try {
    return loadAndDetect(source, index, pipeline, options, load, context);
  } catch (const std::bad_alloc&) {
    return failedStudy({ErrorCode::resource, "there is not enough memory for this study"},
                       io::describeSeries(source, index));
  } catch (const std::exception& e) {
    return failedStudy({ErrorCode::internal, fmt::format("this is a bug of Lynceus, please report it: {}", e.what())},
                       io::describeSeries(source, index));
  }
}

std::string resultKey(const detect::SeriesReference& series, const model::Package& package,
                      const detect::Options& options, const io::LoadOptions& load) {
  return sha256(fmt::format("{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}", series.seriesUid, series.instancesSha256,
                            package.definitionSha256, static_cast<int>(options.region),
                            options.threshold.value_or(package.output.threshold), load.acceptGeometry,
                            static_cast<int>(options.precision), options.tta));
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

int exitCodeOf(const StudyResult& study) {
  if (study.result.status == detect::Status::succeeded) return kExitOk;
  if (study.result.status == detect::Status::partial) return kExitPartial;
  return study.error ? exitCodeOf(*study.error) : kExitInternal;
}

}  // namespace lynceus::cli
