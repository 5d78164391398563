#include "core/measure/measure.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

namespace lynceus::measure {
namespace {

using detect::RunLengthMask;
using image::Geometry;
using image::Point3;
using image::Vec3;

Geometry grid(Vec3 spacingMm = {0.7, 0.7, 2.5}) {
  return {{64, 60, 9}, spacingMm, {-12, 40, -300}, {Vec3{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}};
}

image::Volume flatVolume(const Geometry& g, int16_t hu = 0) {
  return image::Volume::create(g, std::vector<int16_t>(static_cast<size_t>(g.voxelCount()), hu)).value();
}

/// One run for each voxel, which is allowed and exercises more than long runs.
template <class Inside>
RunLengthMask maskWhere(const Geometry& g, const Inside& inside) {
  RunLengthMask mask;
  for (int z = 0; z < g.size.z; ++z)
    for (int y = 0; y < g.size.y; ++y)
      for (int x = 0; x < g.size.x; ++x)
        if (inside(x, y, z)) mask.runs.push_back({g.offset(x, y, z), 1});
  return mask;
}

/// The longest distance between any two border middles of one slice, the plain way.
double bruteForceLongAxis(const Geometry& g, const RunLengthMask& mask) {
  struct Border {
    double x, y;
    int64_t z;
  };
  std::vector<Border> points;
  for (const auto& run : mask.runs) {
    for (int64_t o = run.offset; o < run.offset + run.length; ++o) {
      const double x = double(o % g.size.x), y = double(o / g.size.x % g.size.y);
      const int64_t z = o / g.size.x / g.size.y;
      for (const auto& [dx, dy] : {std::pair{0.5, 0.0}, {-0.5, 0.0}, {0.0, 0.5}, {0.0, -0.5}}) {
        points.push_back({(x + dx) * g.spacingMm.x, (y + dy) * g.spacingMm.y, z});
      }
    }
  }
  double best = 0;
  for (const Border& a : points)
    for (const Border& b : points)
      if (a.z == b.z) best = std::max(best, std::hypot(a.x - b.x, a.y - b.y));
  return best;
}

TEST(Measure, LongAxisEqualsTheSearchOverAllPairsOfBorders) {
  std::mt19937 random(5);
  for (int repeat = 0; repeat < 8; ++repeat) {
    const Geometry g = grid({0.5 + 0.1 * repeat, 0.7, 2.5});
    const int cx = 20 + static_cast<int>(random() % 20), rx = 2 + static_cast<int>(random() % 9);
    const RunLengthMask mask = maskWhere(g, [&](int x, int y, int z) {
      return std::hypot(double(x - cx) / rx, (y - 30) / 6.0, (z - 4) / 2.0) <= 1 && (x * 31 + y * 17 + z) % 5 != 0;
    });
    EXPECT_NEAR(measure(flatVolume(g), mask).longAxisMm, bruteForceLongAxis(g, mask), 1e-9);
  }
}

TEST(Measure, AxesOfATiltedEllipseAreWithinAPixelOfTheTrueOnes) {
  const Geometry g = grid({0.7, 0.7, 2.5});
  for (int degrees = 0; degrees < 180; degrees += 15) {
    const double c = std::cos(degrees * M_PI / 180), s = std::sin(degrees * M_PI / 180);
    const RunLengthMask mask = maskWhere(g, [&](int x, int y, int z) {
      const double u = (x - 31.3) * 0.7, v = (y - 29.6) * 0.7;
      return z == 4 && std::hypot((c * u + s * v) / 12, (c * v - s * u) / 6) <= 1;
    });
    const auto m = measure(flatVolume(g), mask);
    EXPECT_NEAR(m.longAxisMm, 24, 0.7) << degrees;
    EXPECT_NEAR(m.shortAxisMm, 12, 0.7) << degrees;
    const Vec3 a = m.longAxisEndsMm[1] - m.longAxisEndsMm[0], b = m.shortAxisEndsMm[1] - m.shortAxisEndsMm[0];
    EXPECT_NEAR(norm(a), m.longAxisMm, 1e-9);
    EXPECT_NEAR(norm(b), m.shortAxisMm, 1e-9);
    EXPECT_NEAR(dot(a, b), 0, 1e-9);
  }
}

TEST(Measure, TakesTheLongAxisWithinOneSliceAndNotAcrossSlices) {
  const Geometry g = grid({1, 1, 5});
  const RunLengthMask mask = maskWhere(g, [](int x, int y, int z) {
    return y == 7 && ((z == 2 && x >= 10 && x < 14) || (z == 6 && x >= 30 && x < 36));
  });
  const auto m = measure(flatVolume(g), mask);
  EXPECT_DOUBLE_EQ(m.longAxisMm, 6);
  EXPECT_DOUBLE_EQ(m.shortAxisMm, 1);
  EXPECT_EQ(m.longAxisEndsMm[0], g.toPatient({29.5, 7, 6}));
  EXPECT_EQ(m.longAxisEndsMm[1], g.toPatient({35.5, 7, 6}));
}

TEST(Measure, OfASingleVoxelIsItsSize) {
  const Geometry g = grid({0.6, 0.8, 3});
  const auto m = measure(flatVolume(g, -650), RunLengthMask{{{g.offset(10, 11, 4), 1}}});
  EXPECT_NEAR(m.longAxisMm, 0.8, 1e-12);
  EXPECT_NEAR(m.shortAxisMm, 0.6, 1e-12);
  EXPECT_NEAR(m.volumeMm3, 1.44, 1e-12);
  EXPECT_NEAR(m.diameterMm, std::cbrt(6 * 1.44 / M_PI), 1e-12);
  EXPECT_EQ(m.meanHu, -650);
  EXPECT_EQ(m.sdHu, 0);
}

TEST(Measure, EndsLieInPatientSpaceForATurnedSeries) {
  Geometry g = grid({1, 1, 2});
  g.direction = {Vec3{0, 1, 0}, {0, 0, -1}, {-1, 0, 0}};
  const RunLengthMask mask{{{g.offset(5, 6, 3), 4}}};
  const auto m = measure(flatVolume(g), mask);
  EXPECT_EQ(m.longAxisEndsMm[0], g.toPatient({4.5, 6, 3}));
  EXPECT_EQ(m.longAxisEndsMm[1], g.toPatient({8.5, 6, 3}));
}

TEST(Measure, MeanAndSpreadAreThoseOfTheVoxels) {
  const Geometry g = grid();
  std::vector<int16_t> hu(static_cast<size_t>(g.voxelCount()), -1000);
  const std::vector<int16_t> values{-700, 40, 55, 1200, -3};
  std::copy(values.begin(), values.end(), hu.begin() + 1000);
  const auto m = measure(image::Volume::create(g, hu).value(), RunLengthMask{{{1000, 2}, {1002, 3}}});
  EXPECT_NEAR(m.meanHu, 118.4, 1e-9);
  EXPECT_NEAR(m.sdHu, 610.6621324, 1e-6);
}

}  // namespace
}  // namespace lynceus::measure
