#include "core/job/worker_process.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <vector>

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/version.h"

namespace lynceus::job {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kGreeting{30};  // a program of 50 libraries on a slow disk

/// The environment of this process, with another size of the team where `threads` says so.
std::vector<std::string> environmentFor(int threads) {
  constexpr std::string_view kVariable = "OMP_NUM_THREADS=";
  std::vector<std::string> variables;
  for (char** v = environ; *v; ++v)
    if (threads == 0 || !std::string_view(*v).starts_with(kVariable)) variables.emplace_back(*v);
  if (threads > 0) variables.push_back(std::string(kVariable) + std::to_string(threads));
  return variables;
}

std::vector<char*> pointersTo(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

/// Its standard output goes to standard error: results of this process stay clean, whatever a plugin prints.
int spawn(const fs::path& program, const std::string& mode, int threads, int socket, pid_t& pid) {
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, STDERR_FILENO, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&files, socket, kWorkerSocket);
  posix_spawn_file_actions_addclosefrom_np(&files, kWorkerSocket + 1);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  // A group of its own: Ctrl+C in a terminal is for this process, and what the worker starts ends with it.
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  posix_spawnattr_setpgroup(&attributes, 0);
  sigset_t signals;
  sigemptyset(&signals);
  posix_spawnattr_setsigmask(&attributes, &signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGPIPE);
  posix_spawnattr_setsigdefault(&attributes, &signals);
  std::vector<std::string> words = {program.string(), mode}, variables = environmentFor(threads);
  const int error =
      posix_spawn(&pid, program.c_str(), &files, &attributes, pointersTo(words).data(), pointersTo(variables).data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  return error;
}

}  // namespace

fs::path workerProgram() {
  if (const char* set = std::getenv("LYNCEUS_WORKER"); set && *set) return set;
  std::error_code ignored;
  return fs::read_symlink("/proc/self/exe", ignored).parent_path() / "lynceus-worker";
}

Expected<WorkerProcess> WorkerProcess::start(const fs::path& program, const std::string& mode, int threads) {
  auto ends = Channel::open();
  if (!ends) return passError(ends);
  WorkerProcess worker;
  if (const int error = spawn(program, mode, threads, ends->second.get(), worker.m_child.pid); error != 0) {
    worker.m_child.pid = -1;
    return makeError(ErrorCode::resource, "{}: the worker cannot be started ({}); install Lynceus again",
                     program.string(), std::strerror(error));
  }
  worker.m_channel = std::make_unique<Channel>(std::move(ends->first));
  ends->second.reset();  // else the connection would stay open when the worker ends
  if (auto greeted = worker.greet(program); !greeted) return passError(greeted);
  return worker;
}

Expected<void> WorkerProcess::greet(const fs::path& program) {
  const auto hello = m_channel->receive(kGreeting);
  if (!hello || !*hello) {
    const End ended = end();
    return makeError(ended.crashed ? ErrorCode::internal : ErrorCode::resource,
                     "{}: the worker said nothing when it started and {}; install Lynceus again", program.string(),
                     ended.how);
  }
  const nlohmann::json& body = (*hello)->body;
  const std::string version = body.value("version", "");
  if (body.value("protocol", 0) != kProtocolVersion || version != kVersion) {
    return makeError(ErrorCode::resource, "{}: the worker is of version {}, this program of {}; install Lynceus again",
                     program.string(), version.empty() ? "unknown" : version, kVersion);
  }
  return {};
}

WorkerProcess::~WorkerProcess() { end(); }

size_t WorkerProcess::residentBytes() const {
  std::ifstream file("/proc/" + std::to_string(m_child.pid) + "/statm");
  size_t total = 0, resident = 0;
  file >> total >> resident;
  return resident * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

WorkerProcess::End WorkerProcess::end() {
  if (m_child.pid <= 0) return {"had ended before", false};
  kill(-m_child.pid, SIGKILL);  // one that has ended, or is about to, keeps its own status
  int status = 0;
  while (waitpid(m_child.pid, &status, 0) < 0 && errno == EINTR) {
  }
  m_child.pid = -1;
  if (WIFEXITED(status)) return {fmt::format("ended with code {}", WEXITSTATUS(status)), false};
  const int signal = WTERMSIG(status);
  return {fmt::format("was ended by signal {} ({})", signal, strsignal(signal)), true};
}

}  // namespace lynceus::job
