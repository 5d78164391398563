// Twelve scans with one thing the matter each, or none: class, words, and what loading makes of them.
#include <gmock/gmock.h>

#include "tests/support/temporary_folder.h"
#include "tests/unit/dicom-geometry/written_scan.h"

namespace lynceus::io {
namespace {

using dicom::GeometryClass;
using image::Point3;
using image::Vec3;
using test::CtFile;
using test::WrittenScan;
using testing::Contains;
using testing::HasSubstr;

class TwelveSeries : public testing::Test {
 protected:
  void open(const WrittenScan& scan) {
    scan.write(m_folder.path(), 3);
    reopen();
  }
  void reopen() {
    auto source = openSource(m_folder.path(), m_context);
    ASSERT_TRUE(source) << source.error().message;
    m_source = std::move(*source);
  }
  const dicom::GeometryReport& report(size_t i = 0) const { return m_source.series[i].report; }
  Expected<LoadedSeries> load(bool accept = false, size_t i = 0) {
    return loadSeries(m_source, i, m_context, LoadOptions{accept});
  }
  void expectRegular(int slices) {
    ASSERT_EQ(m_source.series.size(), 1u);
    EXPECT_EQ(report().geometryClass, GeometryClass::regular) << report().verdict();
    EXPECT_TRUE(report().problems.empty()) << report().problems[0].sentence;
    const auto loaded = load();
    ASSERT_TRUE(loaded) << loaded.error().message;
    EXPECT_EQ(loaded->volume.geometry().size.z, slices);
    EXPECT_TRUE(loaded->remarks.empty());
  }
  void expectTilted(double degrees) {
    WrittenScan scan;
    scan.slices = 20;
    scan.tilt(degrees);
    open(scan);
    EXPECT_EQ(report().geometryClass, GeometryClass::tilted);
    EXPECT_NEAR(std::abs(report().tiltDegrees), 15, 1e-4);
    const auto loaded = load();
    ASSERT_TRUE(loaded) << loaded.error().message;
    EXPECT_EQ(loaded->report.geometryClass, GeometryClass::tilted);
    EXPECT_THAT(loaded->remarks,
                Contains("gantry tilt of 15.00 degrees was straightened by shifting slices (linear interpolation)"));
  }
  void remove(std::initializer_list<int> numbers, const WrittenScan& scan) {
    WrittenScan all = scan;
    all.change = [&](int k, CtFile& f) {
      if (std::count(numbers.begin(), numbers.end(), k + 1) > 0) f.seriesUid = "9.9";
    };
    all.write(m_folder.path(), 3);
    reopen();
    std::erase_if(m_source.series, [](const dicom::Series& s) { return s.identity.seriesUid == "9.9"; });
  }

  test::TemporaryFolder m_folder;
  job::Context m_context;
  Source m_source;
};

WrittenScan ramped(int slices, double huPerMm = 20) {
  WrittenScan scan;
  scan.slices = slices;
  scan.columns = 6, scan.rows = 5;
  scan.hu = [huPerMm](const Point3& p) { return huPerMm * (p.z - 40); };
  return scan;
}

TEST_F(TwelveSeries, TiltForward) { expectTilted(15); }
TEST_F(TwelveSeries, TiltBackward) { expectTilted(-15); }

TEST_F(TwelveSeries, OneMissingOf200) {
  remove({57}, ramped(200, 10));
  EXPECT_EQ(report().geometryClass, GeometryClass::gap);
  EXPECT_THAT(report().verdict(),
              HasSubstr("slice 57 is missing between z = 177.5 mm and z = 182.5 mm (images 56 and 58"));
  const auto refused = load();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::badGeometry);
  EXPECT_THAT(refused.error().message, HasSubstr("--accept-geometry"));

  const auto loaded = load(true);
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(loaded->volume.geometry().size.z, 200);
  EXPECT_DOUBLE_EQ(loaded->volume.geometry().spacingMm.z, 2.5);
  for (int z = 0; z < 200; ++z) EXPECT_EQ(loaded->volume.at(3, 2, z), 25 * z) << z;
  EXPECT_EQ(loaded->report.geometryClass, GeometryClass::gap);
  EXPECT_THAT(loaded->remarks, Contains(HasSubstr("slice 57 is missing")));
  EXPECT_THAT(loaded->remarks, Contains(HasSubstr("from 199 slices to 200 every 2.5 mm (linear interpolation)")));
}

TEST_F(TwelveSeries, TwoMissingAtTheEndCannotBeKnown) {
  remove({39, 40}, ramped(40));
  expectRegular(38);
  EXPECT_THAT(report().verdict(), HasSubstr("missing beyond either end cannot be known"));
}

TEST_F(TwelveSeries, DuplicatePosition) {
  WrittenScan scan = ramped(21);
  scan.change = [](int k, CtFile& f) {
    if (k == 20) f.z = 40 + 7 * 2.5, f.pixels.assign(30, 777);
  };
  scan.hu = nullptr;
  open(scan);
  EXPECT_EQ(report().geometryClass, GeometryClass::duplicate);
  EXPECT_THAT(report().verdict(), HasSubstr("slices 8 and 9 (images 8 and 21) lie at the same place, z = 57.5 mm"));
  ASSERT_FALSE(load());
  const auto loaded = load(true);
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(loaded->volume.geometry().size.z, 20);
  EXPECT_NE(loaded->volume.at(3, 2, 7), 777);
  EXPECT_THAT(loaded->remarks, Contains(HasSubstr("the first by instance number was taken, 1 left out")));
}

TEST_F(TwelveSeries, RandomFileOrder) {
  open(ramped(40));
  expectRegular(40);
  const auto loaded = load();
  for (int z = 0; z < 40; ++z) EXPECT_EQ(loaded->volume.at(3, 2, z), 50 * z);
}

TEST_F(TwelveSeries, OneLocalizerInside) {
  WrittenScan scan = ramped(31);
  scan.hu = nullptr;
  scan.change = [](int k, CtFile& f) {
    if (k != 12) return;
    f.orientation = "1\\0\\0\\0\\0\\-1";
    f.change = [](DcmDataset& d) { d.putAndInsertString(DCM_ImageType, "ORIGINAL\\PRIMARY\\LOCALIZER"); };
  };
  open(scan);
  ASSERT_EQ(m_source.series.size(), 2u);
  EXPECT_EQ(m_source.series[1].part, "survey images");
  EXPECT_EQ(report(1).geometryClass, GeometryClass::localizer);
  EXPECT_EQ(report(0).geometryClass, GeometryClass::gap);  // the survey image stands in the place of a slice
  ASSERT_FALSE(load(true, 1));
}

TEST_F(TwelveSeries, FeetFirst) {
  WrittenScan scan = ramped(30);
  scan.row = Vec3{-1, 0, 0};
  open(scan);
  expectRegular(30);
}

TEST_F(TwelveSeries, Prone) {
  WrittenScan scan = ramped(30);
  scan.row = Vec3{-1, 0, 0}, scan.column = Vec3{0, -1, 0};
  open(scan);
  expectRegular(30);
}

TEST_F(TwelveSeries, Oblique) {
  WrittenScan scan = ramped(30);
  scan.row = Vec3{0.8, 0.6, 0}, scan.column = Vec3{-0.48, 0.64, -0.6};
  scan.stepMm = cross(scan.row, scan.column) * 1.5;
  open(scan);
  expectRegular(30);
}

TEST_F(TwelveSeries, Uneven) {
  WrittenScan scan = ramped(30);
  scan.change = [](int k, CtFile& f) {
    if (k == 11) f.z += 0.75;
  };
  open(scan);
  EXPECT_EQ(report().geometryClass, GeometryClass::uneven);
  EXPECT_THAT(report().verdict(), HasSubstr("2 slice distances differ from the usual 2.5 mm"));
  ASSERT_FALSE(load());
  const auto loaded = load(true);
  ASSERT_TRUE(loaded) << loaded.error().message;
  for (int z = 0; z < 30; ++z) EXPECT_NEAR(loaded->volume.at(3, 2, z), 50 * z, 1) << z;
}

TEST_F(TwelveSeries, MixedOrientation) {
  WrittenScan scan = ramped(30);
  scan.hu = nullptr;
  scan.change = [](int k, CtFile& f) {
    f.orientation = k % 3 == 0 ? "1\\0\\0\\0\\0\\-1" : k % 3 == 1 ? "0\\1\\0\\0\\0\\-1" : "0\\1\\0\\1\\0\\0";
    f.z = 10;
  };
  open(scan);
  ASSERT_EQ(m_source.series.size(), 1u);
  EXPECT_EQ(report().geometryClass, GeometryClass::mixedOrientation);
  ASSERT_FALSE(load(true));
}

TEST_F(TwelveSeries, ATiltedScanWithAGapIsShearedAndFilledWhereThatIsAccepted) {
  WrittenScan scan = ramped(20);
  scan.columns = scan.rows = 24;
  scan.tilt(15);
  remove({9}, scan);
  EXPECT_EQ(report().geometryClass, GeometryClass::gap);
  const auto loaded = load(true);
  ASSERT_TRUE(loaded) << loaded.error().message;
  const image::Geometry& g = loaded->volume.geometry();
  EXPECT_EQ(g.size.z, 20);
  for (int z = 0; z < 20; ++z) {
    const int y = g.size.y / 2;
    EXPECT_NEAR(loaded->volume.at(12, y, z), scan.hu(g.toPatient({12, 1.0 * y, 1.0 * z})), 1.01) << z;
  }
}

TEST_F(TwelveSeries, RefusesToInventMostOfAVolume) {
  WrittenScan scan = ramped(10);
  scan.hu = nullptr;
  scan.change = [](int k, CtFile& f) { f.z = k == 9 ? 1000 : f.z; };
  open(scan);
  const auto loaded = load(true);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, ErrorCode::badGeometry);
  EXPECT_THAT(loaded.error().message, HasSubstr("more than 4 times what there is"));
}

// Two blurred points 60 mm apart across a scan of 18 degrees tilt, measured where their mass lies.
TEST_F(TwelveSeries, ALineOnATiltCorrectedPhantomHasItsLength) {
  const Point3 a{0, -22, 55}, b{20, 18, 95};
  WrittenScan scan;
  scan.columns = 64, scan.rows = 120, scan.slices = 40;
  scan.firstMm = {-25, -48, 30};
  scan.tilt(18);
  const auto blob = [](const Point3& p, const Point3& c) {
    return 3000 * std::exp(-dot(p - c, p - c) / (2 * 2.5 * 2.5));
  };
  scan.hu = [&](const Point3& p) { return blob(p, a) + blob(p, b); };
  open(scan);
  const auto loaded = load();
  ASSERT_TRUE(loaded) << loaded.error().message;
  const auto massCentre = [&](const Point3& near) {
    const image::Geometry& g = loaded->volume.geometry();
    Vec3 sum;
    double mass = 0;
    for (int z = 0; z < g.size.z; ++z) {
      for (int y = 0; y < g.size.y; ++y) {
        for (int x = 0; x < g.size.x; ++x) {
          const Point3 p = g.toPatient({1.0 * x, 1.0 * y, 1.0 * z});
          const double hu = loaded->volume.at(x, y, z);
          if (hu <= 0 || norm(p - near) > 12) continue;
          sum = sum + (p - near) * hu;
          mass += hu;
        }
      }
    }
    return near + sum * (1 / mass);
  };
  const Point3 foundA = massCentre(a), foundB = massCentre(b);
  EXPECT_LT(norm(foundA - a), 0.1);
  EXPECT_LT(norm(foundB - b), 0.1);
  EXPECT_NEAR(norm(foundB - foundA), 60, 0.2);
}

TEST_F(TwelveSeries, ProgressOnlyGrows) {
  open(ramped(40));
  std::vector<double> fractions;
  job::Context context([&](double f, std::string_view) { fractions.push_back(f); });
  ASSERT_TRUE(loadSeries(m_source, 0, context));
  EXPECT_EQ(fractions.size(), 40u);
  EXPECT_TRUE(std::is_sorted(fractions.begin(), fractions.end()));
  EXPECT_EQ(fractions.back(), 1);
}

}  // namespace
}  // namespace lynceus::io
