#include "core/evaluate/match.h"

#include <gtest/gtest.h>

using namespace lynceus;
using evaluate::Ball;
using evaluate::Fate;
using evaluate::Mark;

namespace {

Ball ball(double x, double diameterMm) { return {{x, 0, 0}, diameterMm}; }
Mark mark(double x, double score) { return {{x, 0, 0}, score}; }

std::vector<Fate> fates(const std::vector<Ball>& findings, const std::vector<Ball>& excluded,
                        const std::vector<Mark>& marks) {
  return evaluate::match(findings, excluded, marks).fates;
}

}  // namespace

TEST(Matching, AHitLiesStrictlyInsideTheRadius) {
  EXPECT_EQ(fates({ball(0, 10)}, {}, {mark(4.99, 0.5)}), std::vector<Fate>{Fate::hit});
  EXPECT_EQ(fates({ball(0, 10)}, {}, {mark(5, 0.5)}), std::vector<Fate>{Fate::falseMark});
}

TEST(Matching, SeveralMarksInOneFindingCountOnceAndAreNotFalse) {
  const auto m = evaluate::match(std::vector{ball(0, 10), ball(100, 6)}, {},
                                 std::vector{mark(1, 0.4), mark(2, 0.9), mark(50, 0.8)});
  EXPECT_EQ(m.strongest[0], 1u);
  EXPECT_FALSE(m.strongest[1]);
  EXPECT_EQ(m.fates, (std::vector{Fate::duplicate, Fate::hit, Fate::falseMark}));
}

TEST(Matching, OneMarkMayHitTwoOverlappingFindings) {
  const auto m = evaluate::match(std::vector{ball(0, 10), ball(4, 10)}, {}, std::vector{mark(2, 0.4), mark(-1, 0.9)});
  EXPECT_EQ(m.strongest[0], 1u);
  EXPECT_EQ(m.strongest[1], 0u);
  EXPECT_EQ(m.fates, (std::vector{Fate::hit, Fate::hit}));
}

TEST(Matching, AMarkInAnExcludedFindingIsIgnoredUnlessItHitsAnother) {
  EXPECT_EQ(fates({ball(0, 10)}, {ball(6, 10)}, {mark(6, 0.5), mark(4, 0.9), mark(2, 0.1), mark(11, 0.7)}),
            (std::vector{Fate::ignored, Fate::hit, Fate::duplicate, Fate::falseMark}));
}

TEST(Matching, OnlyTheStrongestHundredMarksCountAndTiesAtTheBorderDrop) {
  std::vector<Mark> marks;
  for (int i = 0; i < 101; ++i) marks.push_back(mark(0, 1 - i * 0.001));
  EXPECT_EQ(fates({}, {}, marks)[99], Fate::falseMark);
  EXPECT_EQ(fates({}, {}, marks)[100], Fate::surplus);
  for (size_t i = 98; i < marks.size(); ++i) marks[i].score = 0.5;  // places 99 to 101
  const auto tied = fates({}, {}, marks);
  EXPECT_EQ(tied[97], Fate::falseMark);
  EXPECT_EQ(tied[98], Fate::surplus);
  marks.resize(100);
  EXPECT_EQ(fates({}, {}, marks)[99], Fate::falseMark);
}

TEST(Matching, TheTableNamesWhatWasMissed) {
  detect::Finding lesion;
  lesion.estimatedDiameterMm = 10;
  const std::string table = evaluate::comparisonTable({lesion}, {});
  EXPECT_NE(table.find("MISSED"), std::string::npos);
  EXPECT_NE(table.find("0 of 1 lesions found, 0 false marks"), std::string::npos);
}
