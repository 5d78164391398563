// What a worker costs: one study searched in this process and in workers, in turns; time, and memory of all processes.
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include <CLI/CLI.hpp>

#include "app/study/detect_study.h"
#include "core/thread_team.h"

using namespace lynceus;
namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

namespace {

/// Memory of this process and its children in MB; what several share counts once (proportional set size).
double memoryMb() {
  double kB = 0;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator("/proc", ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    std::ifstream status(entry.path() / "status");
    bool ours = std::stoi(name) == getpid();
    for (std::string line; !ours && std::getline(status, line);)
      if (line.starts_with("PPid:")) ours = std::stoi(line.substr(5)) == getpid();
    std::ifstream rollup(entry.path() / "smaps_rollup");
    for (std::string line; ours && std::getline(rollup, line);)
      if (line.starts_with("Pss:")) kB += std::stod(line.substr(4));
  }
  return kB / 1000;
}

struct Run {
  double seconds = 0, peakMb = 0;
  size_t findings = 0;
};

/// Searches the study and returns the number of findings.
size_t search(study::StudyDetector& detector, const std::string& path, const study::Selection& selection) {
  job::Context context;
  const auto chosen = detector.open(path, selection, context);
  if (!chosen) throw std::runtime_error(chosen.error().message);
  const study::StudyResult found = detector.detect(chosen->front(), context);
  if (found.error) throw std::runtime_error(found.error->message);
  return found.result.findings.size();
}

/// Looking at memory walks all page tables, so the study that is timed is another than the one that is looked at; the
/// first of the two also warms the model.
Run measure(study::StudyDetector& detector, const std::string& path, const study::Selection& selection) {
  std::atomic<bool> over = false;
  Run run;
  std::thread sampler([&] {
    for (; !over; std::this_thread::sleep_for(std::chrono::milliseconds(50)))
      run.peakMb = std::max(run.peakMb, memoryMb());
  });
  search(detector, path, selection);
  over = true;
  sampler.join();
  const auto start = Clock::now();
  run.findings = search(detector, path, selection);
  run.seconds = std::chrono::duration<double>(Clock::now() - start).count();
  return run;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void report(const char* name, const std::vector<Run>& runs) {
  std::vector<double> seconds, memory;
  for (const Run& r : runs) seconds.push_back(r.seconds), memory.push_back(r.peakMb);
  std::printf("%-12s median %.2f s (%.2f to %.2f), peak memory %.0f MB (%.0f to %.0f), %zu findings\n", name,
              median(seconds), *std::min_element(seconds.begin(), seconds.end()),
              *std::max_element(seconds.begin(), seconds.end()), median(memory),
              *std::min_element(memory.begin(), memory.end()), *std::max_element(memory.begin(), memory.end()),
              runs.front().findings);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"The cost of worker processes; give a study of 512 x 512 x 400 voxels."};
  std::string path, precision = "fp32";
  int runs = 5;
  app.add_option("study", path, "folder of a DICOM series")->required();
  app.add_option("--runs", runs);
  app.add_option("--precision", precision)->check(CLI::IsMember({"fp32", "bf16"}));
  CLI11_PARSE(app, argc, argv);
  startThreadTeam();
  const auto package = model::findPackage("");
  if (!package) return std::fprintf(stderr, "%s\n", package.error().message.c_str()), 1;
  study::DetectOptions options;
  options.detect.precision = precision == "bf16" ? compute::Precision::bf16 : compute::Precision::fp32;
  const study::Selection selection{study::Selection::What::best, "", package->input, false};
  const auto makeHere = [&] {
    auto pipeline = detect::Pipeline::create(*package, *compute::openDevice("cpu"));
    return study::detectHere(std::move(*pipeline), options);
  };
  const auto inWorkers = [&](const std::shared_ptr<job::Engine>& engine) {
    return study::detectInWorkers(study::choiceOf(*package), {}, options, engine);
  };
  // Only one of them lives at a time, so that memory is that of the one alone.
  std::vector<Run> here, there;
  for (int i = 0; i < runs; ++i) {
    {
      const auto detector = makeHere();
      here.push_back(measure(*detector, path, selection));
    }
    malloc_trim(0);  // what the pipeline of this process left must not count for the workers
    const auto engine = std::make_shared<job::Engine>(job::EngineOptions());
    const auto detector = inWorkers(engine);
    there.push_back(measure(*detector, path, selection));
  }
  report("in process", here);
  report("in workers", there);
  std::vector<double> time, memory;
  for (size_t i = 0; i < here.size(); ++i) {
    time.push_back(there[i].seconds / here[i].seconds);
    memory.push_back(there[i].peakMb - here[i].peakMb);
  }
  std::printf("workers take %.3f of the time and %+.0f MB (medians of the pairs)\n", median(time), median(memory));
}
