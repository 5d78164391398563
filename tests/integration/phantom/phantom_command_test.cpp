// The command `lynceus phantom` as a user runs it.
#include <cstdio>
#include <fstream>
#include <iterator>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include "io/results/findings_json.h"
#include "io/source.h"
#include "tests/support/temporary_folder.h"

namespace lynceus {
namespace {

namespace fs = std::filesystem;

struct ProgramRun {
  int exitCode = -1;
  std::string output;  ///< stdout and stderr
};

ProgramRun lynceus(const std::string& arguments) {
  ProgramRun run;
  FILE* pipe = popen((std::string(LYNCEUS_BINARY_DIR) + "/bin/lynceus " + arguments + " 2>&1").c_str(), "r");
  char line[512];
  while (pipe && fgets(line, sizeof line, pipe)) run.output += line;
  if (pipe) run.exitCode = WEXITSTATUS(pclose(pipe));
  return run;
}

std::string bytesOf(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

const std::string kSmall = " --matrix 64 --slice-mm 6 ";

TEST(PhantomCommand, WritesASeriesAndItsTruth) {
  const test::TemporaryFolder folder;
  const std::string out = (folder / "a").string();
  const ProgramRun run = lynceus("phantom --seed 5 --preset demo -o " + out + kSmall);
  ASSERT_EQ(run.exitCode, 0) << run.output;
  const auto truth = results::readFindingsJson(fs::path(out) / "truth.json");
  ASSERT_TRUE(truth) << truth.error().message;
  EXPECT_GE(truth->findings.size(), 3u);
  job::Context context;
  const auto source = io::openSource(out, context);
  ASSERT_TRUE(source) << source.error().message;
  const auto loaded = io::loadSeries(*source, 0, context);
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(loaded->volume.geometry().size, truth->geometry->size);
  EXPECT_NEAR(norm(loaded->volume.geometry().originMm - truth->geometry->originMm), 0, 1e-6);
  EXPECT_EQ(truth->series.patientId, "PHANTOM-5");
  EXPECT_EQ(truth->series.instanceCount, truth->geometry->size.z);
}

TEST(PhantomCommand, WritesTheSameFilesAgainForTheSameSeed) {
  const test::TemporaryFolder folder;
  for (const char* name : {"a", "b"}) {
    const ProgramRun run = lynceus("phantom --seed 6 -o " + (folder / name).string() + kSmall);
    ASSERT_EQ(run.exitCode, 0) << run.output;
  }
  int compared = 0;
  for (const auto& entry : fs::directory_iterator(folder / "a")) {
    if (entry.path().extension() != ".dcm") continue;
    EXPECT_EQ(bytesOf(entry.path()), bytesOf(folder / "b" / entry.path().filename().string())) << entry.path();
    ++compared;
  }
  EXPECT_GT(compared, 30);
}

TEST(PhantomCommand, WritesNiftiWithALungMask) {
  const test::TemporaryFolder folder;
  const fs::path out = folder / "n";
  const ProgramRun run = lynceus("phantom --seed 5 --format nii.gz --lung-mask --no-noise -o " + out.string() + kSmall);
  ASSERT_EQ(run.exitCode, 0) << run.output;
  EXPECT_TRUE(fs::exists(out / "ct.nii.gz"));
  EXPECT_TRUE(fs::exists(out / "lung_mask.nii.gz"));
  EXPECT_TRUE(results::readFindingsJson(out / "truth.json"));
}

TEST(PhantomCommand, DrawsTheLesionsOfTheOtherGeneratorIntoTheSameChest) {
  const test::TemporaryFolder folder;
  const std::string chest = "phantom --seed 5 --format nii --no-noise --preset demo" + kSmall;
  ASSERT_EQ(lynceus(chest + "-o " + (folder / "a").string()).exitCode, 0);
  ASSERT_EQ(lynceus(chest + "--lesions grown -o " + (folder / "b").string()).exitCode, 0);
  EXPECT_NE(bytesOf(folder / "a" / "ct.nii"), bytesOf(folder / "b" / "ct.nii"));
  const auto sculpted = results::readFindingsJson(folder / "a" / "truth.json");
  const auto grown = results::readFindingsJson(folder / "b" / "truth.json");
  ASSERT_TRUE(sculpted && grown);
  EXPECT_GE(grown->findings.size(), 3u);
  EXPECT_EQ(grown->geometry->size, sculpted->geometry->size);
  for (const char* word : {"texture", "margin", "attachment", "calcification", "inside", "origin", "location"}) {
    EXPECT_EQ(grown->findings.front().tags.count(word), 1u) << word;
  }
  EXPECT_THAT(bytesOf(folder / "b" / "truth.json"), testing::HasSubstr("\"lesions\": \"grown\""));
}

TEST(PhantomCommand, LeavesAFolderThatIsNotEmptyAloneUnlessForced) {
  const test::TemporaryFolder folder;
  std::ofstream(folder / "notes.txt") << "keep";
  std::ofstream(folder / "slice_9999.dcm") << "of an earlier phantom";
  const std::string command = "phantom --seed 1 -o " + folder.path().string() + kSmall;
  const ProgramRun refused = lynceus(command);
  EXPECT_EQ(refused.exitCode, 2);
  EXPECT_THAT(refused.output, testing::HasSubstr("not empty"));
  EXPECT_TRUE(fs::exists(folder / "slice_9999.dcm"));
  EXPECT_EQ(lynceus(command + "--force").exitCode, 0);
  EXPECT_FALSE(fs::exists(folder / "slice_9999.dcm"));
  EXPECT_EQ(bytesOf(folder / "notes.txt"), "keep");
}

TEST(PhantomCommand, NamesAFolderItMayNotWrite) {
  const ProgramRun run = lynceus("phantom --seed 1 -o /proc/phantom" + kSmall);
  EXPECT_EQ(run.exitCode, 4);
  EXPECT_THAT(run.output, testing::HasSubstr("/proc/phantom"));
}

}  // namespace
}  // namespace lynceus
