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
#include "app/cli/detect_study.h"
#include "core/thread_team.h"
#include "io/formats/image_file.h"
#include "io/results/findings_json.h"

namespace lynceus::cli {
namespace {

namespace fs = std::filesystem;

struct Arguments {
  std::string folder, output, model;
  std::string device = "auto", region = "lung", precision = "fp32";
  std::optional<double> threshold;
  int jobs = 1;
  bool resume = false, tta = false;
  io::LoadOptions load;
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
  Batch(const Arguments& args, compute::Precision precision, model::Package package,
        std::shared_ptr<compute::Device> device, std::vector<fs::path> studies)
      : m_args(args),
        m_package(std::move(package)),
        m_device(std::move(device)),
        m_studies(std::move(studies)),
        m_journal(fs::path(args.output) / "results.jsonl") {
    m_options.region = args.region == "whole" ? detect::Region::whole : detect::Region::lung;
    m_options.threshold = args.threshold;
    m_options.precision = precision;
    m_options.tta = args.tta;
    if (args.resume) m_finished = m_journal.finishedKeys();
  }

  Expected<void> run(job::Context& context);
  std::string summary() const;
  bool anyFailed() const {
    return m_counts.contains("failed") || m_counts.contains("rejectedInput") || m_counts.contains("partial");
  }

 private:
  Expected<void> work(job::Context& context);
  void detectPath(const fs::path& path, detect::Pipeline& pipeline, job::Context& context);
  void detectStudy(const io::Source& source, const std::vector<size_t>& members, const std::string& name,
                   detect::Pipeline& pipeline, job::Context& context);
  void record(const std::string& name, const std::string& key, const detect::DetectionResult& result, double seconds);
  void count(const std::string& what) {
    const std::lock_guard lock(m_mutex);
    ++m_counts[what];
  }

  const Arguments& m_args;
  model::Package m_package;
  std::shared_ptr<compute::Device> m_device;
  std::vector<fs::path> m_studies;
  detect::Options m_options;
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
  auto pipeline = detect::Pipeline::create(m_package, m_device);
  if (!pipeline) return passError(pipeline);
  if (auto fits = checkPrecision(m_args.precision, pipeline->network()); !fits) return fits;
  for (;;) {
    fs::path path;
    {
      const std::lock_guard lock(m_mutex);
      if (m_next == m_studies.size() || context.cancelled()) return {};
      path = m_studies[m_next++];
      context.progress(static_cast<double>(m_done) / static_cast<double>(m_studies.size()), path.filename().string());
    }
    job::Context quiet({}, &context);
    detectPath(path, *pipeline, quiet);
    const std::lock_guard lock(m_mutex);
    ++m_done;
    context.progress(static_cast<double>(m_done) / static_cast<double>(m_studies.size()), path.filename().string());
  }
}

void Batch::detectPath(const fs::path& path, detect::Pipeline& pipeline, job::Context& context) {
  const std::string name = path.filename().string();
  const auto source = io::openSource(path, context);
  if (!source) {
    if (context.cancelled()) return;
    detect::DetectionResult failed;
    failed.status = source.error().code == ErrorCode::badInput ? detect::Status::rejectedInput : detect::Status::failed;
    failed.reason = source.error().message;
    failed.series.source = path.string();
    return record(name, "", failed, 0);
  }
  std::map<std::string, std::vector<size_t>> byStudy;
  for (size_t i = 0; i < source->series.size(); ++i) byStudy[source->series[i].identity.studyUid].push_back(i);
  for (const auto& [uid, members] : byStudy) {
    detectStudy(*source, members, byStudy.size() == 1 ? name : name + "/" + uid, pipeline, context);
  }
}

void Batch::detectStudy(const io::Source& source, const std::vector<size_t>& members, const std::string& name,
                        detect::Pipeline& pipeline, job::Context& context) {
  if (context.cancelled()) return;
  const auto start = std::chrono::steady_clock::now();
  std::vector<const io::dicom::Series*> series;
  for (const size_t i : members) series.push_back(&source.series[i]);
  const SeriesChoice choice = chooseForModel(series, m_package.input, m_args.load);
  const size_t index = members[choice.index];
  const std::string key = resultKey(io::describeSeries(source, index), m_package, m_options, m_args.load);
  const fs::path folder = fs::path(m_args.output) / name;
  std::error_code ignored;
  if (m_finished.contains(key) && fs::exists(folder / "findings.json", ignored)) return count("done before");

  StudyResult study = detectSeries(source, index, pipeline, m_options, m_args.load, context);
  if (context.cancelled()) return;  // neither done nor failed: the next run takes it
  if (!choice.why.empty()) study.result.remarks.push_back(choice.why);
  if (auto written = writeResult(study, folder); !written) {
    study.result.status = detect::Status::failed;
    study.result.reason = written.error().message;
  }
  record(name, key, study.result, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
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
  const auto precision = parsePrecision(args.precision);
  if (!precision) return passError(precision);
  auto studies = listStudies(args.folder);
  if (!studies) return passError(studies);
  if (auto ready = prepareOutputFolder(args.output); !ready) return passError(ready);
  auto package = model::findPackage(args.model);
  if (!package) return passError(package);
  auto device = compute::openDevice(args.device);
  if (!device) return passError(device);
  TerminalContext context("lynceus batch");
  Batch batch(args, *precision, std::move(*package), std::move(*device), std::move(*studies));
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
  command->add_option("--model", args->model, "id or folder of a model package");
  command->add_option("--device", args->device, "auto, cpu or reference")->capture_default_str();
  command->add_option("--precision", args->precision, kPrecisionHelp)->capture_default_str();
  command->add_option("--region", args->region, "search the lung region or the whole volume")
      ->check(CLI::IsMember({"lung", "whole"}))
      ->capture_default_str();
  command->add_option("--threshold", args->threshold, "report marks from this score")->check(CLI::Range(0.0, 1.0));
  command->add_flag("--tta", args->tta, kTtaHelp);
  command->add_flag("--accept-geometry", args->load.acceptGeometry, kAcceptGeometryHelp);
  command->add_option("--jobs", args->jobs, "studies at a time, that share the threads; at most one for each thread")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  addThreadsOption(*command);
  command->add_flag("--resume", args->resume,
                    "leave out studies that are done with the same images, model and options");
  command->callback([args, &exitCode] {
    const auto done = runBatch(*args);
    exitCode = done ? *done : reportError(done.error());
  });
}

}  // namespace lynceus::cli
