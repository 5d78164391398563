// The processes that a test started, and what they left behind.
#pragma once

#include <sys/types.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/program.h"

namespace lynceus::test {

/// Living children of a process by the name of their program; zombies do not count.
inline std::vector<pid_t> childrenOf(pid_t parent, const std::string& program) {
  std::vector<pid_t> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const std::string stat = readText(entry.path() / "stat");
    const size_t open = stat.find('('), close = stat.rfind(')');
    if (close == std::string::npos || stat.substr(open + 1, close - open - 1) != program) continue;
    std::istringstream rest(stat.substr(close + 1));
    std::string state;
    pid_t its = 0;
    rest >> state >> its;
    if (its == parent && state != "Z") found.push_back(std::stoi(name));
  }
  return found;
}

inline std::vector<pid_t> workers() { return childrenOf(getpid(), "lynceus-worker"); }

inline bool within(std::chrono::milliseconds limit, const std::function<bool()>& happens) {
  for (const auto end = std::chrono::steady_clock::now() + limit; std::chrono::steady_clock::now() < end;
       std::this_thread::sleep_for(std::chrono::milliseconds(5)))
    if (happens()) return true;
  return happens();
}

inline size_t openFiles() {
  return static_cast<size_t>(
      std::distance(std::filesystem::directory_iterator("/proc/self/fd"), std::filesystem::directory_iterator()));
}

}  // namespace lynceus::test
