#include "core/thread_team.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <string>

#include <omp.h>

namespace lynceus {
namespace {

namespace fs = std::filesystem;

// cpu.max holds "200000 100000": microseconds of processor time in each period, or "max 100000".
int quotaOf(const fs::path& group, int most) {
  double quota = 0, period = 0;
  std::ifstream file(group / "cpu.max");
  if (!(file >> quota >> period) || quota <= 0 || period <= 0) return most;
  return std::clamp(static_cast<int>(std::ceil(std::min(quota / period, 1e6))), 1, most);
}

// The process' group under its mount, from the line "0::/path".
fs::path groupOf(const fs::path& self) {
  std::ifstream file(self);
  for (std::string line; std::getline(file, line);)
    if (line.rfind("0::/", 0) == 0) return fs::path(line.substr(4)).lexically_normal();
  return {};
}

}  // namespace

int availableCores(const fs::path& groups, const fs::path& self) {
  int cores = quotaOf(groups, omp_get_num_procs());
  fs::path group = groups;
  for (const fs::path& part : groupOf(self)) cores = std::min(cores, quotaOf(group /= part, cores));
  return cores;
}

void startThreadTeam() {
  if (!std::getenv("OMP_NUM_THREADS")) omp_set_num_threads(availableCores());
}

std::vector<int> shareThreads(int threads, int jobs) {
  const int shares = std::max(1, std::min(threads, jobs));
  std::vector<int> each;
  for (int i = 0; i < shares; ++i) each.push_back(threads / shares + (i < threads % shares ? 1 : 0));
  return each;
}

}  // namespace lynceus
