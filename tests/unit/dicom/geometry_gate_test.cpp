#include "io/dicom/geometry_gate.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <random>

#include <gmock/gmock.h>

namespace lynceus::io::dicom {
namespace {

using image::Vec3;
using testing::ElementsAre;
using testing::HasSubstr;

SlicePlane slice(const Vec3& position, int number, const Vec3& row = {1, 0, 0}, const Vec3& column = {0, 1, 0}) {
  SlicePlane s;
  s.positionMm = position;
  s.rowDirection = row;
  s.columnDirection = column;
  s.pixelSpacingXMm = s.pixelSpacingYMm = 0.7;
  s.rows = s.columns = 512;
  s.instanceNumber = number;
  return s;
}

std::vector<SlicePlane> stack(int count, double spacing, const Vec3& step = {0, 0, 1}) {
  std::vector<SlicePlane> slices;
  for (int i = 0; i < count; ++i) slices.push_back(slice(Vec3{-180, -170, 10} + step * (i * spacing), i + 1));
  return slices;
}

std::vector<std::string> sentences(const GeometryReport& r) {
  std::vector<std::string> s;
  for (const GeometryProblem& p : r.problems) s.push_back(p.sentence);
  return s;
}

TEST(GeometryGate, CallsAnEvenStackRegularWithoutNotice) {
  const GeometryReport r = checkGeometry(stack(200, 1.25));
  EXPECT_EQ(r.geometryClass, GeometryClass::regular);
  EXPECT_DOUBLE_EQ(r.spacingMm, 1.25);
  EXPECT_DOUBLE_EQ(r.firstMm, 10);
  EXPECT_DOUBLE_EQ(r.lastMm, 10 + 199 * 1.25);
  EXPECT_THAT(sentences(r), ElementsAre());
}

TEST(GeometryGate, OrdersByPositionWhateverTheFileOrder) {
  auto slices = stack(50, 2);
  std::shuffle(slices.begin(), slices.end(), std::mt19937(3));
  const GeometryReport r = checkGeometry(slices);
  EXPECT_EQ(r.geometryClass, GeometryClass::regular);
  for (size_t i = 0; i < slices.size(); ++i) EXPECT_EQ(slices[r.order[i]].instanceNumber, static_cast<int>(i) + 1);
}

TEST(GeometryGate, SaysWhichSliceIsMissingAndByHowManyMillimetres) {
  auto slices = stack(200, 2.5);
  slices.erase(slices.begin() + 56);  // slice 57, image 57
  const GeometryReport r = checkGeometry(slices);
  EXPECT_EQ(r.geometryClass, GeometryClass::gap);
  ASSERT_EQ(r.problems.size(), 1u);
  EXPECT_THAT(r.problems[0].slices, ElementsAre(56, 57));
  EXPECT_NEAR(r.problems[0].mm, 2.5, 1e-9);
  EXPECT_THAT(r.verdict(), HasSubstr("slice 57 is missing between z = 147.5 mm and z = 152.5 mm (images 56 and 58"));
}

TEST(GeometryGate, CountsEveryMissingSliceOfSeveralGaps) {
  auto slices = stack(100, 1);
  slices.erase(slices.begin() + 70);
  slices.erase(slices.begin() + 20, slices.begin() + 23);
  const GeometryReport r = checkGeometry(slices);
  EXPECT_THAT(sentences(r), ElementsAre(HasSubstr("slices 21 to 23 are missing"), HasSubstr("slice 71 is missing")));
  EXPECT_DOUBLE_EQ(r.spacingMm, 1);
}

TEST(GeometryGate, FindsTheMissingOneOfFiveSlices) {
  auto slices = stack(5, 5);
  slices.erase(slices.begin() + 3);
  EXPECT_EQ(checkGeometry(slices).geometryClass, GeometryClass::gap);
}

TEST(GeometryGate, NeverClaimsThatTheEndsAreComplete) {
  auto slices = stack(200, 1);
  slices.resize(198);
  const GeometryReport r = checkGeometry(slices);
  EXPECT_EQ(r.geometryClass, GeometryClass::regular);
  EXPECT_THAT(r.verdict(), HasSubstr("missing beyond either end cannot be known"));
}

TEST(GeometryGate, NamesSlicesAtTheSamePlace) {
  auto slices = stack(20, 3);
  slices.push_back(slice(*slices[7].positionMm, 21));
  const GeometryReport r = checkGeometry(slices);
  EXPECT_EQ(r.geometryClass, GeometryClass::duplicate);
  ASSERT_EQ(r.problems.size(), 1u);
  EXPECT_THAT(r.problems[0].slices, ElementsAre(8, 9));
  EXPECT_THAT(r.verdict(), HasSubstr("slices 8 and 9 (images 8 and 21) lie at the same place, z = 31.0 mm"));
  EXPECT_DOUBLE_EQ(r.spacingMm, 3);
}

TEST(GeometryGate, MeasuresGantryTiltFromThePositions) {
  for (const double degrees : {15.0, -15.0}) {
    const double t = degrees * std::numbers::pi / 180;
    // The table moves along z; the slices are turned about the row direction.
    auto slices = stack(40, 2.5);
    for (SlicePlane& s : slices) s.columnDirection = Vec3{0, std::cos(t), -std::sin(t)};
    const GeometryReport r = checkGeometry(slices);
    EXPECT_EQ(r.geometryClass, GeometryClass::tilted);
    EXPECT_NEAR(std::abs(r.tiltDegrees), 15, 1e-6);
    EXPECT_NEAR(r.spacingMm, 2.5 * std::cos(t), 1e-9);
    EXPECT_TRUE(r.usable());
    EXPECT_FALSE(r.regular());
    EXPECT_THAT(r.verdict(), HasSubstr("a tilt of 15.00 degrees; loading shears them straight"));
  }
}

TEST(GeometryGate, AcceptsAnObliqueStackWhoseSlicesAreNotShifted) {
  const double t = 0.4;
  const Vec3 row{std::cos(t), std::sin(t), 0}, column{-std::sin(t) * 0.8, std::cos(t) * 0.8, -0.6};
  const Vec3 normal = cross(row, column);
  std::vector<SlicePlane> slices;
  for (int i = 0; i < 60; ++i) slices.push_back(slice(Vec3{5, 6, 7} + normal * (i * 1.5), i + 1, row, column));
  const GeometryReport r = checkGeometry(slices);
  EXPECT_EQ(r.geometryClass, GeometryClass::regular);
  EXPECT_THAT(sentences(r), ElementsAre());
  EXPECT_NEAR(r.spacingMm, 1.5, 1e-12);
}

TEST(GeometryGate, AcceptsFeetFirst) {
  std::vector<SlicePlane> slices;
  for (int i = 0; i < 30; ++i) slices.push_back(slice({180, -170, -5.0 * i}, i + 1, {-1, 0, 0}, {0, 1, 0}));
  const GeometryReport r = checkGeometry(slices);
  EXPECT_EQ(r.geometryClass, GeometryClass::regular);
  EXPECT_EQ(slices[r.order.front()].instanceNumber, 1);  // the normal points to the feet
}

TEST(GeometryGate, KeepsQuietAboutJitterBelowAHundredthOfAMillimetre) {
  auto slices = stack(100, 0.625);
  for (size_t i = 0; i < slices.size(); i += 2) slices[i].positionMm->z += 5e-8;
  EXPECT_THAT(sentences(checkGeometry(slices)), ElementsAre());
}

TEST(GeometryGate, GivesANoticeAboveOnePercentAndStaysRegular) {
  auto slices = stack(50, 3);
  slices[20].positionMm->z += 0.1;
  const GeometryReport r = checkGeometry(slices);
  EXPECT_EQ(r.geometryClass, GeometryClass::regular);
  ASSERT_EQ(r.problems.size(), 1u);
  EXPECT_EQ(r.problems[0].severity, Severity::notice);
  EXPECT_NEAR(r.problems[0].mm, 0.1, 1e-9);
}

TEST(GeometryGate, CallsDistancesUnevenAboveTenPercent) {
  auto slices = stack(50, 3);
  slices[20].positionMm->z += 0.5;
  const GeometryReport r = checkGeometry(slices);
  EXPECT_EQ(r.geometryClass, GeometryClass::uneven);
  EXPECT_NEAR(r.problems[0].mm, 0.5, 1e-9);
  EXPECT_THAT(r.verdict(), HasSubstr("2 slice distances differ from the usual 3 mm"));
}

TEST(GeometryGate, CallsAChangeOfSpacingUnevenNotAGap) {
  auto slices = stack(20, 2);
  for (int i = 1; i <= 10; ++i) slices.push_back(slice({-180, -170, 48.0 + 4 * i}, 20 + i));
  EXPECT_EQ(checkGeometry(slices).geometryClass, GeometryClass::uneven);
}

TEST(GeometryGate, NoticesSmallDifferencesThatAddUp) {
  std::vector<SlicePlane> slices;
  double z = 0;
  for (int i = 0; i < 200; ++i) {
    slices.push_back(slice({0, 0, z}, i + 1));
    z += i < 100 ? 1.0 : 1.02;
  }
  const GeometryReport r = checkGeometry(slices);
  EXPECT_EQ(r.geometryClass, GeometryClass::uneven);
  EXPECT_GT(r.largestDeviationMm, 0.9);
  EXPECT_THAT(r.verdict(), HasSubstr("from its place in an even stack"));
}

TEST(GeometryGate, NamesASliceShiftedSideways) {
  auto slices = stack(30, 2);
  slices[11].positionMm->x += 4;
  const GeometryReport r = checkGeometry(slices);
  EXPECT_EQ(r.geometryClass, GeometryClass::uneven);
  EXPECT_THAT(r.verdict(), HasSubstr("slice 12 at z = 32.0 mm is shifted sideways by 4.00 mm"));
}

TEST(GeometryGate, NamesSlicesOfAnotherOrientation) {
  auto slices = stack(30, 2);
  slices.insert(slices.begin(), slice({0, 0, 0}, 31, {1, 0, 0}, {0, 0, -1}));
  const GeometryReport r = checkGeometry(slices);
  EXPECT_EQ(r.geometryClass, GeometryClass::mixedOrientation);
  EXPECT_THAT(r.problems.back().slices, ElementsAre(31));
  EXPECT_THAT(r.verdict(), HasSubstr("1 slice is not parallel to the other 30"));
}

TEST(GeometryGate, NamesASurveyImageInsideASeries) {
  auto slices = stack(30, 2);
  slices.push_back(slice({0, 0, 0}, 99, {1, 0, 0}, {0, 0, -1}));
  slices.back().localizer = true;
  const GeometryReport r = checkGeometry(slices);
  EXPECT_EQ(r.geometryClass, GeometryClass::localizer);
  EXPECT_THAT(r.verdict(), HasSubstr("1 survey image lies among the slices"));
}

TEST(GeometryGate, NamesSlicesOfAnotherSize) {
  auto slices = stack(30, 2);
  slices[4].rows = 256;
  const GeometryReport r = checkGeometry(slices);
  EXPECT_EQ(r.geometryClass, GeometryClass::mixedSize);
  EXPECT_THAT(r.problems[0].slices, ElementsAre(5));
}

TEST(GeometryGate, RefusesWhatDoesNotSayWhereItLies) {
  auto slices = stack(3, 2);
  slices[1].positionMm.reset();
  EXPECT_EQ(checkGeometry(slices).geometryClass, GeometryClass::notAVolume);
  EXPECT_EQ(checkGeometry({slices[0]}).geometryClass, GeometryClass::notAVolume);
  EXPECT_EQ(checkGeometry({}).geometryClass, GeometryClass::notAVolume);
  slices = stack(3, 2);
  slices[2].positionMm->z = std::nan("");
  slices[0].rowDirection = Vec3{0, 0, 0};
  const GeometryReport r = checkGeometry(slices);
  EXPECT_EQ(r.geometryClass, GeometryClass::notAVolume);
  EXPECT_EQ(r.order.size(), 3u);
}

TEST(GeometryGate, ListsEveryProblemAndTakesTheWorstAsItsClass) {
  auto slices = stack(40, 2);
  slices.erase(slices.begin() + 30);
  slices.push_back(slice(*slices[3].positionMm, 41));
  const GeometryReport r = checkGeometry(slices);
  EXPECT_EQ(r.geometryClass, GeometryClass::duplicate);
  EXPECT_THAT(sentences(r), ElementsAre(HasSubstr("lie at the same place"), HasSubstr("is missing")));
}

TEST(GeometryGate, TellsTheTwoDirectionsOfTiltApart) {
  double angles[2];
  for (int k = 0; k < 2; ++k) {
    const double t = (k == 0 ? 15 : -15) * std::numbers::pi / 180;
    auto slices = stack(40, 2.5);
    for (SlicePlane& s : slices) s.columnDirection = Vec3{0, std::cos(t), -std::sin(t)};
    angles[k] = checkGeometry(slices).tiltDegrees;
  }
  EXPECT_NEAR(angles[0], -angles[1], 1e-9);
}

TEST(GeometryGate, AcceptsEveryWayToLieOnTheTable) {
  struct Pose {
    const char* name;
    Vec3 row, column;
  };
  for (const Pose& pose : {Pose{"supine", {1, 0, 0}, {0, 1, 0}}, Pose{"prone", {-1, 0, 0}, {0, -1, 0}},
                           Pose{"right side", {0, 1, 0}, {-1, 0, 0}}, Pose{"left side", {0, -1, 0}, {1, 0, 0}},
                           Pose{"feet first", {-1, 0, 0}, {0, 1, 0}}}) {
    std::vector<SlicePlane> slices;
    for (int i = 0; i < 40; ++i) slices.push_back(slice({3, 4, 1.5 * i}, i + 1, pose.row, pose.column));
    std::shuffle(slices.begin(), slices.end(), std::mt19937(5));
    const GeometryReport r = checkGeometry(slices);
    EXPECT_TRUE(r.regular()) << pose.name << ": " << r.verdict();
    EXPECT_THAT(sentences(r), ElementsAre()) << pose.name;
  }
}

TEST(GeometryGate, MeasuresATiltAlongTheRowsToo) {
  auto slices = stack(40, 2.5);
  const double t = 10 * std::numbers::pi / 180;
  for (SlicePlane& s : slices) s.rowDirection = Vec3{std::cos(t), 0, std::sin(t)};
  const GeometryReport r = checkGeometry(slices);
  EXPECT_EQ(r.geometryClass, GeometryClass::tilted);
  EXPECT_NEAR(std::abs(r.tiltDegrees), 10, 1e-6);
}

TEST(GeometryGate, MeasuresTheTiltOfTwoSlices) {
  auto slices = stack(2, 5);
  const double t = 20 * std::numbers::pi / 180;
  for (SlicePlane& s : slices) s.columnDirection = Vec3{0, std::cos(t), std::sin(t)};
  const GeometryReport r = checkGeometry(slices);
  EXPECT_TRUE(r.usable()) << r.verdict();
  EXPECT_NEAR(std::abs(r.tiltDegrees), 20, 1e-6);
}

TEST(GeometryGate, ATiltWithAnotherProblemIsNotUsable) {
  const double t = 12 * std::numbers::pi / 180;
  const auto tilted = [&] {
    auto slices = stack(60, 2.5);
    for (SlicePlane& s : slices) s.columnDirection = Vec3{0, std::cos(t), -std::sin(t)};
    return slices;
  };
  auto slices = tilted();
  slices.erase(slices.begin() + 30);
  GeometryReport r = checkGeometry(slices);
  EXPECT_EQ(r.geometryClass, GeometryClass::gap);
  EXPECT_FALSE(r.usable());
  EXPECT_TRUE(r.resamplable());
  EXPECT_NEAR(std::abs(r.tiltDegrees), 12, 1e-6);

  slices = tilted();
  slices[30].positionMm->x += 4;  // beside the line of the others
  r = checkGeometry(slices);
  EXPECT_EQ(r.geometryClass, GeometryClass::uneven);
  EXPECT_THAT(r.verdict(), HasSubstr("shifted sideways by 4.00 mm"));
}

TEST(GeometryGate, NamesTheLastSliceWhereThatOneIsShifted) {
  auto slices = stack(30, 2);
  slices[29].positionMm->y += 5;
  const GeometryReport r = checkGeometry(slices);
  EXPECT_EQ(r.geometryClass, GeometryClass::uneven);
  EXPECT_THAT(r.verdict(), HasSubstr("slice 30 at z = 68.0 mm is shifted sideways by 5.00 mm"));
  EXPECT_EQ(r.tiltDegrees, 0);
}

TEST(GeometryGate, CallsAShiftSteeperThanAnyGantryUneven) {
  auto slices = stack(20, 2);
  for (size_t i = 0; i < slices.size(); ++i) slices[i].positionMm->y += 5.0 * static_cast<double>(i);
  const GeometryReport r = checkGeometry(slices);
  EXPECT_EQ(r.geometryClass, GeometryClass::uneven);
  EXPECT_THAT(r.verdict(), HasSubstr("a tilt of 68.20 degrees, more than any gantry's"));
}

TEST(GeometryGate, ReadsTheTiltFromPositionsRoundedToATenth) {
  const double t = 15 * std::numbers::pi / 180;
  auto slices = stack(60, 1.25);
  for (SlicePlane& s : slices) {
    s.columnDirection = Vec3{0, std::cos(t), -std::sin(t)};
    s.positionMm->z = std::round(s.positionMm->z * 10) / 10;
  }
  const GeometryReport r = checkGeometry(slices);
  EXPECT_TRUE(r.usable()) << r.verdict();
  EXPECT_NEAR(std::abs(r.tiltDegrees), 15, 0.1);
}

TEST(GeometryGate, AcceptsVeryThinSlices) {
  const GeometryReport r = checkGeometry(stack(500, 0.1));
  EXPECT_TRUE(r.regular());
  EXPECT_THAT(sentences(r), ElementsAre());
}

TEST(GeometryGate, NoticesSlicesThatAreTurnedALittle) {
  auto slices = stack(30, 2);
  const double t = 0.0004;
  for (size_t i = 15; i < 30; ++i) {
    slices[i].rowDirection = Vec3{std::cos(t), std::sin(t), 0};
    slices[i].columnDirection = Vec3{-std::sin(t), std::cos(t), 0};
  }
  const GeometryReport r = checkGeometry(slices);
  EXPECT_TRUE(r.regular());
  EXPECT_THAT(sentences(r), ElementsAre(HasSubstr("turned against the grid: 0.20 mm at the far corner")));
}

TEST(GeometryGate, RefusesRowsAndColumnsThatAreNotAtRightAngles) {
  auto slices = stack(30, 2);
  for (SlicePlane& s : slices) s.columnDirection = Vec3{0.009, 1, 0};
  const GeometryReport r = checkGeometry(slices);
  EXPECT_EQ(r.geometryClass, GeometryClass::mixedOrientation);
  EXPECT_THAT(r.verdict(), HasSubstr("3.22 mm at the far corner"));
}

TEST(GeometryGate, NoticesAChangeOfTheFrameOfReference) {
  auto slices = stack(30, 2);
  for (size_t i = 0; i < slices.size(); ++i) slices[i].frameOfReferenceUid = i < 12 ? "1.2.3" : "1.2.4";
  const GeometryReport r = checkGeometry(slices);
  EXPECT_TRUE(r.regular());
  ASSERT_EQ(r.problems.size(), 1u);
  EXPECT_EQ(r.problems[0].severity, Severity::notice);
  EXPECT_THAT(r.problems[0].slices, ElementsAre(12, 13));
}

TEST(GeometryGate, SurvivesNumbersThatNoScannerWrites) {
  for (const double bad : {1e300, -1e300, std::nan(""), HUGE_VAL}) {
    auto slices = stack(10, 2);
    slices[3].positionMm->z = bad;
    slices[4].columnDirection = Vec3{0, bad, 0};
    slices[5].pixelSpacingXMm = bad;
    const GeometryReport r = checkGeometry(slices);
    EXPECT_EQ(r.geometryClass, GeometryClass::notAVolume) << bad;
    EXPECT_EQ(r.order.size(), 10u);
  }
  std::vector<SlicePlane> far{slice({0, 0, 0}, 1), slice({0, 0, 0.02}, 2), slice({0, 0, 0.04}, 3),
                              slice({0, 0, 9e5}, 4), slice({0, 0, 9e5 + 0.02}, 5)};
  EXPECT_EQ(checkGeometry(far).geometryClass, GeometryClass::gap);
}

TEST(GeometryGate, SortsThousandsOfOrientationsWithoutComparingThemAll) {
  std::vector<SlicePlane> slices;
  for (int i = 0; i < 20000; ++i) {
    const double t = i * 0.01;
    slices.push_back(slice({0, 0, 0}, i, {std::cos(t), std::sin(t), 0}, {0, 0, -1}));
  }
  const GeometryReport r = checkGeometry(slices);
  EXPECT_EQ(r.geometryClass, GeometryClass::mixedOrientation);
  EXPECT_EQ(r.order.size(), slices.size());
}

}  // namespace
}  // namespace lynceus::io::dicom
