// The memory plan: nothing alive together overlaps, and networks need hardly more than their fullest step.
#include "core/nn/passes/memory_plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>

namespace lynceus::nn {
namespace {

using Buffers = std::vector<Buffer>;

size_t rounded(size_t bytes) { return (bytes + 63) / 64 * 64; }

bool aliveTogether(const Buffer& a, const Buffer& b) { return a.firstStep <= b.lastStep && b.firstStep <= a.lastStep; }

// Compares every pair, and counts the bound step by step.
void expectSound(const Buffers& buffers, const MemoryPlan& plan) {
  ASSERT_EQ(plan.offsets.size(), buffers.size());
  size_t last = 0, top = 0, bound = 0;
  for (size_t i = 0; i < buffers.size(); ++i) {
    EXPECT_EQ(plan.offsets[i] % 64, 0u);
    top = std::max(top, buffers[i].bytes == 0 ? 0 : plan.offsets[i] + rounded(buffers[i].bytes));
    last = std::max(last, buffers[i].lastStep);
    for (size_t j = 0; j < i; ++j) {
      const bool apart = plan.offsets[i] + rounded(buffers[i].bytes) <= plan.offsets[j] ||
                         plan.offsets[j] + rounded(buffers[j].bytes) <= plan.offsets[i] || buffers[i].bytes == 0 ||
                         buffers[j].bytes == 0;
      EXPECT_TRUE(apart || !aliveTogether(buffers[i], buffers[j])) << i << " lies on " << j;
    }
  }
  for (size_t step = 0; step <= last; ++step) {
    size_t sum = 0;
    for (const Buffer& b : buffers)
      if (b.firstStep <= step && step <= b.lastStep) sum += rounded(b.bytes);
    bound = std::max(bound, sum);
  }
  EXPECT_EQ(plan.arenaBytes, top);
  EXPECT_EQ(plan.boundBytes, bound);
  EXPECT_GE(plan.arenaBytes, plan.boundBytes);
}

void expectTight(const Buffers& buffers) {
  const MemoryPlan plan = planMemory(buffers);
  expectSound(buffers, plan);
  EXPECT_LE(static_cast<double>(plan.arenaBytes), 1.10 * static_cast<double>(plan.boundBytes));
}

Buffers randomBuffers(std::mt19937& random, size_t count, size_t steps, size_t longestLife, size_t mostUnits) {
  Buffers buffers;
  for (size_t i = 0; i < count; ++i) {
    const size_t first = random() % steps;
    buffers.push_back({64 * (random() % mostUnits), first, std::min(steps - 1, first + random() % longestLife)});
  }
  return buffers;
}

// The smallest arena of all: some order of placing each buffer as low as it goes gives it.
size_t optimum(const Buffers& buffers) {
  std::vector<size_t> order(buffers.size());
  std::iota(order.begin(), order.end(), size_t{0});
  size_t best = SIZE_MAX;
  do {
    std::vector<size_t> offsets(buffers.size(), 0);
    size_t top = 0;
    for (size_t i = 0; i < order.size(); ++i) {
      const Buffer& b = buffers[order[i]];
      size_t& offset = offsets[order[i]];
      for (bool moved = true; moved;) {
        moved = false;
        for (size_t j = 0; j < i; ++j) {
          const Buffer& other = buffers[order[j]];
          const size_t begin = offsets[order[j]], end = begin + other.bytes;
          if (!aliveTogether(b, other) || offset + b.bytes <= begin || end <= offset) continue;
          offset = end;
          moved = true;
        }
      }
      top = std::max(top, offset + b.bytes);
    }
    best = std::min(best, top);
  } while (std::next_permutation(order.begin(), order.end()));
  return best;
}

// An encoder of `levels` with two convolutions each, every level's result kept for the decoder; bytes fall by 4 a level
// (8 times fewer voxels, twice the channels), and the decoder concatenates.
Buffers unet(size_t levels, size_t bytes) {
  Buffers buffers;
  size_t step = 0;
  const size_t last = 4 * levels;
  const auto at = [&](size_t level) { return bytes >> (2 * level); };
  for (size_t level = 0; level < levels; ++level, step += 2) {
    buffers.push_back({at(level), step, step + 1});
    buffers.push_back({at(level), step + 1, std::max(step + 2, last - step)});  // the skip
  }
  for (size_t level = levels - 1; level-- > 0;) {
    buffers.push_back({at(level), step, step + 1});          // upsampled
    buffers.push_back({2 * at(level), step + 1, step + 2});  // concatenated
    buffers.push_back({at(level), step + 2, step + 3});
    buffers.push_back({at(level), step + 3, step + 4});
    step += 4;
  }
  return buffers;
}

TEST(MemoryPlan, NeverLaysTwoLivingBuffersOnEachOther) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    const Buffers buffers = randomBuffers(random, 1 + random() % 60, 1 + random() % 40, 1 + random() % 12, 50);
    expectSound(buffers, planMemory(buffers));
  }
}

TEST(MemoryPlan, OfNothingIsEmpty) {
  EXPECT_EQ(planMemory({}).arenaBytes, 0u);
  const Buffers none{{0, 0, 3}, {0, 1, 2}};
  const MemoryPlan plan = planMemory(none);
  expectSound(none, plan);
  EXPECT_EQ(plan.arenaBytes, 0u);
}

TEST(MemoryPlan, RoundsBytesUpToWholeCacheLines) {
  const Buffers buffers{{1, 0, 1}, {65, 1, 2}, {0, 0, 2}};
  const MemoryPlan plan = planMemory(buffers);
  expectSound(buffers, plan);
  EXPECT_EQ(plan.arenaBytes, 192u);
}

TEST(MemoryPlan, OfAChainIsTheLargestPair) {
  std::mt19937 random(11);
  for (int round = 0; round < 50; ++round) {
    Buffers buffers;
    for (size_t step = 0; step < 40; ++step) buffers.push_back({64 + random() % 100000, step, step + 1});
    const MemoryPlan plan = planMemory(buffers);
    expectSound(buffers, plan);
    EXPECT_EQ(plan.arenaBytes, plan.boundBytes);
  }
}

TEST(MemoryPlan, OfUNetsIsWithinTenPercentOfTheBound) {
  for (size_t levels = 2; levels <= 7; ++levels) expectTight(unet(levels, 32u << 20));
}

TEST(MemoryPlan, OfResidualNetworksIsWithinTenPercentOfTheBound) {
  Buffers buffers;
  size_t step = 0, bytes = 64u << 20;
  for (int stage = 0; stage < 4; ++stage, bytes /= 4)
    for (int block = 0; block < 6; ++block, step += 3) {
      buffers.push_back({bytes / 4, step, step + 1});
      buffers.push_back({bytes / 4, step + 1, step + 2});
      buffers.push_back({bytes, step + 2, step + 5});  // read by the next block's first and last step
    }
  expectTight(buffers);
}

TEST(MemoryPlan, OfDenseBlocksIsWithinTenPercentOfTheBound) {
  Buffers buffers;
  size_t step = 0;
  for (size_t block = 0; block < 3; ++block) {
    const size_t growth = size_t{32} << (10 - block);
    for (size_t layer = 1; layer <= 12; ++layer, step += 2) {
      buffers.push_back({growth * layer, step, step + 1});             // everything so far, concatenated
      buffers.push_back({growth, step + 1, step + 2 * (13 - layer)});  // this layer's share, read by all that follow
    }
  }
  expectTight(buffers);
}

TEST(MemoryPlan, OfFeaturePyramidsIsWithinTenPercentOfTheBound) {
  Buffers buffers;
  size_t step = 0;
  const size_t bytes = 48u << 20;
  for (size_t level = 0; level < 4; ++level, step += 2) {
    buffers.push_back({bytes >> (3 * level), step, step + 1});
    buffers.push_back({bytes >> (2 * level), step + 1, 16 - level});  // read by its lateral connection
  }
  for (size_t level = 4; level-- > 0; ++step) buffers.push_back({bytes >> (3 * level), step, step + 12});
  for (size_t level = 4; level-- > 0;)
    for (int head = 0; head < 4; ++head, ++step) buffers.push_back({bytes >> (3 * level), step, step + 1});
  expectTight(buffers);
}

TEST(MemoryPlan, OfLongNetworksWithRandomSkipsIsWithinTenPercentOfTheBound) {
  std::mt19937 random(5);
  for (int round = 0; round < 10; ++round) {
    Buffers buffers;
    for (size_t step = 0; step < 300; ++step) {
      const bool skip = random() % 4 == 0;
      const size_t life = skip ? 2 + random() % 30 : 1;
      buffers.push_back({(size_t{1} << (12 + random() % 8)) + 64 * (random() % 64), step, step + life});
    }
    expectTight(buffers);
  }
}

TEST(MemoryPlan, OfSmallCasesIsTheOptimum) {
  std::mt19937 random(3);
  int missed = 0;
  for (int round = 0; round < 200; ++round) {
    const Buffers buffers = randomBuffers(random, 7, 6, 4, 12);
    const MemoryPlan plan = planMemory(buffers);
    expectSound(buffers, plan);
    missed += plan.arenaBytes == optimum(buffers) ? 0 : 1;
  }
  EXPECT_EQ(missed, 0);
}

TEST(MemoryPlan, IsTheSameEveryTime) {
  std::mt19937 random(9);
  const Buffers buffers = randomBuffers(random, 80, 50, 20, 100);
  EXPECT_EQ(planMemory(buffers).offsets, planMemory(buffers).offsets);
}

}  // namespace
}  // namespace lynceus::nn
