#include "core/detect/tiling.h"

#include <ostream>
#include <vector>

#include <gtest/gtest.h>

using namespace lynceus::detect;
using lynceus::image::Int3;

namespace {

struct Case {
  Int3 grid;
  int maxSize, overlap, multipleOf;
};

// What the list of tests shows.
std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << c.grid.x << " x " << c.grid.y << " x " << c.grid.z << ", tiles to " << c.maxSize;
}

class TilePlanTest : public testing::TestWithParam<Case> {};

}  // namespace

TEST_P(TilePlanTest, CoresCoverEveryVoxelExactlyOnceWithTheAgreedContext) {
  const auto [grid, maxSize, overlap, multipleOf] = GetParam();
  const TilePlan plan = planTiles(grid, maxSize, overlap, multipleOf);
  EXPECT_LE(plan.size.x, maxSize);
  EXPECT_EQ(plan.size.x % multipleOf, 0);
  std::vector<int> covered(static_cast<size_t>(grid.x) * static_cast<size_t>(grid.y) * static_cast<size_t>(grid.z));
  for (const Tile& t : plan.tiles) {
    for (int z = t.coreFirst.z; z < t.coreLast.z; ++z) {
      for (int y = t.coreFirst.y; y < t.coreLast.y; ++y) {
        for (int x = t.coreFirst.x; x < t.coreLast.x; ++x)
          ++covered[static_cast<size_t>((z * grid.y + y) * grid.x + x)];
      }
    }
    // Context: half the overlap on each side of the core, except at the border of the grid.
    EXPECT_GE(t.start.x, 0);
    EXPECT_EQ(t.start.x % multipleOf, 0);
    if (t.coreFirst.x > 0) {
      EXPECT_GE(t.coreFirst.x - t.start.x, overlap / 2);
    }
    if (t.coreLast.x < grid.x) {
      EXPECT_GE(t.start.x + plan.size.x - t.coreLast.x, overlap / 2);
    }
    EXPECT_GE(t.start.x + plan.size.x, t.coreLast.x);
  }
  for (const int c : covered) ASSERT_EQ(c, 1);
}

INSTANTIATE_TEST_SUITE_P(Grids, TilePlanTest,
                         testing::Values(Case{{40, 41, 47}, 64, 16, 8}, Case{{64, 65, 129}, 64, 16, 8},
                                         Case{{200, 31, 97}, 64, 24, 4}, Case{{1, 1, 1}, 64, 16, 8},
                                         Case{{113, 112, 111}, 64, 16, 16}));

TEST(TilePlan, OneTileWhereTheGridFits) {
  const TilePlan plan = planTiles({100, 90, 33}, 128, 32, 8);
  ASSERT_EQ(plan.tiles.size(), 1u);
  EXPECT_EQ(plan.size, (Int3{104, 96, 40}));
}
