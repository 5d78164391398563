#include "core/evaluate/patches.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace lynceus;
using evaluate::Outcome;

namespace {

std::vector<Outcome> patients(const std::vector<std::pair<double, bool>>& patches) {
  std::vector<Outcome> outcomes;
  for (const auto& [probability, isTrue] : patches)
    outcomes.push_back({probability, isTrue, static_cast<uint32_t>(outcomes.size())});
  return outcomes;
}

}  // namespace

// Of the 3 x 2 pairs the positive scores higher in 4 and ties in 2: area (4 + 1) / 6.
TEST(Patches, TheAreaUnderTheRocCountsTiesByHalf) {
  const auto p = evaluate::evaluatePatches(
      patients({{0.9, true}, {0.5, true}, {0.5, true}, {0.5, false}, {0.1, false}}), {100, 1});
  ASSERT_TRUE(p);
  EXPECT_DOUBLE_EQ(p->rocArea.value, 5.0 / 6);
  EXPECT_DOUBLE_EQ(p->accuracy.value, 4.0 / 5);  // 0.5 is called true
  EXPECT_DOUBLE_EQ(p->sensitivity.value, 1);
  EXPECT_DOUBLE_EQ(p->specificity.value, 0.5);
  ASSERT_EQ(p->roc.size(), 4u);  // (0, 0), then one for each score
  EXPECT_DOUBLE_EQ(p->roc[1].truePositiveRate, 1.0 / 3);
  EXPECT_DOUBLE_EQ(p->roc[2].falsePositiveRate, 0.5);
  EXPECT_DOUBLE_EQ(p->roc[3].falsePositiveRate, 1);
}

TEST(Patches, TheAreaSeesTheOrderOnly) {
  const auto area = [](const std::vector<std::pair<double, bool>>& patches) {
    return evaluate::evaluatePatches(patients(patches), {40, 1})->rocArea.value;
  };
  EXPECT_EQ(area({{0.2, true}, {0.1, false}}), 1);
  EXPECT_EQ(area({{0.1, true}, {0.2, false}}), 0);
  EXPECT_EQ(area({{0.3, true}, {0.3, false}}), 0.5);
}

TEST(Patches, NeedBothLabels) {
  const auto p = evaluate::evaluatePatches(patients({{0.9, true}}), {40, 1});
  ASSERT_FALSE(p);
  EXPECT_THAT(p.error().message, testing::HasSubstr("1 of 1 patches have label 1"));
}

// Ten patients with ten equal patches are ten facts, not a hundred: the interval is that of ten patches.
TEST(Patches, RowsOfOnePatientAreDrawnTogether) {
  std::vector<Outcome> tens, ones;
  for (uint32_t patient = 0; patient < 10; ++patient) {
    const Outcome o{patient % 5 == 0 ? 0.4 : 0.6, patient % 2 == 0, patient};
    ones.push_back(o);
    for (int i = 0; i < 10; ++i) tens.push_back(o);
  }
  const auto many = evaluate::evaluatePatches(tens, {500, 3}), few = evaluate::evaluatePatches(ones, {500, 3});
  EXPECT_EQ(many->patients, 10u);
  EXPECT_DOUBLE_EQ(many->accuracy.interval->low, few->accuracy.interval->low);
  EXPECT_DOUBLE_EQ(many->accuracy.interval->high, few->accuracy.interval->high);
}

// Bins: 0.05 false; 0.15 true; 0.95 twice, one of them true. Error: (0.05 + 0.85 + 2 * 0.45) / 4.
TEST(Calibration, IsTheMeanGapBetweenScoreAndShare) {
  const auto c = evaluate::calibrate(patients({{0.95, true}, {0.95, false}, {0.05, false}, {0.15, true}}),
                                     evaluate::Bootstrap({{0, 1, 2, 3}}, {100, 1}));
  EXPECT_NEAR(c.expectedError.value, 0.45, 1e-12);
  EXPECT_NEAR(c.brier.value, (0.0025 + 0.9025 + 0.0025 + 0.7225) / 4, 1e-12);
  EXPECT_EQ(c.bins[9].count, 2u);
  EXPECT_EQ(c.bins[9].observed.value, 0.5);
  EXPECT_NEAR(c.bins[9].meanProbability, 0.95, 1e-12);
  EXPECT_EQ(c.bins[5].count, 0u);
}

TEST(Calibration, TheLastBinIncludesOne) {
  const auto c = evaluate::calibrate(patients({{1, true}, {0, false}}), evaluate::Bootstrap({{0, 1}}, {100, 1}));
  EXPECT_EQ(c.bins[9].count, 1u);
  EXPECT_EQ(c.bins[0].count, 1u);
  EXPECT_EQ(c.expectedError.value, 0);
}
