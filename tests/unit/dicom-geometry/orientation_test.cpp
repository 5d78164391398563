// Wherever the slices lie and however the gantry leans: a voxel's value is the one at its place in the patient.
#include <array>

#include <gmock/gmock.h>

#include "tests/support/temporary_folder.h"
#include "tests/unit/dicom-geometry/written_scan.h"

namespace lynceus::io {
namespace {

using image::Geometry;
using image::Point3;
using image::Vec3;
using test::WrittenScan;

// A steep ramp is exact under linear interpolation: two roundings of 0.5 HU at 200 HU/mm and more are 0.005 mm.
struct Ramp {
  Vec3 huPerMm;
  Point3 centre;
  double operator()(const Point3& p) const { return dot(p - centre, huPerMm); }
};

void expectRampInPlace(const WrittenScan& scan, const Ramp& ramp, const std::string& what, double withinMm = 0.01) {
  test::TemporaryFolder folder;
  scan.write(folder.path(), static_cast<unsigned>(what.size()));
  job::Context context;
  const auto source = openSource(folder.path(), context);
  ASSERT_TRUE(source) << source.error().message;
  ASSERT_EQ(source->series.size(), 1u) << what;
  const auto loaded = loadSeries(*source, 0, context);
  ASSERT_TRUE(loaded) << what << ": " << loaded.error().message;
  const Geometry& g = loaded->volume.geometry();
  ASSERT_EQ(g.size.z, scan.slices);
  const Vec3 normal = cross(scan.row, scan.column);
  EXPECT_NEAR(g.spacingMm.z, std::abs(dot(scan.stepMm, normal)), 1e-6) << what;
  const bool ascending = dot(scan.stepMm, normal) > 0;
  int compared = 0;
  double worstMm = 0;
  for (int z = 0; z < g.size.z; ++z) {
    const Point3 first = scan.firstMm + scan.stepMm * (ascending ? z : g.size.z - 1 - z);
    for (int y = 0; y < g.size.y; ++y) {
      for (int x = 0; x < g.size.x; ++x) {
        const Point3 p = g.toPatient({1.0 * x, 1.0 * y, 1.0 * z});
        const double u = dot(p - first, scan.row) / scan.spacingXMm, v = dot(p - first, scan.column) / scan.spacingYMm;
        constexpr double kEdge = 2e-3;  // pixels this close to the last one are not outside
        if (u < -kEdge || v < -kEdge || u > scan.columns - 1 + kEdge || v > scan.rows - 1 + kEdge) continue;
        worstMm = std::max(worstMm, std::abs(loaded->volume.at(x, y, z) - ramp(p)) / norm(ramp.huPerMm));
        ++compared;
      }
    }
  }
  EXPECT_LT(worstMm, withinMm) << what;
  // Of a shifted slice at most one row and one column have no neighbour to interpolate with.
  EXPECT_GE(compared, scan.slices * (scan.columns - 1) * (scan.rows - 1)) << what;
}

Ramp randomRamp(std::mt19937& random, const WrittenScan& scan) {
  std::uniform_real_distribution<double> slope(150, 400);
  const auto signedSlope = [&] { return random() % 2 == 0 ? slope(random) : -slope(random); };
  const Vec3 b{signedSlope(), signedSlope(), signedSlope()};
  const Point3 last = scan.pixelMm(scan.firstMm + scan.stepMm * (scan.slices - 1), scan.columns - 1, scan.rows - 1);
  return {b, (scan.firstMm + last) * 0.5};
}

class Tilt : public testing::TestWithParam<int> {};

// 24 ways to lay rows and columns along the axes, each with the table going up and down.
TEST_P(Tilt, KeepsEveryVoxelInPlaceIn48Orientations) {
  const std::array<Vec3, 6> axes{Vec3{1, 0, 0},  Vec3{-1, 0, 0}, Vec3{0, 1, 0},
                                 Vec3{0, -1, 0}, Vec3{0, 0, 1},  Vec3{0, 0, -1}};
  std::mt19937 random(static_cast<unsigned>(GetParam() + 100));
  int orientations = 0;
  for (const Vec3& row : axes) {
    for (const Vec3& column : axes) {
      if (dot(row, column) != 0) continue;
      for (const double way : {1.0, -1.0}) {
        WrittenScan scan;
        scan.slices = 5;
        scan.columns = 9 + static_cast<int>(random() % 8);
        scan.rows = 9 + static_cast<int>(random() % 8);
        scan.spacingXMm = 0.4 + 0.1 * static_cast<double>(random() % 8);
        scan.spacingYMm = 0.4 + 0.1 * static_cast<double>(random() % 8);
        scan.row = row;
        scan.column = column;
        scan.stepMm = cross(row, column) * (way * (0.5 + 0.5 * static_cast<double>(random() % 5)));
        scan.tilt(GetParam());
        const Ramp ramp = randomRamp(random, scan);
        scan.hu = ramp;
        expectRampInPlace(scan, ramp,
                          fmt::format("orientation {} ({} {} {} | {} {} {}, {})", orientations, row.x, row.y, row.z,
                                      column.x, column.y, column.z, way));
        ++orientations;
      }
    }
  }
  EXPECT_EQ(orientations, 48);
}

INSTANTIATE_TEST_SUITE_P(Degrees, Tilt, testing::Values(-20, -5, 0, 7, 20), [](const auto& test) {
  return fmt::format("{}{}", test.param < 0 ? "Minus" : "", std::abs(test.param));
});

TEST(ObliqueTilt, KeepsEveryVoxelInPlace) {
  std::mt19937 random(11);
  std::normal_distribution<double> normal;
  std::uniform_real_distribution<double> degrees(1, 20);
  for (int i = 0; i < 40; ++i) {
    WrittenScan scan;
    const auto unit = [&](Vec3 v) { return v * (1 / norm(v)); };
    scan.row = unit({normal(random), normal(random), normal(random)});
    scan.column = unit(cross(unit({normal(random), normal(random), normal(random)}), scan.row));
    scan.stepMm = cross(scan.row, scan.column) * (i % 2 == 0 ? 2.0 : -1.25);
    scan.tilt(i < 10 ? 0 : i % 3 == 0 ? -degrees(random) : degrees(random));
    const Ramp ramp = randomRamp(random, scan);
    scan.hu = ramp;
    expectRampInPlace(scan, ramp, fmt::format("oblique {}", i));
  }
}

// Below half a degree and half a pixel the slices stay as they are, bit by bit; the notice says how far off they are.
TEST(SlightTilt, IsToldAndLeavesTheValuesAlone) {
  WrittenScan scan;
  scan.tilt(0.4);
  std::mt19937 random(2);
  const Ramp ramp = randomRamp(random, scan);
  scan.hu = ramp;
  test::TemporaryFolder folder;
  scan.write(folder.path());
  job::Context context;
  const auto source = openSource(folder.path(), context);
  ASSERT_TRUE(source) << source.error().message;
  const auto& problems = source->series[0].report.problems;
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_EQ(problems[0].severity, dicom::Severity::notice);
  EXPECT_NEAR(problems[0].mm, 7 * 2.5 * std::sin(0.4 * M_PI / 180), 1e-6);
  expectRampInPlace(scan, ramp, "slight tilt", problems[0].mm + 0.01);
}

}  // namespace
}  // namespace lynceus::io
