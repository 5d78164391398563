// The worker's side of the connection: takes one job after the other, says that it is alive, and ends with its program.
#pragma once

#include <functional>

#include "core/job/channel.h"
#include "core/job/context.h"

namespace lynceus::worker {

/// What a mode does with the work of a job: the answer and the files to send with it. Runs on the main thread.
using Handler = std::function<Expected<job::Message>(job::Message work, job::Context& context)>;

/// Serves the program at the other end until that closes the connection, which ends this process and all it started.
/// @return only where the connection cannot be used from the start: the exit code.
int serve(FileDescriptor socket, const std::string& mode, const Handler& handler);

}  // namespace lynceus::worker
