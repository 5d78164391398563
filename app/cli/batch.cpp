// lynceus batch: detects in every study of a folder. One bad study never stops the others; a stopped batch goes on.
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <thread>

#include <omp.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "app/cli/command.h"
#include "app/cli/detection.h"
#include "core/thread_team.h"
#include "io/formats/image_file.h"
#include "io/results/findings_json.h"

namespace lynceus::cli {
namespace {

namespace fs = std::filesystem;

struct Arguments {
  std::string folder, output;
  int jobs = 1;
  bool resume = false;
  std::shared_ptr<DetectionArguments> detection = std::make_shared<DetectionArguments>();
};

/// Every folder and every image file directly in `folder` is a study; a folder of loose files is one itself.
Expected<std::vector<fs::path>> listStudies(const fs::path& folder) {
  std::error_code error;
  std::vector<fs::path> studies;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    if (entry.is_directory() || io::isImageFileName(entry.path())) studies.push_back(entry.path());
  }
  if (error) {
    return makeError(ErrorCode::badInput, "{}: the folder cannot be read ({}); give a folder of studies",
                     folder.string(), error.message());
  }
  if (studies.empty()) studies.push_back(folder);
  std::sort(studies.begin(), studies.end());
  return studies;
}

/// results.jsonl: one line for each study that was tried, written as soon as it is done.
class Journal {
 public:
  explicit Journal(fs::path path) : m_path(std::move(path)) {}

  /// Keys of the studies that need no second try. A line cut off by a crash is not one of them.
  std::set<std::string> finishedKeys() const {
    std::set<std::string> keys;
    std::ifstream file(m_path);
    for (std::string line; std::getline(file, line);) {
      const auto entry = nlohmann::json::parse(line, nullptr, false);
      if (!entry.is_object() || entry.value("status", "failed") == "failed") continue;
      keys.insert(entry.value("key", ""));
    }
    return keys;
  }
  bool append(const nlohmann::json& entry) {
    const std::lock_guard lock(m_mutex);
    // A line cut off by a crash or a full disk is closed first, so that it damages no other.
    std::string text = entry.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
    if (endsWithinLine()) text.insert(0, "\n");
    return static_cast<bool>(std::ofstream(m_path, std::ios::app | std::ios::binary) << text << std::flush);
  }

 private:
  bool endsWithinLine() const {
    std::ifstream file(m_path, std::ios::binary | std::ios::ate);
    if (!file || file.tellg() == 0) return false;
    file.seekg(-1, std::ios::end);
    return file.get() != '\n';
  }

  fs::path m_path;
  std::mutex m_mutex;
};

/// Shared by the jobs of one batch.
class Batch {
 public:
  Batch(const Arguments& args, Detection detection, std::vector<fs::path> studies)
      : m_args(args),
        m_detection(std::move(detection)),
        m_studies(std::move(studies)),
        m_journal(fs::path(args.output) / "results.jsonl") {
    if (args.resume) m_finished = m_journal.finishedKeys();
  }

  Expected<void> run(job::Context& context);
  std::string summary() const;
  bool anyFailed() const {
    return m_counts.contains("failed") || m_counts.contains("rejectedInput") || m_counts.contains("partial");
  }

 private:
  Expected<void> work(job::Context& context);
  void detectPath(const fs::path& path, study::StudyDetector& detector, job::Context& context);
  void detectStudy(const study::ChosenSeries& series, const std::string& name, study::StudyDetector& detector,
                   job::Context& context);
  void record(const std::string& name, const std::string& key, const detect::DetectionResult& result, double seconds);
  void count(const std::string& what) {
    const std::lock_guard lock(m_mutex);
    ++m_counts[what];
  }

  const Arguments& m_args;
  Detection m_detection;
  std::vector<fs::path> m_studies;
  Journal m_journal;
  std::set<std::string> m_finished;
  std::mutex m_mutex;
  size_t m_next = 0, m_done = 0;
  std::map<std::string, int> m_counts;  ///< studies by status
};

Expected<void> Batch::run(job::Context& context) {
  const int jobs = std::min<int>(m_args.jobs, static_cast<int>(m_studies.size()));
  std::vector<std::thread> threads;
  Expected<void> outcome;
  for (const int share : shareThreads(omp_get_max_threads(), jobs)) {
    threads.emplace_back([&, share] {
      omp_set_num_threads(share);  // of this job's own team
      if (auto done = work(context); !done) {
        const std::lock_guard lock(m_mutex);
        outcome = done;
      }
    });
  }
  for (std::thread& t : threads) t.join();
  return outcome;
}

Expected<void> Batch::work(job::Context& context) {
  const auto detector = makeDetector(m_detection);
  if (!detector) return passError(detector);
  for (;;) {
    fs::path path;
    {
      const std::lock_guard lock(m_mutex);
      if (m_next == m_studies.size() || context.cancelled()) return {};
      path = m_studies[m_next++];
      context.progress(static_cast<double>(m_done) / static_cast<double>(m_studies.size()), path.filename().string());
    }
    job::Context quiet({}, &context);
    detectPath(path, **detector, quiet);
    const std::lock_guard lock(m_mutex);
    ++m_done;
    context.progress(static_cast<double>(m_done) / static_cast<double>(m_studies.size()), path.filename().string());
  }
}

void Batch::detectPath(const fs::path& path, study::StudyDetector& detector, job::Context& context) {
  const std::string name = path.filename().string();
  const study::Selection selection{study::Selection::What::bestOfStudy, "", m_detection.model.input,
                                   m_detection.options.acceptGeometry};
  const auto chosen = detector.open(path, selection, context);
  if (!chosen) {
    if (context.cancelled()) return;
    detect::DetectionResult failed;
    failed.status = chosen.error().code == ErrorCode::badInput ? detect::Status::rejectedInput : detect::Status::failed;
    failed.reason = chosen.error().message;
    failed.series.source = path.string();
    return record(name, "", failed, 0);
  }
  for (const study::ChosenSeries& series : *chosen) {
    detectStudy(series, chosen->size() == 1 ? name : name + "/" + series.reference.studyUid, detector, context);
  }
}

void Batch::detectStudy(const study::ChosenSeries& series, const std::string& name, study::StudyDetector& detector,
                        job::Context& context) {
  if (context.cancelled()) return;
  const auto start = std::chrono::steady_clock::now();
  const std::string key =
      study::resultKey(series.reference, m_detection.model, m_detection.classifier, m_detection.options);
  const fs::path folder = fs::path(m_args.output) / name;
  std::error_code ignored;
  if (m_finished.contains(key) && fs::exists(folder / "findings.json", ignored)) return count("done before");

  study::StudyResult found = detector.detect(series, context);
  if (context.cancelled()) return;  // neither done nor failed: the next run takes it
  if (!series.why.empty()) found.result.remarks.push_back(series.why);
  if (auto written = study::writeResult(found, folder); !written) {
    found.result.status = detect::Status::failed;
    found.result.reason = written.error().message;
  }
  record(name, key, found.result, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
}

void Batch::record(const std::string& name, const std::string& key, const detect::DetectionResult& result,
                   double seconds) {
  const nlohmann::json entry = {{"study", name},
                                {"key", key},
                                {"status", results::statusName(result.status)},
                                {"reason", result.reason},
                                {"source", result.series.source},
                                {"seriesUid", result.series.seriesUid},
                                {"findings", result.findings.size()},
                                {"seconds", seconds}};
  if (!m_journal.append(entry)) {
    fmt::print(stderr, "lynceus: {}/results.jsonl cannot be written (is the disk full?)\n", m_args.output);
  }
  if (result.status != detect::Status::succeeded) fmt::print(stderr, "lynceus: {}: {}\n", name, result.reason);
  count(std::string(results::statusName(result.status)));
}

std::string Batch::summary() const {
  std::string text;
  for (const auto& [status, number] : m_counts)
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", number, status);
  return fmt::format("{} studies: {}\nwritten to {}\n", m_studies.size(), text.empty() ? "none tried" : text,
                     m_args.output);
}

Expected<int> runBatch(const Arguments& args) {
  auto studies = listStudies(args.folder);
  if (!studies) return passError(studies);
  auto detection = prepareDetection(*args.detection, std::min<int>(args.jobs, static_cast<int>(studies->size())));
  if (!detection) return passError(detection);
  if (auto ready = study::prepareOutputFolder(args.output); !ready) return passError(ready);
  TerminalContext context("lynceus batch");
  Batch batch(args, std::move(*detection), std::move(*studies));
  if (auto done = batch.run(context); !done) return passError(done);
  context.clear();
  fmt::print("{}", batch.summary());
  if (context.cancelled()) return static_cast<int>(kExitPartial);
  return static_cast<int>(batch.anyFailed() ? kExitSomeFailed : kExitOk);
}

}  // namespace

void addBatch(CLI::App& app, int& exitCode) {
  CLI::App* command = app.add_subcommand("batch", "Find lesions in every study of a folder");
  auto args = std::make_shared<Arguments>();
  command->add_option("folder", args->folder, "each folder or image file in it is a study")->required();
  command->add_option("-o,--output", args->output, "a folder for each study, and results.jsonl")->required();
  addDetectionOptions(*command, args->detection);
  command->add_option("--jobs", args->jobs, "studies at a time, that share the threads; at most one for each thread")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  command->add_flag("--resume", args->resume,
                    "leave out studies that are done with the same images, model and options");
  command->callback([args, &exitCode] {
    const auto done = runBatch(*args);
    exitCode = done ? *done : reportError(done.error());
  });
}

}  // namespace lynceus::cli
