#include "core/evaluate/bootstrap.h"

#include <cmath>
#include <limits>
#include <numeric>

#include <gtest/gtest.h>

using lynceus::evaluate::Bootstrap;

namespace {

std::vector<uint32_t> units(uint32_t from, uint32_t count) {
  std::vector<uint32_t> stratum(count);
  std::iota(stratum.begin(), stratum.end(), from);
  return stratum;
}

}  // namespace

TEST(Bootstrap, DrawsAsManyFromEachStratumAsItHolds) {
  const Bootstrap bootstrap({units(0, 7), units(7, 3), {}}, {200, 4});
  const auto spreads = bootstrap.run(2, [](Bootstrap::Weights w, std::span<double> out) {
    out[0] = std::accumulate(w.begin(), w.begin() + 7, 0.0);
    out[1] = std::accumulate(w.begin() + 7, w.end(), 0.0);
  });
  for (const size_t s : {0, 1}) {
    EXPECT_EQ(spreads[s].interval->low, s == 0 ? 7 : 3);
    EXPECT_EQ(spreads[s].interval->high, s == 0 ? 7 : 3);
  }
}

// The share of ones among 400 units of which half are: standard error sqrt(0.25 / 400) = 0.025, so the middle 95 %
// reach 1.96 * 0.025 = 0.049 to either side. A 2.5 % quantile of 10,000 replicates has a standard error of sqrt(0.025 *
// 0.975 / 10000) / (density 2.34 = 0.0584 / 0.025) = 0.0007, and the share moves in steps of 0.0025.
TEST(Bootstrap, TheIntervalOfAShareHasTheWidthOfTheory) {
  const Bootstrap bootstrap({units(0, 400)}, {10000, 9});
  const auto spread = bootstrap.run(1, [](Bootstrap::Weights w, std::span<double> out) {
    out[0] = std::accumulate(w.begin(), w.begin() + 200, 0.0) / 400;
  })[0];
  EXPECT_NEAR(spread.mean, 0.5, 5 * 0.025 / 100);
  EXPECT_NEAR(spread.interval->low, 0.451, 0.0025 + 5 * 0.0007);
  EXPECT_NEAR(spread.interval->high, 0.549, 0.0025 + 5 * 0.0007);
}

TEST(Bootstrap, AnotherSeedDrawsOtherSamples) {
  const auto mean = [](uint64_t seed) {
    return Bootstrap({units(0, 50)}, {100, seed})
        .run(1,
             [](Bootstrap::Weights w, std::span<double> out) {
               for (size_t i = 0; i < w.size(); ++i) out[0] += static_cast<double>(i * w[i]);
             })[0]
        .mean;
  };
  EXPECT_EQ(mean(1), mean(1));
  EXPECT_NE(mean(1), mean(2));
}

TEST(Bootstrap, ReplicatesWithoutANumberAreLeftOut) {
  const Bootstrap bootstrap({units(0, 2)}, {100, 1});
  const auto spread = bootstrap.run(1, [](Bootstrap::Weights w, std::span<double> out) {
    out[0] = w[0] == 0 ? std::numeric_limits<double>::quiet_NaN() : 3;
  })[0];
  EXPECT_LT(spread.replicates, 100);
  EXPECT_GT(spread.replicates, 50);
  EXPECT_EQ(spread.mean, 3);
  EXPECT_EQ(spread.interval->low, 3);
}
