// The program `lynceus-worker`: does for the others what may crash, hang or take all memory. Started by them alone.
#include <csignal>
#include <fstream>
#include <string_view>

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "app/worker/modes.h"
#include "core/job/worker_process.h"
#include "core/thread_team.h"
#include "core/version.h"

namespace {

constexpr int kWrongUse = 2;

bool startedByAProgram() {
  struct stat status = {};
  return fstat(lynceus::job::kWorkerSocket, &status) == 0 && S_ISSOCK(status.st_mode);
}

}  // namespace

int main(int argc, char** argv) {
  using namespace lynceus;
  const std::string_view mode = argc == 2 ? argv[1] : "";
  if (mode == "--version") {
    fmt::print("lynceus-worker {} (commit {})\n", kVersion, kCommit);
    return 0;
  }
  const worker::Handler handler = mode == "parse"    ? worker::parseMode()
                                  : mode == "detect" ? worker::detectMode()
                                  : mode == "probe"  ? worker::probeMode()
                                                     : worker::Handler();
  if (!handler || !startedByAProgram()) {
    fmt::print(stderr, "lynceus-worker: this program is started by lynceus and lynceus-desktop, not by hand\n");
    return kWrongUse;
  }
  // Where memory runs out, the system ends this process before the program that started it.
  std::ofstream("/proc/self/oom_score_adj") << 800;
  std::signal(SIGXFSZ, SIG_IGN);  // shared memory counts as a file: too large a one is an error, not the end
  startThreadTeam();
  return worker::serve(FileDescriptor(job::kWorkerSocket), std::string(mode), handler);
}
