// How many threads the program's one OpenMP team has. Set once, before the first parallel loop.
#pragma once

#include <filesystem>
#include <vector>

namespace lynceus {

/// Cores this process may use: those of its affinity, but no more than its control groups' quota of processor time,
/// rounded up. OpenMP's own default knows nothing of the quota, and threads that share less than a core each wait for
/// one another most of the time.
/// @param groups  where the control groups (version 2) are mounted; a test may have others.
/// @param self    the file that says which group the process is in.
int availableCores(const std::filesystem::path& groups = "/sys/fs/cgroup",
                   const std::filesystem::path& self = "/proc/self/cgroup");

/// Gives the calling thread's team OMP_NUM_THREADS threads, where that is set, else one for each available core.
void startThreadTeam();

/// Shares of `threads` that differ by one at most and add up to it: one for each of `jobs`, but no more than threads.
std::vector<int> shareThreads(int threads, int jobs);

}  // namespace lynceus
