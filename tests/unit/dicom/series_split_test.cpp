#include "io/dicom/series_split.h"

#include <algorithm>
#include <numbers>
#include <random>
#include <set>

#include <fmt/format.h>
#include <gmock/gmock.h>

namespace lynceus::io::dicom {
namespace {

using image::Vec3;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

Instance slice(double z, int number) {
  Instance i;
  i.plane.positionMm = Vec3{-180, -170, z};
  i.plane.rowDirection = Vec3{1, 0, 0};
  i.plane.columnDirection = Vec3{0, 1, 0};
  i.plane.pixelSpacingXMm = i.plane.pixelSpacingYMm = 0.7;
  i.plane.rows = i.plane.columns = i.rows = i.columns = 512;
  i.plane.instanceNumber = i.instanceNumber = number;
  i.positionMm = *i.plane.positionMm;
  i.sopInstanceUid = fmt::format("1.2.3.{}", number);
  return i;
}

using Instances = std::vector<Instance>;

std::string& key(Instance& i, StackKey k) { return i.stackKeys[static_cast<size_t>(k)]; }

/// Adds `count` slices from z = `fromMm`, numbered on, with one key set.
void add(Instances& all, int count, double spacing, double fromMm, StackKey k, const std::string& value) {
  for (int i = 0; i < count; ++i) {
    all.push_back(slice(fromMm + i * spacing, static_cast<int>(all.size()) + 1));
    key(all.back(), k) = value;
  }
}

void addLocalizer(Instances& all) {
  Instance i = slice(0, 900);
  i.plane.columnDirection = Vec3{0, 0, -1};
  i.plane.rows = i.rows = 800;
  i.plane.localizer = true;
  all.push_back(i);
}

std::vector<std::string> names(const std::vector<StackPart>& parts) {
  std::vector<std::string> n;
  for (const StackPart& p : parts) n.push_back(p.name);
  return n;
}

std::vector<size_t> sizes(const std::vector<StackPart>& parts) {
  std::vector<size_t> n;
  for (const StackPart& p : parts) n.push_back(p.members.size());
  return n;
}

GeometryReport gate(const Instances& all, const StackPart& part) {
  std::vector<SlicePlane> planes;
  for (const size_t i : part.members) planes.push_back(all[i].plane);
  return checkGeometry(planes);
}

/// As sets of UIDs: what may not depend on the order of the instances.
std::vector<std::pair<std::string, std::set<std::string>>> content(const Instances& all) {
  std::vector<std::pair<std::string, std::set<std::string>>> result;
  for (const StackPart& p : splitSeries(all)) {
    std::set<std::string> uids;
    for (const size_t i : p.members) uids.insert(all[i].sopInstanceUid);
    result.emplace_back(p.name, uids);
  }
  return result;
}

TEST(SeriesSplit, LeavesASeriesWholeThatPasses) {
  Instances all;
  for (const char* kernel : {"B30f", "B70f"}) add(all, 20, 2, all.empty() ? 0 : 40, StackKey::kernel, kernel);
  const auto parts = splitSeries(all);
  EXPECT_THAT(sizes(parts), ElementsAre(40));
  EXPECT_THAT(parts[0].name, IsEmpty());
}

TEST(SeriesSplit, HandlesNothingAndOneSlice) {
  EXPECT_THAT(sizes(splitSeries({})), ElementsAre(0));
  EXPECT_THAT(sizes(splitSeries({slice(0, 1)})), ElementsAre(1));
}

TEST(SeriesSplit, NeverSplitsAnAcquisitionNumberThatGrowsWithEverySlice) {
  const auto series = [] {
    Instances all;
    for (int i = 0; i < 60; ++i) add(all, 1, 2, 2.0 * i, StackKey::acquisitionNumber, std::to_string(i + 1));
    return all;
  };
  Instances all = series();
  EXPECT_THAT(splitSeries(all), SizeIs(1));
  all.erase(all.begin() + 30);  // nor where a slice is missing
  EXPECT_THAT(splitSeries(all), SizeIs(1));
  all = series();
  add(all, 1, 2, 24, StackKey::acquisitionNumber, "61");  // nor where one came twice
  EXPECT_THAT(splitSeries(all), SizeIs(1));
}

TEST(SeriesSplit, NeverHidesAMissingSliceBehindTheBlocksOfAStepAndShootScan) {
  Instances all;
  for (int i = 0; i < 20; ++i) add(all, 4, 2.5, 10.0 * i, StackKey::acquisitionNumber, std::to_string(i + 1));
  for (const size_t missing : {size_t{37}, size_t{40}}) {
    Instances cut = all;
    cut.erase(cut.begin() + static_cast<std::ptrdiff_t>(missing));
    EXPECT_THAT(splitSeries(cut), SizeIs(1)) << missing;
  }
  all.erase(all.begin() + 40, all.begin() + 44);  // a whole block
  EXPECT_THAT(splitSeries(all), SizeIs(1));
}

TEST(SeriesSplit, NeverMakesHalfAScanLookWholeBecauseTheOtherHalfHasADuplicate) {
  Instances all;
  add(all, 50, 2, 0, StackKey::acquisitionNumber, "1");
  add(all, 50, 2, 100, StackKey::acquisitionNumber, "2");
  add(all, 1, 2, 20, StackKey::acquisitionNumber, "1");
  EXPECT_THAT(splitSeries(all), SizeIs(1));
}

class PhaseKey : public testing::TestWithParam<std::pair<StackKey, std::vector<const char*>>> {};

TEST_P(PhaseKey, SeparatesThreePhases) {
  const auto& [k, values] = GetParam();
  Instances all;
  for (int z = 0; z < 40; ++z) {
    for (const char* value : values) add(all, 1, 2, 2.0 * z, k, value);
  }
  const auto parts = splitSeries(all);
  EXPECT_THAT(sizes(parts), ElementsAre(40, 40, 40));
  for (const StackPart& p : parts) EXPECT_TRUE(gate(all, p).regular());
  Instances shuffled = all;
  std::shuffle(shuffled.begin(), shuffled.end(), std::mt19937(9));
  EXPECT_EQ(content(shuffled), content(all));
}

INSTANTIATE_TEST_SUITE_P(
    Keys, PhaseKey,
    testing::Values(std::pair(StackKey::temporalPosition, std::vector<const char*>{"1", "2", "3"}),
                    std::pair(StackKey::acquisitionNumber, std::vector<const char*>{"2", "10", "11"}),
                    std::pair(StackKey::acquisitionTime, std::vector<const char*>{"123005", "123045.5", "123210"}),
                    std::pair(StackKey::cardiacPhase, std::vector<const char*>{"", "40", "75"}),
                    std::pair(StackKey::contrast, std::vector<const char*>{"", "arterial", "venous"}),
                    std::pair(StackKey::imageType, std::vector<const char*>{"ORIGINAL\\PRIMARY\\AXIAL", "A\\B\\C",
                                                                            "DERIVED\\SECONDARY\\AXIAL"}),
                    std::pair(StackKey::frameOfReference, std::vector<const char*>{"1.2.1", "1.2.2", "1.2.3"})),
    [](const auto& test) { return fmt::format("Key{}", static_cast<int>(test.param.first)); });

TEST(SeriesSplit, NamesPartsInAPersonsWords) {
  const auto namesOf = [](StackKey k, const char* a, const char* b) {
    Instances all;
    add(all, 30, 2, 0, k, a);
    add(all, 30, 2, 0, k, b);
    return names(splitSeries(all));
  };
  EXPECT_THAT(namesOf(StackKey::acquisitionNumber, "10", "2"), ElementsAre("acquisition 2", "acquisition 10"));
  EXPECT_THAT(namesOf(StackKey::kernel, "B70f", "B30f"), ElementsAre("kernel B30f", "kernel B70f"));
  EXPECT_THAT(namesOf(StackKey::acquisitionTime, "123005.123", "20240131124500.5+0100"),
              ElementsAre("time 12:30:05", "time 12:45:00"));
  EXPECT_THAT(namesOf(StackKey::acquisitionTime, "123005.1", "123005.2"),
              ElementsAre("time 12:30:05", "time 12:30:05 (2)"));
  EXPECT_THAT(namesOf(StackKey::contrast, "", "Iohexol"), ElementsAre("without contrast", "contrast Iohexol"));
}

TEST(SeriesSplit, PutsThePartWithTheMostSlicesFirst) {
  Instances all;
  add(all, 20, 2, 0, StackKey::acquisitionNumber, "1");
  add(all, 50, 2, 0, StackKey::acquisitionNumber, "2");
  EXPECT_THAT(names(splitSeries(all)), ElementsAre("acquisition 2", "acquisition 1"));
}

TEST(SeriesSplit, SetsSurveyImagesApart) {
  Instances all;
  addLocalizer(all);
  add(all, 30, 2, 0, StackKey::kernel, "B30f");
  const auto parts = splitSeries(all);
  EXPECT_THAT(sizes(parts), ElementsAre(30, 1));
  EXPECT_THAT(names(parts), ElementsAre("slices", "survey images"));
  EXPECT_TRUE(gate(all, parts[0]).regular());
}

TEST(SeriesSplit, SetsSurveyImagesApartFromAStackWithAGapToo) {
  Instances all;
  add(all, 30, 2, 0, StackKey::kernel, "B30f");
  all.erase(all.begin() + 10);
  addLocalizer(all);
  const auto parts = splitSeries(all);
  EXPECT_THAT(sizes(parts), ElementsAre(29, 1));
  EXPECT_EQ(gate(all, parts[0]).geometryClass, GeometryClass::gap);
}

TEST(SeriesSplit, LeavesSurveyImagesAloneWhole) {
  Instances all;
  addLocalizer(all);
  addLocalizer(all);
  EXPECT_THAT(splitSeries(all), SizeIs(1));
}

TEST(SeriesSplit, SeparatesSizesAndOrientations) {
  Instances all;
  add(all, 30, 2, 0, StackKey::kernel, "B30f");
  add(all, 20, 2, 0, StackKey::kernel, "B30f");
  for (size_t i = 30; i < 50; ++i) all[i].plane.columnDirection = Vec3{0, 0, -1}, all[i].plane.positionMm->y = 3.0 * i;
  add(all, 10, 2, 0, StackKey::kernel, "B30f");
  for (size_t i = 50; i < 60; ++i) all[i].plane.rows = 256;
  const auto parts = splitSeries(all);
  EXPECT_THAT(names(parts),
              ElementsAre("axial, 512 x 512 pixels", "coronal, 512 x 512 pixels", "axial, 512 x 256 pixels"));
  for (const StackPart& p : parts) EXPECT_FALSE(gate(all, p).geometryClass == GeometryClass::mixedSize);
}

TEST(SeriesSplit, KeepsASeriesWholeWhereASliceLostItsPlace) {
  Instances all;
  add(all, 30, 2, 0, StackKey::kernel, "B30f");
  all.back().plane.positionMm.reset();
  EXPECT_THAT(splitSeries(all), SizeIs(1));
  all.back().plane.rowDirection.reset();
  EXPECT_THAT(splitSeries(all), SizeIs(1));
  all.back().plane.pixelSpacingXMm = 0;
  EXPECT_THAT(splitSeries(all), SizeIs(1));
}

TEST(SeriesSplit, SplitsByKernelAndThenByAcquisition) {
  Instances all;
  add(all, 40, 2, 0, StackKey::kernel, "B30f");
  for (const char* acquisition : {"1", "2"}) {
    for (int i = 0; i < 40; ++i) {
      add(all, 1, 2, 2.0 * i, StackKey::kernel, "B70f");
      key(all.back(), StackKey::acquisitionNumber) = acquisition;
    }
  }
  EXPECT_THAT(names(splitSeries(all)),
              ElementsAre("kernel B30f", "kernel B70f, acquisition 1", "kernel B70f, acquisition 2"));
}

TEST(SeriesSplit, SeparatesTwoStationsWithAGapBetweenThem) {
  Instances all;
  add(all, 60, 2, 0, StackKey::acquisitionNumber, "1");
  add(all, 50, 2, 300, StackKey::acquisitionNumber, "2");
  EXPECT_THAT(names(splitSeries(all)), ElementsAre("acquisition 1", "acquisition 2"));
}

TEST(SeriesSplit, TakesTwoPairsOfSlicesForAnUnevenSeries) {
  Instances all;
  add(all, 2, 5, 0, StackKey::acquisitionNumber, "1");
  add(all, 2, 10, 15, StackKey::acquisitionNumber, "2");
  EXPECT_THAT(splitSeries(all), SizeIs(1));
}

TEST(SeriesSplit, SeparatesPhasesOfWhichOneHasAGap) {
  Instances all;
  for (const char* phase : {"1", "2", "3"}) add(all, 40, 2, 0, StackKey::temporalPosition, phase);
  all.erase(all.begin() + 60);
  const auto parts = splitSeries(all);
  EXPECT_THAT(sizes(parts), ElementsAre(40, 40, 39));
  EXPECT_TRUE(gate(all, parts[0]).usable());
  EXPECT_EQ(gate(all, parts[2]).geometryClass, GeometryClass::gap);
}

TEST(SeriesSplit, LeavesADuplicateThatNoKeyTellsApart) {
  Instances all;
  add(all, 30, 2, 0, StackKey::kernel, "B30f");
  add(all, 1, 2, 14, StackKey::kernel, "B30f");
  const auto parts = splitSeries(all);
  ASSERT_THAT(parts, SizeIs(1));
  EXPECT_EQ(gate(all, parts[0]).geometryClass, GeometryClass::duplicate);
}

TEST(SeriesSplit, SetsBolusTrackingAtOnePlaceApart) {
  Instances all;
  for (int i = 0; i < 12; ++i) add(all, 1, 2, 35, StackKey::acquisitionNumber, "1");
  add(all, 60, 2, 0, StackKey::acquisitionNumber, "2");
  EXPECT_THAT(names(splitSeries(all)), ElementsAre("acquisition 2", "acquisition 1"));
}

TEST(SeriesSplit, FindsThePassesWhereEverySliceHasItsOwnTime) {
  Instances all;
  int second = 0;
  const auto pass = [&](double fromMm, double step) {
    for (int i = 0; i < 40; ++i, ++second) {
      add(all, 1, 2, fromMm + step * i, StackKey::acquisitionTime,
          fmt::format("12{:02}{:02}", second / 60, second % 60));
    }
  };
  pass(0, 2);
  pass(78, -2);  // the table comes back
  pass(0, 2);
  const auto parts = splitSeries(all);
  EXPECT_THAT(names(parts), ElementsAre("from time 12:00:00", "from time 12:00:40", "from time 12:01:20"));
  EXPECT_THAT(sizes(parts), ElementsAre(40, 40, 40));
}

TEST(SeriesSplit, KeepsTiltedPhases) {
  const double t = 15 * std::numbers::pi / 180;
  Instances all;
  for (const char* phase : {"1", "2"}) add(all, 30, 2.5, 0, StackKey::temporalPosition, phase);
  for (Instance& i : all) i.plane.columnDirection = Vec3{0, std::cos(t), std::sin(t)};
  const auto parts = splitSeries(all);
  ASSERT_THAT(parts, SizeIs(2));
  for (const StackPart& p : parts) EXPECT_EQ(gate(all, p).geometryClass, GeometryClass::tilted);
}

TEST(SeriesSplit, EndsSoonOnKeysMadeToHoldItUp) {
  Instances all;
  std::mt19937 random(1);
  for (int i = 0; i < 3000; ++i) {
    all.push_back(slice(static_cast<double>(random() % 500), i));
    for (std::string& value : all.back().stackKeys) value = std::to_string(random() % 3);
  }
  size_t members = 0;
  for (const StackPart& p : splitSeries(all)) members += p.members.size();
  EXPECT_EQ(members, all.size());
}

}  // namespace
}  // namespace lynceus::io::dicom
