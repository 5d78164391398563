#include "core/detect/decode.h"

#include <cmath>

#include <gtest/gtest.h>

using namespace lynceus;
using namespace lynceus::detect;

namespace {

nn::Tensor filled(nn::Shape shape, float value) {
  nn::Tensor t = nn::Tensor::zeros(std::move(shape));
  for (float& v : t.floats()) v = value;
  return t;
}

/// A heat map of 6 x 5 x 4 cells (x, y, z) with background logits of -9.
struct HeatMap {
  nn::Tensor heat = filled({1, 1, 4, 5, 6}, -9);
  nn::Tensor size = filled({1, 1, 4, 5, 6}, std::log(8.0f));
  nn::Tensor offset = filled({1, 3, 4, 5, 6}, 0);
  static size_t at(int x, int y, int z, int channel = 0) {
    return static_cast<size_t>(((channel * 4 + z) * 5 + y) * 6 + x);
  }
  TileOutputs outputs() const { return {{"heat", heat}, {"size", size}, {"offset", offset}}; }
};

}  // namespace

TEST(HeatMapDecoding, PutsThePeakAtTheMiddleOfItsVoxelsPlusTheOffset) {
  HeatMap map;
  map.heat.floats()[HeatMap::at(3, 2, 1)] = 2;
  map.offset.floats()[HeatMap::at(3, 2, 1, 0)] = 0.25f;  // mm along x
  map.offset.floats()[HeatMap::at(3, 2, 1, 2)] = -0.5f;  // mm along z
  const auto found = decodeHeatMap(map.outputs(), {}, 0.5);
  ASSERT_TRUE(found) << found.error().message;
  ASSERT_EQ(found->size(), 1u);
  const Candidate& c = found->front();
  EXPECT_NEAR(c.center.x, 3 * 2 + 0.5 + 0.5, 1e-6);  // 0.25 mm are half a voxel of 0.5 mm
  EXPECT_NEAR(c.center.y, 2 * 2 + 0.5, 1e-6);
  EXPECT_NEAR(c.center.z, 1 * 2 + 0.5 - 1, 1e-6);
  EXPECT_NEAR(c.size.x, 16, 1e-4);  // 8 mm
  EXPECT_DOUBLE_EQ(c.logit, 2);
}

TEST(HeatMapDecoding, TakesOnePeakOfAPlateauAndNothingBelowTheCandidateScore) {
  HeatMap map;
  map.heat.floats()[HeatMap::at(1, 1, 1)] = map.heat.floats()[HeatMap::at(2, 1, 1)] = 1;
  map.heat.floats()[HeatMap::at(5, 4, 3)] = -4;  // score 0.018
  const auto found = decodeHeatMap(map.outputs(), {}, 1);
  ASSERT_TRUE(found);
  ASSERT_EQ(found->size(), 1u);
  EXPECT_NEAR(found->front().center.x, 2.5, 1e-6);
}

TEST(HeatMapDecoding, ANetworkThatPutsOutNotANumberGivesNoFindingAndNoCrash) {
  HeatMap map;
  for (float& v : map.heat.floats()) v = std::nanf("");
  const auto found = decodeHeatMap(map.outputs(), {}, 1);
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->empty());
}

TEST(HeatMapDecoding, NamesTheOutputThatIsMissing) {
  HeatMap map;
  TileOutputs outputs = map.outputs();
  outputs.erase(outputs.begin() + 1);
  const auto found = decodeHeatMap(outputs, {}, 1);
  ASSERT_FALSE(found);
  EXPECT_NE(found.error().message.find("'size'"), std::string::npos);
}

TEST(AnchorDecoding, MovesAndStretchesTheAnchorAsTheRegressionSays) {
  model::Output rules;
  rules.coding = model::Coding::anchors;
  rules.levels = {{"scores", "boxes", {4, 4, 2}, {{6, 8, 4}, {10, 10, 6}}}};
  nn::Tensor scores = filled({1, 2, 2, 3, 3}, -9), boxes = filled({1, 12, 2, 3, 3}, 0);
  const auto at = [](int channel, int x, int y, int z) {
    return static_cast<size_t>(((channel * 2 + z) * 3 + y) * 3 + x);
  };
  scores.floats()[at(1, 2, 1, 0)] = 3;
  boxes.floats()[at(6 + 0, 2, 1, 0)] = 0.5f;            // dx: half an anchor width
  boxes.floats()[at(6 + 3, 2, 1, 0)] = std::log(2.0f);  // twice as wide
  boxes.floats()[at(6 + 5, 2, 1, 0)] = 100;             // absurd: clipped at 1000/16
  const auto found = decodeAnchors({{"scores", scores}, {"boxes", boxes}}, rules);
  ASSERT_TRUE(found) << found.error().message;
  ASSERT_EQ(found->size(), 1u);
  const Candidate& c = found->front();
  EXPECT_NEAR(c.center.x, 2 * 4 + 1.5 + 5, 1e-5);
  EXPECT_NEAR(c.center.y, 1 * 4 + 1.5, 1e-5);
  EXPECT_NEAR(c.center.z, 0.5, 1e-5);
  EXPECT_NEAR(c.size.x, 20, 1e-4);
  EXPECT_NEAR(c.size.y, 10, 1e-4);
  EXPECT_NEAR(c.size.z, 6 * 1000.0 / 16, 1e-2);
}

TEST(Suppression, KeepsTheStrongestOfOverlappingBoxesAndAllThatAreApart) {
  const auto box = [](double x, double size, double logit) { return Candidate{{x, 0, 0}, {size, size, size}, logit}; };
  const auto kept = suppress({box(0, 10, 1), box(3, 10, 2), box(40, 10, 0), box(40, 3, 3)}, 0.2, 10);
  ASSERT_EQ(kept.size(), 2u);
  EXPECT_EQ(kept[0].logit, 3);  // a small box in the middle of a large one is the same lesion
  EXPECT_EQ(kept[1].logit, 2);
}

TEST(Suppression, MakesOneFindingOfTheFragmentsOfAMassAndKeepsItsNeighbours) {
  for (const double mass : {40.0, 50.0, 60.0}) {
    const auto box = [](double x, double y, double z, double size, double logit) {
      return Candidate{{x, y, z}, {size, size, size}, logit};
    };
    const std::vector<Candidate> all{
        box(0, 0, 0, mass, 4),
        box(0.42 * mass, 0, 0, 8, 3),
        box(0, -0.3 * mass, 0.3 * mass, 15, 2),
        box(-0.2 * mass, 0.2 * mass, -0.3 * mass, 25, 1),
        box(0.5 * mass + 2, 0, 0, 6, 2.5),        // a nodule that touches it
        box(0.4 * mass, 0.4 * mass, 0, 6, 2.2)};  // in the corner of its box, outside of it
    const auto kept = suppress(all, 0.2, 10);
    ASSERT_EQ(kept.size(), 3u) << mass;
    EXPECT_EQ(kept[0].logit, 4);
    EXPECT_EQ(kept[1].logit, 2.5);
    EXPECT_EQ(kept[2].logit, 2.2);
  }
}

TEST(Suppression, StopsAtTheLimitWithTheStrongest) {
  std::vector<Candidate> many;
  for (int i = 0; i < 50; ++i) many.push_back({{i * 20.0, 0, 0}, {5, 5, 5}, static_cast<double>(i)});
  const auto kept = suppress(many, 0.2, 3);
  ASSERT_EQ(kept.size(), 3u);
  EXPECT_EQ(kept[2].logit, 47);
}
