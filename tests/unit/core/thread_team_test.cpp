// How many threads there are, and how jobs share them.
#include "core/thread_team.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <fstream>
#include <numeric>

#include "tests/support/temporary_folder.h"

namespace lynceus::test {
namespace {

namespace fs = std::filesystem;

class ThreadTeam : public testing::Test {
 protected:
  void write(const std::string& file, const std::string& text) const {
    fs::create_directories((m_folder / file).parent_path());
    std::ofstream(m_folder / file) << text;
  }
  int cores() const { return availableCores(m_folder / "groups", m_folder / "self"); }

  TemporaryFolder m_folder;
};

TEST_F(ThreadTeam, HasAThreadForEachCoreWhereNothingLimitsIt) {
  EXPECT_EQ(cores(), omp_get_num_procs());
  write("self", "0::/user.slice\n");
  write("groups/user.slice/cpu.max", "max 100000\n");
  EXPECT_EQ(cores(), omp_get_num_procs());
}

TEST_F(ThreadTeam, KeepsToTheQuotaOfItsGroupAndOfThoseAbove) {
  write("self", "1:cpu:/elsewhere\n0::/system.slice/lynceus.service\n");
  write("groups/system.slice/cpu.max", "100000 100000\n");
  write("groups/system.slice/lynceus.service/cpu.max", "400000 100000\n");
  EXPECT_EQ(cores(), 1);
  write("groups/system.slice/cpu.max", "max 100000\n");
  write("groups/system.slice/lynceus.service/cpu.max", "50000 100000\n");
  EXPECT_EQ(cores(), 1) << "half a core is one thread";
}

TEST_F(ThreadTeam, KeepsToTheQuotaOfAContainer) {
  write("self", "0::/\n");
  write("groups/cpu.max", "100000 100000\n");
  EXPECT_EQ(cores(), 1);
}

TEST_F(ThreadTeam, DoesNotBelieveNonsense) {
  write("self", "0::/../../..\n");
  write("groups/cpu.max", "-5 0\n");
  EXPECT_EQ(cores(), omp_get_num_procs());
  write("groups/cpu.max", "lots\n");
  EXPECT_EQ(cores(), omp_get_num_procs());
}

TEST(ShareThreads, AddsUpToTheTeam) {
  for (int threads = 1; threads <= 17; ++threads)
    for (int jobs = 1; jobs <= 20; ++jobs) {
      const std::vector<int> shares = shareThreads(threads, jobs);
      EXPECT_EQ(std::accumulate(shares.begin(), shares.end(), 0), threads);
      EXPECT_EQ(shares.size(), static_cast<size_t>(std::min(threads, jobs)));
      EXPECT_LE(shares.front() - shares.back(), 1);
      EXPECT_GE(shares.back(), 1);
    }
}

}  // namespace
}  // namespace lynceus::test
