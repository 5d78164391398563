#include "io/dicom/write_ct.h"

#include <cstdio>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "io/source.h"
#include "tests/support/temporary_folder.h"

namespace lynceus::io::dicom {
namespace {

image::Volume smallVolume(int16_t low = -1024, int16_t high = 3071) {
  image::Geometry g;
  g.size = {40, 30, 6};
  g.spacingMm = {0.7, 0.7, 1.4};
  g.originMm = {-13.125, 20.5, -100.2};
  std::vector<int16_t> hu(static_cast<size_t>(g.voxelCount()));
  for (size_t i = 0; i < hu.size(); ++i)
    hu[i] = static_cast<int16_t>(low + static_cast<int>(i * 37) % (high - low + 1));
  return *image::Volume::create(g, std::move(hu));
}

CtDescription description() {
  CtDescription d;
  d.patientName = "Phantom^Seed 7";
  d.patientId = "PHANTOM-7";
  d.patientBirthDate = "19470808";
  d.patientSex = "F";
  d.studyDate = "20260101";
  d.studyTime = "120000";
  d.seriesDescription = "Phantom";
  d.manufacturer = "Lynceus";
  d.convolutionKernel = "LUNG";
  d.contrastAgent = "Simulated";
  d.identity = "seed 7";
  return d;
}

std::string outputOf(const std::string& command) {
  std::string text;
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  char line[512];
  while (pipe && fgets(line, sizeof line, pipe)) text += line;
  if (pipe) pclose(pipe);
  return text;
}

struct Case {
  int16_t low, high;
  bool jpegLs;
};

// What the list of tests shows.
std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << c.low << " to " << c.high << " HU" << (c.jpegLs ? ", JPEG-LS" : "");
}

class WriteCt : public testing::TestWithParam<Case> {};

TEST_P(WriteCt, ReadsBackToTheSameVoxelsAndGeometry) {
  const test::TemporaryFolder folder;
  const image::Volume volume = smallVolume(GetParam().low, GetParam().high);
  CtDescription d = description();
  d.jpegLs = GetParam().jpegLs;
  job::Context context;
  const auto written = writeCtSeries(volume, d, folder / "ct", context);
  ASSERT_TRUE(written) << written.error().message;
  EXPECT_EQ(written->files.size(), 6u);
  const auto source = openSource(folder / "ct", context);
  ASSERT_TRUE(source) << source.error().message;
  const auto loaded = loadSeries(*source, 0, context);
  ASSERT_TRUE(loaded) << loaded.error().message;
  const image::Geometry &g = loaded->volume.geometry(), &expected = volume.geometry();
  EXPECT_EQ(g.size, expected.size);
  EXPECT_NEAR(norm(g.originMm - expected.originMm), 0, 1e-6);
  EXPECT_NEAR(norm(g.spacingMm - expected.spacingMm), 0, 1e-6);
  EXPECT_TRUE(
      std::equal(volume.hu().begin(), volume.hu().end(), loaded->volume.hu().begin(), loaded->volume.hu().end()));
}

TEST_P(WriteCt, IsAcceptedByDciodvfy) {
  if (outputOf("command -v dciodvfy").empty()) GTEST_SKIP() << "dciodvfy (package dicom3tools) is not installed";
  const test::TemporaryFolder folder;
  CtDescription d = description();
  d.jpegLs = GetParam().jpegLs;
  job::Context context;
  const auto written = writeCtSeries(smallVolume(GetParam().low, GetParam().high), d, folder.path(), context);
  ASSERT_TRUE(written) << written.error().message;
  const std::string said = outputOf("dciodvfy '" + written->files.front().string() + "'");
  EXPECT_THAT(said, testing::HasSubstr("CTImage"));
  EXPECT_THAT(said, testing::Not(testing::HasSubstr("Error")));
}

INSTANTIATE_TEST_SUITE_P(Storage, WriteCt,
                         testing::Values(Case{-1024, 3071, false}, Case{-1024, 3071, true}, Case{-3000, 9000, false}));

TEST(WriteCtSeries, GivesTheSameUidsForTheSameIdentityOnly) {
  EXPECT_EQ(uidOf("a"), uidOf("a"));
  EXPECT_NE(uidOf("a"), uidOf("b"));
  for (const char* text : {"a", "b", "lynceus", ""}) {
    EXPECT_THAT(uidOf(text), testing::MatchesRegex("2\\.25\\.[1-9][0-9]*"));
    EXPECT_LE(uidOf(text).size(), 64u);
  }
}

TEST(WriteCtSeries, SaysWhichFolderItCannotMake) {
  const test::TemporaryFolder folder;
  std::ofstream(folder / "file") << "x";
  job::Context context;
  const auto written = writeCtSeries(smallVolume(), description(), folder / "file" / "ct", context);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, ErrorCode::resource);
  EXPECT_THAT(written.error().message, testing::HasSubstr((folder / "file" / "ct").string()));
}

TEST(WriteCtSeries, LeavesNoSliceBehindWhenOneCannotBeWritten) {
  const test::TemporaryFolder folder;
  std::filesystem::create_directories(folder / "ct" / "slice_0004.dcm" / "in the way");
  job::Context context;
  const auto written = writeCtSeries(smallVolume(), description(), folder / "ct", context);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, ErrorCode::resource);
  for (const auto& entry : std::filesystem::directory_iterator(folder / "ct"))
    EXPECT_TRUE(entry.is_directory()) << entry.path();
}

TEST(WriteCtSeries, LeavesNoSliceBehindWhenCancelled) {
  const test::TemporaryFolder folder;
  job::Context context;
  context.cancel();
  const auto written = writeCtSeries(smallVolume(), description(), folder / "ct", context);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, ErrorCode::cancelled);
  EXPECT_TRUE(std::filesystem::is_empty(folder / "ct"));
}

}  // namespace
}  // namespace lynceus::io::dicom
