#include "core/image/components.h"

#include <gtest/gtest.h>

#include <array>
#include <random>

namespace lynceus::image {
namespace {

Mask randomMask(Int3 size, double density, unsigned seed) {
  Mask mask(Geometry{size, {1, 1, 1}, {}, {Vec3{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}});
  std::mt19937 random(seed);
  for (uint8_t& v : mask.voxels) v = random() < density * 4294967296.0 ? 1 : 0;
  return mask;
}

/// Flood fill in memory order: slow and plain.
Image<int32_t> floodFill(const Mask& mask, bool corners) {
  Image<int32_t> labels(mask.geometry);
  const Int3 size = mask.geometry.size;
  int32_t count = 0;
  for (int z = 0; z < size.z; ++z)
    for (int y = 0; y < size.y; ++y)
      for (int x = 0; x < size.x; ++x) {
        if (mask.at(x, y, z) == 0 || labels.at(x, y, z) != 0) continue;
        labels.at(x, y, z) = ++count;
        std::vector<Int3> stack{{x, y, z}};
        while (!stack.empty()) {
          const Int3 p = stack.back();
          stack.pop_back();
          for (int k = 0; k < 27; ++k) {
            const Int3 d{k % 3 - 1, k / 3 % 3 - 1, k / 9 - 1};
            if (!corners && std::abs(d.x) + std::abs(d.y) + std::abs(d.z) != 1) continue;
            const Int3 q{p.x + d.x, p.y + d.y, p.z + d.z};
            if (!mask.geometry.contains(q) || mask.at(q.x, q.y, q.z) == 0 || labels.at(q.x, q.y, q.z) != 0) continue;
            labels.at(q.x, q.y, q.z) = count;
            stack.push_back(q);
          }
        }
      }
  return labels;
}

TEST(LabelComponents, EqualsAFloodFillInMemoryOrder) {
  for (const double density : {0.05, 0.2, 0.32, 0.6, 1.0}) {
    for (const bool corners : {false, true}) {
      const Mask mask = randomMask({17, 13, 11}, density, 7);
      const Components out = labelComponents(mask, corners ? Connectivity::corners26 : Connectivity::faces6);
      EXPECT_EQ(out.labels.voxels, floodFill(mask, corners).voxels) << density << ' ' << corners;
    }
  }
}

TEST(LabelComponents, SaysSizeBoxAndCentroidOfEach) {
  Mask mask = randomMask({8, 8, 8}, 0, 1);
  mask.at(1, 2, 3) = mask.at(2, 2, 3) = mask.at(2, 3, 3) = mask.at(2, 3, 4) = 1;
  mask.at(7, 7, 7) = 1;
  const Components out = labelComponents(mask, Connectivity::faces6);
  ASSERT_EQ(out.components.size(), 2U);
  EXPECT_EQ(out.components[0].voxels, 4);
  EXPECT_EQ(out.components[0].min, (Int3{1, 2, 3}));
  EXPECT_EQ(out.components[0].max, (Int3{2, 3, 4}));
  EXPECT_EQ(out.components[0].centroidIndex, (Vec3{1.75, 2.5, 3.25}));
  EXPECT_EQ(out.components[1].voxels, 1);
}

TEST(LabelComponents, OfAnEmptyMaskAreNone) {
  EXPECT_TRUE(labelComponents(randomMask({4, 4, 4}, 0, 1), Connectivity::corners26).components.empty());
}

}  // namespace
}  // namespace lynceus::image
