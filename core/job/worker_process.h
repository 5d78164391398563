// A child process that does one kind of work: its start, its end, and what it takes of the machine.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>

#include <sys/types.h>

#include "core/error.h"
#include "core/job/channel.h"

namespace lynceus::job {

/// The descriptor of a worker's end of the connection, in the worker.
inline constexpr int kWorkerSocket = 3;

/// `lynceus-worker` beside the program that runs, or what $LYNCEUS_WORKER names.
std::filesystem::path workerProgram();

/// A running worker. It ends with this object, and with this process however that ends: the worker sees the connection
/// close. One thread at a time.
class WorkerProcess {
 public:
  /// @param mode  detect, parse or probe.
  /// @param threads  of its team; 0: as the environment says.
  /// @return ErrorCode::resource where there is no such program, or one of another version; ErrorCode::internal where
  /// it crashed.
  static Expected<WorkerProcess> start(const std::filesystem::path& program, const std::string& mode, int threads);

  WorkerProcess(WorkerProcess&&) = default;
  WorkerProcess& operator=(WorkerProcess&&) = delete;
  ~WorkerProcess();

  Channel& channel() { return *m_channel; }
  pid_t pid() const { return m_child.pid; }
  /// What it holds in memory now, shared memory included; 0 once it has ended.
  size_t residentBytes() const;
  /// Ends it and everything it started, and waits for that.
  struct End {
    std::string how;      ///< a clause: "was ended by signal 11 (Segmentation fault)"
    bool crashed = true;  ///< by a signal
  };
  End end();

 private:
  /// Not reaped as long as pid > 0.
  struct Child {
    pid_t pid = -1;
    Child() = default;
    Child(Child&& other) noexcept : pid(std::exchange(other.pid, -1)) {}
  };
  WorkerProcess() = default;
  Expected<void> greet(const std::filesystem::path& program);

  Child m_child;
  std::unique_ptr<Channel> m_channel;
};

}  // namespace lynceus::job
