// lynceus detect and lynceus batch on synthetic studies: the real program, the shipped model, real files.
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/program.h"
#include "tests/support/temporary_folder.h"

using namespace lynceus::test;
namespace fs = std::filesystem;
using nlohmann::json;

namespace {

/// One small chest phantom for all tests: 192 x 192 pixels of 1.9 mm, slices every 2.5 mm.
const fs::path& study() {
  static const TemporaryFolder folder;
  static const fs::path path = [] {
    const ProgramRun made = runLynceus("phantom -o '" + (folder / "study").string() +
                                       "' --seed 11 --matrix 192 --spacing 1.9 --slice-mm 2.5 --nodules 4");
    EXPECT_EQ(made.exitCode, 0) << made.err;
    return folder / "study";
  }();
  return path;
}

std::vector<fs::path> slicesOf(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ".dcm") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

/// A copy that a test may damage.
fs::path copyOfStudy(const fs::path& to) {
  fs::copy(study(), to, fs::copy_options::recursive);
  return to;
}

/// What must not differ between two runs: everything but when and how long.
json comparable(const fs::path& findings) {
  json j = json::parse(readText(findings));
  j.erase("timingsMs");
  j["provenance"].erase("createdUtc");
  return j;
}

std::string quoted(const fs::path& path) { return "'" + path.string() + "'"; }

void expectOneSentence(const ProgramRun& run, int exitCode, const std::string& mustName) {
  EXPECT_EQ(run.exitCode, exitCode) << run.err;
  EXPECT_NE(run.err.find(mustName), std::string::npos) << run.err;
  EXPECT_EQ(std::count(run.err.begin(), run.err.end(), '\n'), 1) << run.err;
}

}  // namespace

TEST(Detect, WritesFindingsAndAPictureOfEachAndTheSameBitsTwice) {
  const TemporaryFolder out;
  const ProgramRun first = runLynceus("detect " + quoted(study()) + " -o " + quoted(out / "a") + " --truth " +
                                      quoted(study() / "truth.json"));
  ASSERT_EQ(first.exitCode, 0) << first.err;
  EXPECT_NE(first.out.find("lesions found"), std::string::npos) << first.out;
  const json findings = json::parse(readText(out / "a/findings.json"));
  EXPECT_EQ(findings["status"], "succeeded");
  EXPECT_EQ(findings["model"]["id"], "lynceus.lung-nodule");
  for (size_t i = 1; i <= findings["findings"].size(); ++i) {
    EXPECT_TRUE(fs::exists(out / ("a/finding-" + std::string(i < 10 ? "0" : "") + std::to_string(i) + ".png")));
  }
  ASSERT_EQ(runLynceus("detect " + quoted(study()) + " -o " + quoted(out / "b")).exitCode, 0);
  EXPECT_EQ(comparable(out / "a/findings.json"), comparable(out / "b/findings.json"));
}

TEST(Detect, RefusesAMissingSliceByItsNumberAndWritesWhy) {
  const TemporaryFolder out;
  const fs::path damaged = copyOfStudy(out / "study");
  fs::remove(slicesOf(damaged)[20]);
  const ProgramRun run = runLynceus("detect " + quoted(damaged) + " -o " + quoted(out / "o"));
  expectOneSentence(run, 3, "slice 21 is missing");
  const json findings = json::parse(readText(out / "o/findings.json"));
  EXPECT_EQ(findings["status"], "rejectedInput");
  EXPECT_NE(findings["reason"].get<std::string>().find("slice 21 is missing"), std::string::npos);
}

TEST(Detect, RefusesATruncatedSliceByName) {
  const TemporaryFolder out;
  const fs::path damaged = copyOfStudy(out / "study");
  const fs::path victim = slicesOf(damaged)[7];
  fs::resize_file(victim, fs::file_size(victim) / 2);
  expectOneSentence(runLynceus("detect " + quoted(damaged) + " -o " + quoted(out / "o")), 3,
                    victim.filename().string());
}

TEST(Detect, ChoosesOneOfTwoSeriesAndSaysWhy) {
  const TemporaryFolder out;
  const fs::path mixed = copyOfStudy(out / "study");
  ASSERT_EQ(
      runLynceus("phantom -o " + quoted(out / "study/thick") + " --seed 12 --matrix 128 --spacing 2.8 --slice-mm 5")
          .exitCode,
      0);
  const ProgramRun run = runLynceus("detect " + quoted(mixed) + " -o " + quoted(out / "o"));
  EXPECT_EQ(run.exitCode, 0) << run.err;
  EXPECT_NE(run.err.find("2 series"), std::string::npos) << run.err;
}

TEST(Detect, SaysInOneSentenceWhatIsWrongWithTheInput) {
  const TemporaryFolder out;
  fs::create_directory(out / "empty");
  fs::create_directory(out / "text");
  std::ofstream(out / "text/notes.txt") << "no image here";
  const auto detect = [&](const std::string& what) {
    return runLynceus("detect " + quoted(out / what) + " -o " + quoted(out / "o"));
  };
  expectOneSentence(detect("nowhere"), 2, "nowhere");
  expectOneSentence(detect("empty"), 3, "empty");
  expectOneSentence(detect("text"), 3, "1 file that is not DICOM");
}

TEST(Detect, SaysThatTheOutputCannotBeWrittenBeforeItWorks) {
  const TemporaryFolder out;
  std::ofstream(out / "file") << "x";
  expectOneSentence(runLynceus("detect " + quoted(study()) + " -o " + quoted(out / "file/below")), 4, "file/below");
  if (geteuid() == 0) GTEST_SKIP() << "root may write everywhere: the case of no permission is not checked";
  fs::create_directory(out / "locked");
  fs::permissions(out / "locked", fs::perms::owner_read);
  expectOneSentence(runLynceus("detect " + quoted(study()) + " -o " + quoted(out / "locked/o")), 4, "locked/o");
}

TEST(Detect, SaysThatTheDiskIsFull) {
  const TemporaryFolder out;
  fs::create_directory(out / "small");
  if (mount("tmpfs", (out / "small").c_str(), "tmpfs", 0, "size=16k") != 0)
    GTEST_SKIP() << "a small disk can only be mounted as root";
  std::ofstream(out / "small/filler") << std::string(12288, 'x');
  const ProgramRun run = runLynceus("detect " + quoted(study()) + " -o " + quoted(out / "small/o"));
  umount((out / "small").c_str());
  EXPECT_EQ(run.exitCode, 4) << run.err << run.out;
  EXPECT_NE(run.err.find("small/o"), std::string::npos) << run.err;
}

TEST(Detect, NamesAnUnknownDeviceAndAnUnknownModel) {
  const TemporaryFolder out;
  const std::string command = "detect " + quoted(study()) + " -o " + quoted(out / "o");
  EXPECT_NE(runLynceus(command + " --device tpu").err.find("tpu"), std::string::npos);
  const ProgramRun run = runLynceus(command + " --model no.such");
  expectOneSentence(run, 4, "no.such");
  EXPECT_NE(run.err.find("lynceus.lung-nodule"), std::string::npos) << run.err;
}

TEST(Batch, FinishesTheGoodStudiesNamesTheBadOnesAndResumes) {
  const TemporaryFolder out;
  fs::create_directory(out / "studies");
  copyOfStudy(out / "studies/a good one");
  const fs::path damaged = copyOfStudy(out / "studies/b gap");
  fs::remove(slicesOf(damaged)[20]);
  fs::create_directory(out / "studies/c empty");
  const std::string command = "batch " + quoted(out / "studies") + " -o " + quoted(out / "o");
  const ProgramRun first = runLynceus(command + " --jobs 2");
  EXPECT_EQ(first.exitCode, 1) << first.err;
  EXPECT_NE(first.out.find("3 studies: 2 rejectedInput, 1 succeeded"), std::string::npos) << first.out;
  EXPECT_NE(first.err.find("b gap"), std::string::npos) << first.err;
  EXPECT_NE(first.err.find("c empty"), std::string::npos) << first.err;
  EXPECT_TRUE(fs::exists(out / "o/a good one/findings.json"));
  std::ifstream journal(out / "o/results.jsonl");
  std::vector<json> lines;
  for (std::string line; std::getline(journal, line);) lines.push_back(json::parse(line));
  ASSERT_EQ(lines.size(), 3u);

  const auto before = fs::last_write_time(out / "o/a good one/findings.json");
  const ProgramRun second = runLynceus(command + " --resume");
  EXPECT_NE(second.out.find("done before"), std::string::npos) << second.out;
  EXPECT_EQ(fs::last_write_time(out / "o/a good one/findings.json"), before);
  // Other options are another result: nothing is left out.
  const ProgramRun third = runLynceus(command + " --resume --threshold 0.9");
  EXPECT_EQ(third.out.find("done before"), std::string::npos) << third.out;
}

TEST(Batch, GoesOnAfterBeingKilled) {
  const TemporaryFolder out;
  fs::create_directory(out / "studies");
  for (const char* name : {"a", "b", "c"}) copyOfStudy(out / (std::string("studies/") + name));
  const std::string command = "batch " + quoted(out / "studies") + " -o " + quoted(out / "o");
  const fs::path journal = out / "o/results.jsonl";
  const std::string script = "'" LYNCEUS_BINARY_DIR "/bin/lynceus' " + command +
                             " >/dev/null 2>&1 & pid=$!; for i in $(seq 600); do [ -s " + quoted(journal) +
                             " ] && break; sleep 0.1; done; kill -9 $pid; wait $pid";
  ASSERT_NE(std::system(script.c_str()), -1);
  const std::string atKill = readText(journal);
  const auto doneAtKill = std::count(atKill.begin(), atKill.end(), '\n');
  RecordProperty("studiesDoneWhenKilled", static_cast<int>(doneAtKill));
  ASSERT_GE(doneAtKill, 1);
  // What a crash in the middle of a line leaves.
  std::ofstream(journal, std::ios::app) << "{\"study\": \"b\", \"sta";
  const ProgramRun resumed = runLynceus(command + " --resume");
  EXPECT_EQ(resumed.exitCode, 0) << resumed.err;
  for (const char* name : {"a", "b", "c"}) EXPECT_TRUE(fs::exists(out / (std::string("o/") + name + "/findings.json")));
}
