// The nodule mask against readers' masks of 92 real nodules (LIDC-IDRI).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>

#include "core/measure/nodule_mask.h"
#include "tests/support/npz.h"
#include "tests/support/test_data.h"

namespace lynceus::measure {
namespace {

constexpr int kSide = 51;
constexpr size_t kCube = size_t{kSide} * kSide * kSide;

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0 : values[values.size() / 2];
}

/// Mean voxel index of a mask.
image::Vec3 centroid(const uint8_t* mask) {
  image::Vec3 sum;
  double n = 0;
  for (size_t i = 0; i < kCube; ++i) {
    if (mask[i] == 0) continue;
    sum = sum + image::Vec3{double(i % kSide), double(i / kSide % kSide), double(i / kSide / kSide)};
    ++n;
  }
  return sum * (1 / n);
}

TEST(NoduleMask, AgreesWithReadersOnRealNodules) {
  const auto path = test::testData("train/nodules134_train.npz");
  if (path.empty()) GTEST_SKIP() << test::kNoTestData;
  const auto hu = test::npzArray<int16_t>(path, "hu");
  const auto masks = test::npzArray<uint8_t>(path, "mask");
  const auto texture = test::npzArray<int8_t>(path, "texture");
  const bool print = std::getenv("LYNCEUS_PRINT") != nullptr;

  std::mt19937 random(1);
  const auto uniform = [&](double low, double high) { return low + (high - low) * (random() / 4294967296.0); };
  std::vector<double> dice, volumeError, bias;
  int none = 0;
  for (size_t n = 0; n < hu.size() / kCube; ++n) {
    const uint8_t* reader = masks.data() + n * kCube;
    const image::Geometry g{{kSide, kSide, kSide}, {1, 1, 1}, {}, {image::Vec3{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}};
    const auto first = hu.begin() + static_cast<int64_t>(n * kCube);
    const auto volume = image::Volume::create(g, {first, first + static_cast<int64_t>(kCube)}).value();
    const double readerVoxels = static_cast<double>(std::count(reader, reader + kCube, uint8_t{1}));
    const double diameter = std::cbrt(readerVoxels * 6 / std::acos(-1.0));
    const image::Vec3 off{uniform(-1, 1), uniform(-1, 1), uniform(-1, 1)};
    const auto mask =
        segmentNodule(volume, centroid(reader) + off * (uniform(0, 1.5) / norm(off)), diameter * uniform(0.8, 1.2));
    double d = 0, v = 0;
    if (mask) {
      double both = 0;
      for (const auto& run : mask->runs)
        both += static_cast<double>(std::count(reader + run.offset, reader + run.offset + run.length, uint8_t{1}));
      const double ours = static_cast<double>(mask->voxelCount());
      d = 2 * both / (ours + readerVoxels);
      v = ours / readerVoxels - 1;
      dice.push_back(d);
      volumeError.push_back(std::abs(v));
      bias.push_back(v);
    } else {
      ++none;
    }
    if (print)
      std::printf("%3zu texture %d  %5.1f mm  dice %.2f  volume %+.0f %%  %s\n", n, texture[n], diameter, d, 100 * v,
                  mask ? "" : mask.error().message.c_str());
  }
  std::vector<double> sorted = dice;
  std::sort(sorted.begin(), sorted.end());
  std::printf(
      "%zu nodules, %d without a mask: median Dice %.3f (lowest tenth %.3f), median volume error %.1f %%, bias %+.1f "
      "%%\n",
      dice.size(), none, median(dice), sorted[sorted.size() / 10], 100 * median(volumeError), 100 * median(bias));
  // These masks are one reader's, generous and up to two voxels beside the nodule: the best global threshold inside the
  // reader's own mask grown by two voxels reaches a median Dice of 0.73.
  EXPECT_LE(none, 5);
  EXPECT_GE(median(dice), 0.71);
  EXPECT_LE(median(volumeError), 0.25);
}

}  // namespace
}  // namespace lynceus::measure
