#include "core/evaluate/match.h"

#include <gtest/gtest.h>

using namespace lynceus;

namespace {

detect::Finding at(double x, double diameterMm, double score) {
  detect::Finding f;
  f.centerMm = {x, 0, 0};
  f.estimatedDiameterMm = diameterMm;
  f.score = score;
  return f;
}

}  // namespace

TEST(Matching, AHitLiesStrictlyInsideTheRadius) {
  EXPECT_EQ(evaluate::compare({at(0, 10, 1)}, {at(4.99, 3, 0.5)}).hits(), 1);
  EXPECT_EQ(evaluate::compare({at(0, 10, 1)}, {at(5, 3, 0.5)}).hits(), 0);
}

TEST(Matching, SeveralMarksInOneLesionCountOnceAndAreNotFalse) {
  const auto c = evaluate::compare({at(0, 10, 1), at(100, 6, 1)}, {at(1, 5, 0.4), at(2, 5, 0.9), at(50, 5, 0.8)});
  EXPECT_EQ(c.hits(), 1);
  EXPECT_EQ(c.lesions[0].finding, 1u);  // the strongest
  EXPECT_FALSE(c.lesions[1].finding);
  EXPECT_EQ(c.falseMarks, std::vector<size_t>{2});
}

TEST(Matching, TheTableNamesWhatWasMissed) {
  const std::string table = evaluate::comparisonTable({at(0, 10, 1)}, {});
  EXPECT_NE(table.find("MISSED"), std::string::npos);
  EXPECT_NE(table.find("0 of 1 lesions found, 0 false marks"), std::string::npos);
}
