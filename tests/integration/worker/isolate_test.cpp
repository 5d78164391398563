// lynceus detect and batch with --isolate: the same results as without, and the same sentences.
#include <algorithm>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/program.h"
#include "tests/support/small_detector.h"

using namespace lynceus::test;
namespace fs = std::filesystem;
using nlohmann::json;

namespace {

/// Two studies of one phantom each, and a detector that is quick.
struct Case {
  TemporaryFolder folder;
  SmallDetector detector{firstStage(symmetricKernel())};
  Case() {
    for (const char* seed : {"11", "12"}) {
      const ProgramRun made = runLynceus("phantom -o " + path(std::string("studies/") + seed) + " --seed " + seed +
                                         " --matrix 128 --spacing 2.8 --slice-mm 4 --nodules 2");
      EXPECT_EQ(made.exitCode, 0) << made.err;
    }
    detector.tiles(64, 16).mostFindings(3);
  }
  std::string path(const std::string& name) const { return "'" + (folder / name).string() + "'"; }
  std::string model() const { return " --model '" + detector.folder() + "'"; }
};
const Case& shared() {
  static const Case one;
  return one;
}

json comparable(const fs::path& findings) {
  json j = json::parse(readText(findings));
  j.erase("timingsMs");
  j["provenance"].erase("createdUtc");
  j.erase("device");  // names the number of threads
  return j;
}

}  // namespace

TEST(Isolate, FindsTheSameAndDrawsTheSamePictures) {
  const Case& c = shared();
  for (const std::string how : {"", " --isolate"}) {
    const ProgramRun run = runLynceus("detect " + c.path("studies/11") + c.model() + how + " -o " + c.path("a" + how));
    ASSERT_EQ(run.exitCode, 0) << run.err;
  }
  EXPECT_TRUE(comparable(c.folder / "a/findings.json") == comparable(c.folder / "a --isolate/findings.json"));
  EXPECT_EQ(readText(c.folder / "a/finding-01.png"), readText(c.folder / "a --isolate/finding-01.png"));
}

TEST(Isolate, RunsBatchesWithSeveralWorkersAndResumesThem) {
  const Case& c = shared();
  const std::string batch = "batch " + c.path("studies") + c.model() + " -o ";
  ASSERT_EQ(runLynceus(batch + c.path("here")).exitCode, 0);
  const ProgramRun isolated = runLynceus(batch + c.path("there") + " --isolate --jobs 2");
  ASSERT_EQ(isolated.exitCode, 0) << isolated.err;
  for (const char* seed : {"11", "12"}) {
    const auto findings = [&](const char* where) { return c.folder / where / seed / "findings.json"; };
    EXPECT_TRUE(comparable(findings("here")) == comparable(findings("there"))) << seed;
  }
  const ProgramRun resumed = runLynceus(batch + c.path("there") + " --resume");
  EXPECT_NE(resumed.out.find("2 done before"), std::string::npos) << resumed.out;
}

TEST(Isolate, SaysTheSameSentenceAboutBadInput) {
  const Case& c = shared();
  fs::create_directories(c.folder / "empty");
  const std::vector<std::string> inputs = {c.path("missing"), c.path("empty"), c.path("studies/11") + " --series 1.2.3",
                                           c.path("studies/11") + " --device tpu"};
  for (const std::string& input : inputs) {
    const ProgramRun here = runLynceus("detect " + input + c.model() + " -o " + c.path("bad"));
    const ProgramRun there = runLynceus("detect " + input + c.model() + " -o " + c.path("bad") + " --isolate");
    EXPECT_NE(here.exitCode, 0);
    EXPECT_EQ(here.exitCode, there.exitCode) << input;
    EXPECT_EQ(here.err, there.err) << input;
  }
}

TEST(Isolate, TheWorkerIsNotForUseByHand) {
  const std::string command = std::string("'") + LYNCEUS_BINARY_DIR + "/bin/lynceus-worker' detect 2>/dev/null";
  EXPECT_EQ(WEXITSTATUS(std::system(command.c_str())), 2);
}
