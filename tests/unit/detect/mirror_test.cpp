#include "core/detect/mirror.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "tests/support/onnx_builder.h"

using namespace lynceus;
using namespace lynceus::detect;

namespace {

constexpr image::Int3 kTile{16, 24, 8};

/// Where a candidate is after mirroring, in voxels of the tile.
image::Vec3 mirrored(const image::Vec3& center, int image) {
  image::Vec3 p = center;
  if (image & 1) p.x = kTile.x - 1 - p.x;
  if (image & 2) p.y = kTile.y - 1 - p.y;
  if (image & 4) p.z = kTile.z - 1 - p.z;
  return p;
}

/// What is decoded from outputs that were mirrored back is what the outputs themselves say, mirrored.
void expectMirroredCandidates(const TileOutputs& outputs, const model::Output& rules) {
  const auto expected = decode(outputs, rules, 1);
  ASSERT_TRUE(expected) << expected.error().message;
  ASSERT_GT(expected->size(), 3u);
  for (int image = 0; image < kMirrors; ++image) {
    TileOutputs back = outputs;
    const auto done = mirrorBack(back, image, rules, kTile);
    ASSERT_TRUE(done) << done.error().message;
    const auto found = decode(back, rules, 1);
    ASSERT_TRUE(found);
    ASSERT_EQ(found->size(), expected->size());
    for (const Candidate& e : *expected) {
      const auto same =
          std::find_if(found->begin(), found->end(), [&](const Candidate& c) { return c.logit == e.logit; });
      ASSERT_NE(same, found->end());
      EXPECT_NEAR(norm(same->center - mirrored(e.center, image)), 0, 1e-5);
      EXPECT_EQ(same->size, e.size);
    }
  }
}

}  // namespace

TEST(Mirror, ReversesTheAxesOfEachBit) {
  nn::Tensor t{{1, 2, 2, 2, 3}, std::vector<float>(24)};
  for (size_t i = 0; i < 24; ++i) t.floats()[i] = static_cast<float>(i);
  mirror(t, 1);
  EXPECT_EQ(t.floats()[0], 2);
  EXPECT_EQ(t.floats()[12], 14);  // each channel by itself
  mirror(t, 1 | 2 | 4);
  EXPECT_EQ(t.floats()[0], 9);  // x is as it was, y and z are mirrored
  mirror(t, 2 | 4);
  for (size_t i = 0; i < 24; ++i) EXPECT_EQ(t.floats()[i], static_cast<float>(i));
}

TEST(MirrorBack, PutsPeaksOfAHeatMapWhereTheirMirrorImagesAre) {
  TileOutputs outputs;
  outputs.push_back({"heat", test::randomTensor({1, 1, 4, 12, 8}, 1, -4, 4)});
  outputs.push_back({"size", test::randomTensor({1, 1, 4, 12, 8}, 2, 1, 3)});
  outputs.push_back({"offset", test::randomTensor({1, 3, 4, 12, 8}, 3, -1, 1)});
  expectMirroredCandidates(outputs, {});
}

TEST(MirrorBack, PutsBoxesOfAnchorsWhereTheirMirrorImagesAre) {
  model::Output rules;
  rules.coding = model::Coding::anchors;
  rules.levels = {{"s0", "b0", {4, 4, 2}, {{6, 8, 4}, {10, 10, 6}}}, {"s1", "b1", {8, 8, 4}, {{20, 20, 20}}}};
  TileOutputs outputs;
  outputs.push_back({"s0", test::randomTensor({1, 2, 4, 6, 4}, 1, -6, 4)});
  outputs.push_back({"b0", test::randomTensor({1, 12, 4, 6, 4}, 2)});
  outputs.push_back({"s1", test::randomTensor({1, 1, 2, 3, 2}, 3, -6, 4)});
  outputs.push_back({"b1", test::randomTensor({1, 6, 2, 3, 2}, 4)});
  expectMirroredCandidates(outputs, rules);
}

TEST(MirrorBack, RefusesCellsThatDoNotMapOntoThemselves) {
  TileOutputs outputs;
  outputs.push_back({"heat", nn::Tensor::zeros({1, 1, 4, 11, 8})});  // 22 of 24 voxels
  const auto done = mirrorBack(outputs, 2, {}, kTile);
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().message.find("'heat'"), std::string::npos);
}
