// Runs jobs in worker processes: a queue with priorities, one job at a time in each worker, and whatever happens to a
// worker ends as the outcome of its job alone.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "core/job/context.h"
#include "core/job/worker_process.h"

namespace lynceus::job {

/// What a worker is asked to do.
struct Work {
  std::string mode;  ///< of the worker: detect, parse, probe
  nlohmann::json body;
  std::vector<std::shared_ptr<const FileDescriptor>> files;  ///< sent along; kept for a second attempt
  int priority = 0;                                          ///< higher first; equal ones in the order they came
  std::string device;  ///< what it computes on: each device has workers of its own
};

enum class State {
  queued,
  running,
  done,    ///< there is a reply; whether it is good news stands in it
  failed,  ///< `reason` says why
  cancelled,
};

struct Progress {
  State state = State::queued;
  double fraction = 0;                ///< 0..1 of the running job
  std::string stage;                  ///< a short phrase
  std::optional<double> secondsLeft;  ///< once there is something to judge by
  int attempts = 0;                   ///< workers that it was given to
};

struct EngineOptions {
  std::filesystem::path program = workerProgram();
  int workersPerMode = 1;    ///< and device
  int threadsPerWorker = 0;  ///< 0: as the environment says
  /// A job that asks neither for cancellation nor reports progress for so long is taken for hung.
  std::chrono::milliseconds silence{std::chrono::minutes(2)};
  size_t mostBytes = 0;  ///< that a worker may hold in memory; 0: four fifths of the machine's
};

/// Any thread may call everything. Observers are called on the engine's threads and must return quickly.
class Engine {
 public:
  using JobId = uint64_t;
  using Observer = std::function<void(const Progress&)>;
  using LogSink = std::function<void(const std::string& line)>;

  explicit Engine(EngineOptions options, LogSink log = {});
  /// Cancels what is left and ends the workers.
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  JobId submit(Work work, Observer observer = {});
  /// Takes at most half a second: a job that does not stop by itself loses its worker.
  void cancel(JobId id);
  /// Of a job that has not been waited for.
  Progress progress(JobId id) const;
  /// Blocks until the job has ended, and forgets it.
  /// @return the reply, or why there is none: what the worker said, ErrorCode::cancelled, or ErrorCode::internal where
  /// the worker crashed, hung or took too much memory.
  Expected<Message> wait(JobId id);
  /// submit() and wait(), with progress and cancellation through the context, on the calling thread.
  Expected<Message> run(Work work, const Context& context);

 private:
  struct Job;
  /// One worker and the thread that looks after it.
  struct Keeper;

  void keep(Keeper& keeper);
  std::shared_ptr<Job> next(Keeper& keeper);
  void attempt(Keeper& keeper, Job& job);
  Expected<Message> attendAny(Keeper& keeper, Job& job);
  Expected<Message> attend(Keeper& keeper, Job& job);
  void listen(Job& job, const nlohmann::json& message);
  void setProgress(Job& job, const Progress& progress);
  void finish(Job& job, State state, Expected<Message> outcome);

  const EngineOptions m_options;
  const LogSink m_log;
  mutable std::mutex m_mutex;  // of everything below
  std::condition_variable m_changed;
  bool m_ending = false;
  JobId m_last = 0;
  std::map<JobId, std::shared_ptr<Job>> m_jobs;
  std::vector<std::unique_ptr<Keeper>> m_keepers;
};

}  // namespace lynceus::job
