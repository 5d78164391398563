// Workers that are killed, stopped, starved or never start: each ends its job with one clear line, and nothing stays.
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <random>
#include <thread>

#include <gtest/gtest.h>

#include "app/study/detect_study.h"
#include "app/study/requests.h"
#include "core/job/shared_volume.h"
#include "core/version.h"
#include "io/results/findings_json.h"
#include "tests/support/processes.h"
#include "tests/support/program.h"
#include "tests/support/small_detector.h"

using namespace lynceus;
using namespace lynceus::test;
using namespace std::chrono_literals;
namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

namespace {

/// A chest phantom in DICOM, and a detector of many small tiles.
struct Case {
  TemporaryFolder folder;
  SmallDetector detector{firstStage(symmetricKernel())};
  model::Package package = detector.tiles(64, 16).mostFindings(5).package();
  Case() {
    const ProgramRun made = runLynceus("phantom -o '" + path().string() +
                                       "' --seed 11 --matrix 192 --spacing 1.9 --slice-mm 2.5 --nodules 4");
    EXPECT_EQ(made.exitCode, 0) << made.err;
  }
  fs::path path() const { return folder / "study"; }
};
const Case& shared() {
  static const Case one;
  return one;
}

study::Selection best() { return {study::Selection::What::best, "", shared().package.input, false}; }

struct Outcome {
  Expected<std::vector<study::ChosenSeries>> chosen;
  std::optional<study::StudyResult> found;
  std::string reason() const {
    return !chosen ? chosen.error().message : found ? found->result.reason : "nothing was found";
  }
};

Outcome detectWith(const std::shared_ptr<job::Engine>& engine, job::Context& context) {
  const auto detector = study::detectInWorkers(study::choiceOf(shared().package), {}, {}, engine);
  Outcome outcome{detector->open(shared().path(), best(), context), {}};
  if (outcome.chosen) outcome.found = detector->detect(outcome.chosen->front(), context);
  return outcome;
}

/// What must be the same in two runs.
nlohmann::json comparable(const detect::DetectionResult& result) {
  nlohmann::json j = results::toJson(result);
  j.erase("timingsMs");
  j["provenance"].erase("createdUtc");
  return j;
}

job::Work loadWork() { return {"parse", study::toJson(study::ScanRequest{shared().path(), best()}), {}, 0, ""}; }

class Worker : public testing::Test {
 protected:
  void SetUp() override {
    shared();
    m_files = openFiles();
  }
  void TearDown() override {
    EXPECT_TRUE(workers().empty()) << "a worker was left behind";
    EXPECT_EQ(openFiles(), m_files) << "files were left open";
  }
  size_t m_files = 0;
};

}  // namespace

TEST_F(Worker, KilledOnceAtFiftyMomentsChangesNothingInTheResult) {
  std::atomic<bool> retried = false;
  const auto engine = std::make_shared<job::Engine>(job::EngineOptions(), [&](const std::string&) { retried = true; });
  job::Context quiet;
  const auto start = Clock::now();
  const auto expected = detectWith(engine, quiet);
  ASSERT_TRUE(expected.found) << expected.reason();
  ASSERT_EQ(expected.found->result.status, detect::Status::succeeded) << expected.reason();
  const auto whole = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - start).count();

  std::mt19937 random(1);
  std::map<std::string, int> stages;
  int hits = 0;
  for (int run = 0; run < 50; ++run) {
    std::mutex mutex;
    std::string stage = "opening the study";
    job::Context context([&](double, std::string_view what) {
      const std::lock_guard lock(mutex);
      stage = what;
    });
    const auto delay = std::chrono::microseconds(random() % static_cast<uint64_t>(whole));
    retried = false;
    std::string killedIn = "no worker yet";
    std::vector<pid_t> killed;
    std::thread killer([&] {
      std::this_thread::sleep_for(delay);
      const std::vector<pid_t> alive = workers();
      const std::lock_guard lock(mutex);
      for (const pid_t pid : alive) kill(pid, SIGKILL);
      if (!alive.empty()) killedIn = stage;
      killed = alive;
    });
    const Outcome outcome = detectWith(engine, context);
    killer.join();
    ASSERT_TRUE(outcome.found) << outcome.reason();
    EXPECT_TRUE(comparable(outcome.found->result) == comparable(expected.found->result))
        << "killed in the stage " << killedIn << ": " << outcome.reason();
    // Else a worker that dies slowly would cost the next job its first attempt, and that one's kill the second.
    const auto isDead = [](pid_t pid) {
      const std::vector<pid_t> left = workers();
      return std::find(left.begin(), left.end(), pid) == left.end();
    };
    EXPECT_TRUE(within(5s, [&] { return std::all_of(killed.begin(), killed.end(), isDead); }));
    ++stages[killedIn];
    hits += retried ? 1 : 0;
  }
  std::string histogram;
  for (const auto& [stage, count] : stages) histogram += fmt::format("  {:>3} x {}\n", count, stage);
  fmt::print("killed after 0 to {} ms; of 50 kills {} hit a job that was then done by another worker:\n{}",
             whole / 1000, hits, histogram);
  EXPECT_GE(hits, 15);  // some hit idle workers
}

TEST_F(Worker, KilledTwiceEndsTheJobWithTheStage) {
  const auto engine = std::make_shared<job::Engine>(job::EngineOptions());
  std::atomic<bool> over = false;
  std::thread killer([&] {
    while (!over) {
      for (const pid_t pid : workers()) kill(pid, SIGSEGV);
      std::this_thread::sleep_for(1ms);
    }
  });
  const auto answer = engine->run(loadWork(), job::Context());
  over = true;
  killer.join();
  ASSERT_FALSE(answer);
  EXPECT_NE(answer.error().message.find("Segmentation fault"), std::string::npos) << answer.error().message;
  EXPECT_EQ(std::count(answer.error().message.begin(), answer.error().message.end(), '\n'), 0);
  EXPECT_TRUE(engine->run(loadWork(), job::Context())) << "the next job gets a fresh worker";
}

TEST_F(Worker, ThatHangsIsEndedAndNotTriedAgain) {
  job::EngineOptions options;
  options.silence = 300ms;
  const auto engine = std::make_shared<job::Engine>(options);
  ASSERT_TRUE(engine->run(loadWork(), job::Context()));
  const std::vector<pid_t> idle = workers();
  ASSERT_EQ(idle.size(), 1U);
  kill(idle[0], SIGSTOP);
  const auto answer = engine->run(loadWork(), job::Context());
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::internal);
  EXPECT_NE(answer.error().message.find("no sign of life"), std::string::npos) << answer.error().message;
  EXPECT_TRUE(engine->run(loadWork(), job::Context()));
}

TEST_F(Worker, CancelledAtAnyStageStopsSoon) {
  const auto engine = std::make_shared<job::Engine>(job::EngineOptions());
  job::Context warm;
  const auto start = Clock::now();
  ASSERT_TRUE(detectWith(engine, warm).found);
  const auto whole = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - start).count();
  std::mt19937 random(2);
  for (int run = 0; run < 12; ++run) {
    job::Context context;
    Clock::time_point asked;
    std::thread user([&, delay = std::chrono::microseconds(random() % static_cast<uint64_t>(whole))] {
      std::this_thread::sleep_for(delay);
      asked = Clock::now();
      context.cancel();
    });
    const Outcome outcome = detectWith(engine, context);
    const auto ended = Clock::now();
    user.join();
    EXPECT_LT(ended - asked, 5s) << "ten times the half second that is promised";
    if (outcome.found && outcome.found->error) {
      EXPECT_EQ(outcome.found->error->code, ErrorCode::cancelled);
    }
  }
}

TEST_F(Worker, CancelledWhileItHangsStopsSoon) {
  const auto engine = std::make_shared<job::Engine>(job::EngineOptions());
  ASSERT_TRUE(engine->run(loadWork(), job::Context()));
  kill(workers().at(0), SIGSTOP);
  const auto job = engine->submit(loadWork());
  std::this_thread::sleep_for(50ms);
  const auto asked = Clock::now();
  engine->cancel(job);
  const auto answer = engine->wait(job);
  EXPECT_LT(Clock::now() - asked, 5s);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::cancelled);
}

TEST_F(Worker, ThatTakesTooMuchMemoryIsEnded) {
  job::EngineOptions options;
  options.mostBytes = size_t{1} << 20;  // less than any program holds
  const auto answer = std::make_shared<job::Engine>(options)->run(loadWork(), job::Context());
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::resource);
  EXPECT_NE(answer.error().message.find("GiB of memory"), std::string::npos) << answer.error().message;
}

TEST_F(Worker, ThatIsMissingOrAnotherProgramIsNamed) {
  const TemporaryFolder folder;
  for (const fs::path& program : {folder / "missing", fs::path("/bin/true"), fs::path("/bin/cat")}) {
    job::EngineOptions options;
    options.program = program;
    const auto answer = std::make_shared<job::Engine>(options)->run(loadWork(), job::Context());
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, ErrorCode::resource);
    EXPECT_NE(answer.error().message.find(program.string()), std::string::npos) << answer.error().message;
    EXPECT_NE(answer.error().message.find("install Lynceus again"), std::string::npos) << answer.error().message;
  }
}

TEST_F(Worker, ThatSendsNonsenseIsEnded) {
  const TemporaryFolder folder;
  const fs::path program = folder / "worker";
  for (const char* line :
       {R"({"job": "x"})", R"({"job": 1, "type": 5})", R"({"job": 1, "type": "alive", "fraction": []})",
        R"({"job": 1, "type": "failed", "code": "x"})", "nonsense"}) {
    std::ofstream(program) << "#!/bin/sh\necho '{\"type\": \"hello\", \"protocol\": 1, \"version\": \"" << kVersion
                           << "\"}' >&3\necho '" << line << "' >&3\nexec sleep 100 3>&3\n";
    fs::permissions(program, fs::perms::owner_all);
    job::EngineOptions options;
    options.program = program;
    const auto answer = std::make_shared<job::Engine>(options)->run(loadWork(), job::Context());
    ASSERT_FALSE(answer) << line;
    EXPECT_NE(answer.error().message.find("message"), std::string::npos) << line << ": " << answer.error().message;
    EXPECT_TRUE(childrenOf(getpid(), "sleep").empty()) << line;
  }
}

TEST_F(Worker, OfSeveralEachTakesAJobAtOnce) {
  job::EngineOptions options;
  options.workersPerMode = 3;
  const auto engine = std::make_shared<job::Engine>(options);
  std::vector<job::Engine::JobId> jobs;
  for (int i = 0; i < 3; ++i) jobs.push_back(engine->submit(loadWork()));
  for (const auto id : jobs) EXPECT_TRUE(engine->wait(id));
  EXPECT_EQ(workers().size(), 3U);
}

TEST_F(Worker, TakesUrgentJobsFirst) {
  const auto engine = std::make_shared<job::Engine>(job::EngineOptions());
  std::mutex mutex;
  std::vector<std::string> order;
  const auto submit = [&](const std::string& name, int priority) {
    job::Work work = loadWork();
    work.priority = priority;
    return engine->submit(std::move(work), [&, name](const job::Progress& p) {
      const std::lock_guard lock(mutex);
      if (p.state == job::State::done) order.push_back(name);
    });
  };
  const auto blocker = submit("blocker", 0);  // occupies the one worker while the others come
  ASSERT_TRUE(within(5s, [&] { return engine->progress(blocker).state == job::State::running; }));
  const std::vector<job::Engine::JobId> jobs = {submit("low", 0), submit("high", 5), submit("later", 0)};
  EXPECT_TRUE(engine->wait(blocker));
  for (const auto id : jobs) EXPECT_TRUE(engine->wait(id));
  EXPECT_EQ(order, (std::vector<std::string>{"blocker", "high", "low", "later"}));
}

TEST_F(Worker, WithoutSharedMemorySaysSo) {
  // The limit on the size of files is one of shared memory too: 1000 KiB, less than the volume.
  const TemporaryFolder out;
  const std::string command = std::string("ulimit -f 1000; '") + LYNCEUS_BINARY_DIR + "/bin/lynceus' detect '" +
                              shared().path().string() + "' -o '" + (out / "o").string() + "' --model '" +
                              shared().package.folder.string() + "' --isolate >'" + (out / "out").string() + "' 2>'" +
                              (out / "err").string() + "'";
  const int status = std::system(command.c_str());
  const std::string err = readText(out / "err");
  EXPECT_EQ(WEXITSTATUS(status), 4) << err;
  EXPECT_NE(err.find("there is no memory for a volume of"), std::string::npos) << err;
  EXPECT_EQ(std::count(err.begin(), err.end(), '\n'), 1) << err;
}

TEST_F(Worker, EndsWithTheProgramThatStartedItHoweverThatEnds) {
  std::mt19937 random(3);
  for (int run = 0; run < 10; ++run) {
    const TemporaryFolder out;
    const std::string program = std::string(LYNCEUS_BINARY_DIR) + "/bin/lynceus";
    std::vector<std::string> words = {program,    "detect", shared().path().string(), "-o", (out / "o").string(),
                                      "--isolate"};
    std::vector<char*> arguments;
    for (std::string& w : words) arguments.push_back(w.data());
    arguments.push_back(nullptr);
    pid_t pid = -1;
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    ASSERT_EQ(posix_spawn(&pid, program.c_str(), &files, nullptr, arguments.data(), environ), 0);
    posix_spawn_file_actions_destroy(&files);
    std::vector<pid_t> its;
    EXPECT_TRUE(within(20s, [&] { return !(its = childrenOf(pid, "lynceus-worker")).empty(); }));
    std::this_thread::sleep_for(std::chrono::milliseconds(random() % 1000));
    for (const pid_t worker : childrenOf(pid, "lynceus-worker")) its.push_back(worker);
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
    EXPECT_TRUE(within(10s, [&] {
      return std::all_of(its.begin(), its.end(), [](pid_t worker) { return kill(worker, 0) != 0; });
    })) << "a worker outlived its program";
  }
}
