// Examples small enough to compute by hand.
#include "core/evaluate/froc.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <omp.h>

#include "core/philox.h"

using namespace lynceus;
using evaluate::computeFroc;
using evaluate::Froc;
using evaluate::FrocInput;
using evaluate::KnownFinding;
using evaluate::Scan;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

KnownFinding finding(double x, double diameterMm = 10, std::vector<std::string> groups = {}) {
  return {{{x, 0, 0}, diameterMm}, "", std::move(groups)};
}

Scan scan(const std::string& name, std::vector<KnownFinding> findings, std::vector<evaluate::Mark> marks) {
  Scan s;
  s.name = name;
  s.findings = std::move(findings);
  s.marks = std::move(marks);
  return s;
}

evaluate::Mark mark(double x, double score) { return {{x, 0, 0}, score}; }

Froc froc(const FrocInput& input, int replicates = 40) {
  auto result = computeFroc(input, {replicates, 1});
  EXPECT_TRUE(result) << (result ? "" : result.error().message);
  return result ? *result : Froc{};
}

std::vector<double> sensitivities(const Froc& f) {
  std::vector<double> values;
  for (const auto& p : f.points) values.push_back(p.sensitivity.value);
  return values;
}

std::vector<double> sensitivities(const evaluate::FrocGroup& g) {
  std::vector<double> values;
  for (const auto& e : g.sensitivity) values.push_back(e.value);
  return values;
}

/// Forty scans with a finding each and marks at random scores.
FrocInput randomInput() {
  FrocInput input;
  for (uint32_t s = 0; s < 40; ++s) {
    const auto r = philox4x32({{s, 0, 0, 0}}, 5);
    const auto score = [&](int i) { return static_cast<double>(uniformFloat(r.word[i])); };
    input.scans.push_back(scan(std::to_string(s), {finding(0, 3 + s % 20)},
                               {mark(0, score(0)), mark(50, score(1)), mark(60, score(2)), mark(70, score(3))}));
  }
  return input;
}

}  // namespace

// Curve: (0, 0), (0, 1/2), (1/2, 1/2), (1, 1/2), (1, 1) in false marks per scan and sensitivity.
TEST(Froc, StepsFromScoreToScore) {
  const Froc f = froc(
      {{scan("a", {finding(0)}, {mark(0, 0.9), mark(50, 0.8)}), scan("b", {finding(0)}, {mark(50, 0.7), mark(0, 0.6)})},
       {}});
  EXPECT_THAT(sensitivities(f), ElementsAre(0.5, 0.5, 0.5, 1, 1, 1, 1));
  EXPECT_DOUBLE_EQ(f.cpm.value, 5.5 / 7);
  EXPECT_EQ(f.points[0].threshold, 0.9);
  EXPECT_EQ(f.points[2].threshold, 0.8);
  EXPECT_EQ(f.points[3].threshold, 0.6);
  EXPECT_EQ(f.mostFalsePerScan, 1);
}

// One step from (0, 0) to (4, 1): a straight line.
TEST(Froc, MarksOfEqualScoreMoveTheCurveTogether) {
  const Froc f =
      froc({{scan("a", {finding(0)}, {mark(0, 0.5), mark(20, 0.5), mark(30, 0.5), mark(40, 0.5), mark(50, 0.5)})}, {}});
  EXPECT_THAT(sensitivities(f), ElementsAre(1 / 32.0, 1 / 16.0, 1 / 8.0, 1 / 4.0, 1 / 2.0, 1, 1));
  EXPECT_FALSE(f.points[0].threshold);
  EXPECT_EQ(f.points[5].threshold, 0.5);
}

TEST(Froc, FindingsWithoutAMarkStayMissedAtEveryRate) {
  const Froc f = froc({{scan("a", {finding(0), finding(100)}, {mark(0, 0.9)})}, {}});
  EXPECT_THAT(sensitivities(f), testing::Each(0.5));
  EXPECT_EQ(f.findings[0].score, 0.9);
  EXPECT_FALSE(f.findings[1].score);
}

TEST(Froc, WithoutAnyMarkNothingIsFound) {
  const Froc f = froc({{scan("a", {finding(0)}, {})}, {}});
  EXPECT_THAT(sensitivities(f), testing::Each(0));
  EXPECT_FALSE(f.points[6].threshold);
  EXPECT_FALSE(f.calibration);
}

TEST(Froc, WithoutFalseMarksTheCurveIsLevel) {
  const Froc f = froc({{scan("a", {finding(0)}, {mark(0, 0.1)}), scan("b", {}, {})}, {}});
  EXPECT_THAT(sensitivities(f), testing::Each(1));
  EXPECT_EQ(f.mostFalsePerScan, 0);
}

// The weakest of 101 marks is the only one in the finding.
TEST(Froc, TheHundredAndFirstMarkOfAScanDoesNotCount) {
  std::vector<evaluate::Mark> marks;
  for (int i = 0; i < 100; ++i) marks.push_back(mark(50, 0.9));
  marks.push_back(mark(0, 0.1));
  const Froc f = froc({{scan("a", {finding(0)}, marks)}, {}});
  EXPECT_THAT(sensitivities(f), testing::Each(0));
  EXPECT_EQ(f.counts.surplus, 1u);
  EXPECT_EQ(f.counts.falseMarks, 100u);
}

TEST(Froc, CountsWhatBecameOfEachMark) {
  FrocInput input{{scan("a", {finding(0)}, {mark(0, 0.9), mark(1, 0.8), mark(30, 0.7), mark(50, 0.6)})}, {}};
  input.scans[0].excluded = {{{30, 0, 0}, 10}};
  const Froc::Counts c = froc(input).counts;
  EXPECT_EQ(c.hit, 1u);
  EXPECT_EQ(c.duplicate, 1u);
  EXPECT_EQ(c.ignored, 1u);
  EXPECT_EQ(c.falseMarks, 1u);
  EXPECT_EQ(c.marks, 4u);
}

TEST(Froc, NeedsAFinding) {
  const auto none = computeFroc({{scan("a", {}, {mark(0, 0.5)})}, {}}, {40, 1});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::badInput);
  EXPECT_THAT(none.error().message, HasSubstr("none of the 1 series has a finding"));
  EXPECT_FALSE(computeFroc({}, {40, 1}));
}

// Scores 0.9 (4 mm), false 0.8, 0.7 (30 mm), in one scan: at 1/8 the curve stands at (0, 1/2), at 1 at (1, 1). The
// large finding alone would be found at 1/8 by a threshold of its own.
TEST(Froc, GroupsUseTheThresholdsOfAllFindings) {
  const Froc f = froc({{scan("a", {finding(0, 4, {"solid"}), finding(100, 30, {"ground glass"})},
                             {mark(0, 0.9), mark(50, 0.8), mark(100, 0.7)})},
                       {"texture"}});
  ASSERT_EQ(f.groups.size(), 4u);
  EXPECT_EQ(f.groups[0].value, "3 to 5 mm");
  EXPECT_THAT(sensitivities(f.groups[0]), testing::Each(1));
  EXPECT_EQ(f.groups[1].value, "20 mm or more");
  EXPECT_THAT(sensitivities(f.groups[1]), ElementsAre(0, 0, 0, 1, 1, 1, 1));
  EXPECT_DOUBLE_EQ(f.groups[1].cpm.value, 4.0 / 7);
  EXPECT_EQ(f.groups[2].column, "texture");
  EXPECT_EQ(f.groups[2].value, "ground glass");
  EXPECT_EQ(f.groups[2].findings, 1u);
}

TEST(Froc, SizeGroupsIncludeTheirLowerBound) {
  FrocInput input{{scan("a", {}, {})}, {}};
  for (const double d : {2.9, 3.0, 5.0, 6.0, 8.0, 10.0, 20.0}) input.scans[0].findings.push_back(finding(100 * d, d));
  const Froc f = froc(input);
  ASSERT_EQ(f.groups.size(), 7u);
  for (const auto& g : f.groups) EXPECT_EQ(g.findings, 1u) << g.value;
}

TEST(Froc, RefusesAColumnThatIsNoGrouping) {
  FrocInput input{{scan("a", {}, {})}, {"name"}};
  for (int i = 0; i < 51; ++i) input.scans[0].findings.push_back(finding(100.0 * i, 10, {std::to_string(i)}));
  EXPECT_THAT(computeFroc(input, {40, 1}).error().message, HasSubstr("name has 51 different values"));
}

// False marks of "findings only" are left out; the rate is over the one background scan: (0, 1), (1, 1).
TEST(Froc, AsAPseudoFrocCountsFalseMarksInBackgroundScansOnly) {
  FrocInput input{{scan("findings only", {finding(0)}, {mark(0, 0.5), mark(50, 0.9)}),
                   scan("background", {}, {mark(10, 0.4), mark(20, 0.6)})},
                  {}};
  input.scans[0].countsFalseMarks = false;
  const Froc f = froc(input, 100);
  EXPECT_TRUE(f.pseudo);
  EXPECT_EQ(f.counts.scansForFalseMarks, 1u);
  EXPECT_EQ(f.counts.falseMarks, 2u);
  EXPECT_EQ(f.counts.outside, 1u);
  EXPECT_THAT(sensitivities(f), ElementsAre(0, 0, 0, 1, 1, 1, 1));
  ASSERT_TRUE(f.points[0].sensitivity.interval);  // each replicate has both scans
  EXPECT_EQ(f.points[3].sensitivity.interval->low, 1);
  EXPECT_EQ(f.calibration->count, 3u);
}

TEST(Froc, ScoresThatAreNoProbabilitiesAreRankedButNotCalibrated) {
  const Froc f = froc({{scan("a", {finding(0)}, {mark(0, 7.5), mark(50, -3)})}, {}});
  EXPECT_THAT(sensitivities(f), testing::Each(1));
  EXPECT_FALSE(f.calibration);
}

TEST(Froc, TheCurveHoldsTheOperatingPoints) {
  const Froc f = froc(randomInput());
  ASSERT_EQ(f.curve.size(), evaluate::kCurveSteps);
  for (size_t i = 0; i < 7; ++i) {
    EXPECT_EQ(f.curve[16 * i].rate, evaluate::kRates[i]);
    EXPECT_EQ(f.curve[16 * i].sensitivity, f.points[i].sensitivity.value);
  }
  for (size_t i = 1; i < f.curve.size(); ++i) EXPECT_GE(f.curve[i].sensitivity, f.curve[i - 1].sensitivity);
}

TEST(Froc, IntervalsAreTheSameForAnyNumberOfThreads) {
  const int before = omp_get_max_threads();
  omp_set_num_threads(1);
  const Froc one = froc(randomInput(), 200);
  omp_set_num_threads(3);
  const Froc three = froc(randomInput(), 200);
  omp_set_num_threads(before);
  for (size_t i = 0; i < one.curve.size(); ++i) {
    EXPECT_EQ(one.curve[i].spread.interval->low, three.curve[i].spread.interval->low);
    EXPECT_EQ(one.curve[i].spread.interval->high, three.curve[i].spread.interval->high);
    EXPECT_EQ(one.curve[i].spread.mean, three.curve[i].spread.mean);
  }
  EXPECT_EQ(one.calibration->expectedError.interval->high, three.calibration->expectedError.interval->high);
  EXPECT_LT(one.cpm.interval->low, one.cpm.value);
  EXPECT_GT(one.cpm.interval->high, one.cpm.value);
}

// A group in one of 40 scans is in (1 - 1/e) of the samples only.
TEST(Froc, SamplesWithoutAFindingOfTheGroupDoNotCountForItsInterval) {
  FrocInput input = randomInput();
  input.groupColumns = {"kind"};
  for (Scan& s : input.scans) s.findings[0].groups = {s.name == "7" ? "rare" : "usual"};
  const auto hasInterval = [&](int replicates) {
    const Froc f = froc(input, replicates);
    const auto rare = std::find_if(f.groups.begin(), f.groups.end(), [](const auto& g) { return g.value == "rare"; });
    return rare->sensitivity[0].interval.has_value();
  };
  EXPECT_FALSE(hasInterval(40));  // fewer than 40 of 40 can be computed
  EXPECT_TRUE(hasInterval(400));
}
