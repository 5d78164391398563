// How much memory a piece of work took at most, of this process.
#pragma once

#include <fstream>
#include <string>

namespace lynceus::fault {

/// The kernel forgets the peak where it is asked to, so that one process can measure many pieces of work.
class PeakMemory {
 public:
  PeakMemory() {
    std::ofstream("/proc/self/clear_refs") << "5";
    m_beforeMib = read("VmRSS:");
  }
  double mib() const { return read("VmHWM:") - m_beforeMib; }

 private:
  static double read(const std::string& key) {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with(key)) return std::stod(line.substr(key.size())) / 1024;
    }
    return 0;
  }
  double m_beforeMib = 0;
};

/// Sanitizers keep freed memory, so nothing is known of what the work took.
inline bool memoryIsMeasured() {
#ifdef __SANITIZE_ADDRESS__
  return false;
#else
  return true;
#endif
}

}  // namespace lynceus::fault
