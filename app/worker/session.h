// The worker's side of the connection: takes one job after the other, says that it is alive, and ends with its program.
#pragma once

#include <functional>

#include "core/job/channel.h"
#include "core/job/context.h"

namespace lynceus::worker {

/// What a mode works on. Lives on the main thread.
struct Job {
  nlohmann::json work;                ///< as the program gave it to the engine
  std::vector<FileDescriptor> files;  ///< what came beside it
  job::Context& context;
  std::function<void(const std::string& line)> log;  ///< a line for the program's log; any thread
  bool last = false;                                 ///< set by the mode: this process is not fit for another job
};

/// What a mode does with a job: the answer and the files to send with it.
using Handler = std::function<Expected<job::Message>(Job& job)>;

/// Serves the program at the other end until that closes the connection, which ends this process and all it started.
/// @return only where the connection cannot be used from the start: the exit code.
int serve(FileDescriptor socket, const std::string& mode, const Handler& handler);

}  // namespace lynceus::worker
