// Broken plugins in workers: each ends its job with one clear line, the caller lives, and nothing is left behind.
#include <gtest/gtest.h>

#include "app/study/requests.h"
#include "core/job/shared_volume.h"
#include "core/sha256.h"
#include "io/results/findings_json.h"
#include "tests/support/processes.h"
#include "tests/support/small_detector.h"

using namespace lynceus;
using namespace lynceus::test;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

fs::path library(const std::string& name) { return fs::path(LYNCEUS_BINARY_DIR) / "test-plugins" / (name + ".so"); }

/// What a job of a broken plugin ends with: the error, or the reason of a result that is not a success.
struct Ending {
  ErrorCode code = ErrorCode::internal;
  detect::Status status = detect::Status::failed;
  std::string line;
  size_t findings = 0;
};

Ending detectWith(const std::string& name, const std::shared_ptr<job::Engine>& engine) {
  const image::Volume volume = blobVolume({40, 40, 40}, {{{20, 20, 20}}});
  study::ModelChoice model;
  model.id = "org.example.broken";
  model.path = library(name);
  model.isPlugin = true;
  model.sha256 = sha256OfFile(model.path).value_or("");
  study::DetectOptions options;
  options.detect.region = detect::Region::whole;
  const auto memory = std::make_shared<const FileDescriptor>(std::move(*job::shareVolume(volume)));
  const study::DetectRequest request{model, std::nullopt, options, {"CT", 1}, job::describeVolume(volume)};
  const auto answer = engine->run({"detect", study::toJson(request), {memory}, 0}, job::Context());
  if (!answer) return {answer.error().code, detect::Status::failed, answer.error().message, 0};
  const auto result = results::fromJson(answer->body["answer"]);
  if (!result) return {result.error().code, detect::Status::failed, result.error().message, 0};
  return {ErrorCode::internal, result->status, result->reason, result->findings.size()};
}

class IsolatedPlugin : public testing::Test {
 protected:
  void SetUp() override { m_files = openFiles(); }
  void TearDown() override {
    EXPECT_TRUE(workers().empty()) << "a worker was left behind";
    EXPECT_EQ(openFiles(), m_files) << "files were left open";
  }

  /// The next job in the same engine is done as if nothing had happened.
  static void expectLine(const std::string& name, const std::string& mustSay, const job::EngineOptions& options = {}) {
    const auto engine = std::make_shared<job::Engine>(options);
    const Ending ending = detectWith(name, engine);
    EXPECT_EQ(ending.status, detect::Status::failed) << name;
    EXPECT_NE(ending.line.find(mustSay), std::string::npos) << name << ": " << ending.line;
    EXPECT_EQ(ending.line.find('\n'), std::string::npos) << name << ": " << ending.line;
    EXPECT_EQ(detectWith("threads", engine).status, detect::Status::succeeded) << name;
  }

  size_t m_files = 0;
};

}  // namespace

TEST_F(IsolatedPlugin, ThatCrashesEndsItsJobAlone) {
  expectLine("segfault", "Segmentation fault");
  expectLine("abort", "Aborted");
}

TEST_F(IsolatedPlugin, ThatHangsIsEnded) {
  job::EngineOptions options;
  options.silence = 1s;
  expectLine("hang", "no sign of life", options);
}

TEST_F(IsolatedPlugin, ThatHangsCanBeCancelled) {
  const auto engine = std::make_shared<job::Engine>(job::EngineOptions());
  job::Context context;
  std::thread user([&] {
    std::this_thread::sleep_for(500ms);
    context.cancel();
  });
  const image::Volume volume = blobVolume({40, 40, 40}, {});
  study::ModelChoice model{"org.example.broken", library("hang"), true, *sha256OfFile(library("hang")), {}, 0};
  const auto memory = std::make_shared<const FileDescriptor>(std::move(*job::shareVolume(volume)));
  const study::DetectRequest request{model, std::nullopt, {}, {"CT", 1}, job::describeVolume(volume)};
  const auto start = std::chrono::steady_clock::now();
  const auto answer = engine->run({"detect", study::toJson(request), {memory}, 0}, context);
  user.join();
  EXPECT_LT(std::chrono::steady_clock::now() - start, 500ms + 10 * 500ms);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::cancelled);
}

TEST_F(IsolatedPlugin, ThatTakesAllMemoryIsEnded) {
  job::EngineOptions options;
  options.mostBytes = size_t{1} << 30;
  for (const char* name : {"leak_malloc", "leak_host"}) expectLine(name, "GiB of memory", options);
}

TEST_F(IsolatedPlugin, ThatAnswersNonsenseFails) {
  expectLine("nan_score", "score");
  expectLine("many_findings", "findings");
  expectLine("small_finding", "28 bytes");
  expectLine("null_detect", "detect");
  expectLine("throws", "exception");
}

TEST_F(IsolatedPlugin, ThatLeavesThreadsBehindGetsItsResultAndLosesItsWorker) {
  const auto engine = std::make_shared<job::Engine>(job::EngineOptions());
  const Ending ending = detectWith("threads", engine);
  EXPECT_EQ(ending.status, detect::Status::succeeded) << ending.line;
  EXPECT_EQ(ending.findings, 1U);
  EXPECT_TRUE(within(5s, [] { return workers().empty(); })) << "the threads live on in their worker";
}

TEST_F(IsolatedPlugin, ThatCannotBeLoadedIsNamedWhenItIsProbed) {
  const std::vector<std::pair<const char*, const char*>> cases = {
      {"wrong_major", "1.0"},       {"no_entry", "lynceus_plugin_entry"},
      {"small_struct", "16 bytes"}, {"huge_struct", "18446744073709551615 bytes"},
      {"null_function", "null"},    {"wild_id", "id"}};
  for (const auto& [name, mustSay] : cases) {
    const auto models = study::probePlugin(library(name));
    ASSERT_FALSE(models) << name;
    EXPECT_NE(models.error().message.find(library(name).string()), std::string::npos) << models.error().message;
    EXPECT_NE(models.error().message.find(mustSay), std::string::npos) << models.error().message;
    EXPECT_EQ(models.error().message.find('\n'), std::string::npos) << models.error().message;
  }
}

TEST_F(IsolatedPlugin, ThatIsBrokenInABatchFailsItsStudiesWithOneLineEach) {
  const TemporaryFolder folder;
  fs::create_directories(folder / "plugins");
  fs::copy(library("segfault"), folder / "plugins/segfault.so");
  const std::string environment = "XDG_CONFIG_HOME='" + folder.path().string() + "/config' LYNCEUS_PLUGINS='" +
                                  folder.path().string() + "/plugins' ";
  const auto run = [&](const std::string& arguments) {
    const std::string command = environment + "'" + LYNCEUS_BINARY_DIR + "/bin/lynceus' " + arguments + " >'" +
                                (folder / "out").string() + "' 2>'" + (folder / "err").string() + "'";
    return WEXITSTATUS(std::system(command.c_str()));
  };
  const std::string study = "'" + (folder / "study").string() + "'";
  ASSERT_EQ(run("phantom -o " + study + " --seed 3 --matrix 64 --spacing 5.6 --slice-mm 5 --nodules 1"), 0);
  const std::string detect = "detect " + study + " -o '" + (folder / "o").string() + "' --model org.example.broken";
  EXPECT_EQ(run(detect), 4) << "not trusted yet";
  EXPECT_NE(readText(folder / "err").find("nobody trusts it yet"), std::string::npos) << readText(folder / "err");
  ASSERT_EQ(run("plugins trust '" + (folder / "plugins/segfault.so").string() + "'"), 0) << readText(folder / "err");
  EXPECT_EQ(run(detect), 5);
  const std::string line = readText(folder / "err");
  EXPECT_NE(line.find("Segmentation fault"), std::string::npos) << line;
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1) << line;
}
