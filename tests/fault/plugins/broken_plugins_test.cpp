// Plugins that are broken, but not so that they take the process down: each ends with one clear line. Those that do are
// for the worker's tests.
#include <chrono>
#include <thread>

#include <gmock/gmock.h>

#include "plugins/host/detector.h"
#include "tests/fault/loader/peak_memory.h"

namespace lynceus::fault {
namespace {

using detect::DetectionResult;
using detect::Status;
using plugins::Library;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string fileOf(const std::string& name) { return LYNCEUS_BINARY_DIR "/test-plugins/" + name + ".so"; }

std::string openingFails(const std::string& name) {
  const auto library = Library::open(fileOf(name));
  return library ? "it was opened" : library.error().message;
}

class BrokenPlugin : public testing::Test {
 protected:
  Expected<DetectionResult> run(const std::string& name) {
    auto library = Library::open(fileOf(name));
    if (!library) return passError(library);
    image::Geometry g;
    g.size = {30, 30, 30};
    const auto volume = image::Volume::create(g, std::vector<int16_t>(27000, -900));
    detect::Options options;
    options.region = detect::Region::whole;
    auto result = runDetector(*library, "org.example.broken", *volume, {}, options, m_resources, m_context);
    m_damage = library->damage();
    return result;
  }

  std::vector<std::string> m_lines;
  plugins::Resources m_resources{*compute::openDevice("cpu"),
                                 [this](lynceus_log_level, std::string_view line) { m_lines.emplace_back(line); },
                                 {}};
  job::Context m_context;
  std::string m_damage;
};

TEST_F(BrokenPlugin, ThatLiesAboutTheSizeOfAStructIsNotLoaded) {
  EXPECT_THAT(openingFails("small_struct"),
              AllOf(HasSubstr("small_struct.so"), HasSubstr("says that it has 16 bytes")));
  EXPECT_THAT(openingFails("huge_struct"), HasSubstr("says that it has 18446744073709551615 bytes"));
  EXPECT_THAT(openingFails("small_description"), HasSubstr("model 0: a model's description says that it has 40 bytes"));
}

TEST_F(BrokenPlugin, OfAnotherMajorVersionIsNotLoadedAndBothVersionsAreNamed) {
  EXPECT_THAT(openingFails("wrong_major"), AllOf(HasSubstr("version 2.0"), HasSubstr("this Lynceus has 1.0")));
}

TEST_F(BrokenPlugin, WithoutEntryOrFunctionsIsNotLoaded) {
  EXPECT_THAT(openingFails("no_entry"), HasSubstr("exports no function lynceus_plugin_entry"));
  EXPECT_THAT(openingFails("null_function"), HasSubstr("function create is a null pointer"));
}

TEST_F(BrokenPlugin, WithAnIdThatIsNoIdIsNotLoaded) {
  EXPECT_THAT(openingFails("wild_id"), HasSubstr("id of the model's"));
}

TEST_F(BrokenPlugin, WithoutDetectFails) {
  const auto result = run("null_detect");
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->status, Status::failed);
  EXPECT_THAT(result->reason, AllOf(HasSubstr("null_detect.so"), HasSubstr("null pointer")));
}

TEST_F(BrokenPlugin, ThatReportsAScoreThatIsNoNumberFails) {
  const auto result = run("nan_score");
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->status, Status::failed);
  EXPECT_THAT(result->reason, AllOf(HasSubstr("org.example.broken 1.0.0"), HasSubstr("a score is nan")));
  EXPECT_THAT(result->findings, IsEmpty());
  EXPECT_THAT(m_lines, ElementsAre(HasSubstr("a finding was refused")));
}

TEST_F(BrokenPlugin, ThatReportsTenMillionFindingsFailsWithOneLine) {
  const PeakMemory memory;
  const auto result = run("many_findings");
  if (memoryIsMeasured()) {
    EXPECT_LT(memory.mib(), 64);
  }  // a thousand findings are less than a MiB
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->status, Status::failed);
  EXPECT_THAT(result->reason, HasSubstr("more than 1000 findings"));
  EXPECT_THAT(m_lines, ElementsAre(HasSubstr("more than 1000 findings")));
}

TEST_F(BrokenPlugin, ThatReportsHalfAFindingFails) {
  EXPECT_THAT(run("small_finding")->reason, HasSubstr("a finding says that it has"));
}

TEST_F(BrokenPlugin, ThatTakesAllMemoryGetsNoMoreThanItsShareAndLeavesNone) {
  m_resources.limits.memoryBytes = size_t{256} << 20;
  const PeakMemory memory;
  const auto result = run("leak_host");
  if (memoryIsMeasured()) {
    EXPECT_LT(memory.mib(), 256 + 64);
  }
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::resource);
  EXPECT_THAT(result.error().message, HasSubstr("it wanted all memory and did not get it"));
  const PeakMemory after;
  if (memoryIsMeasured()) {
    EXPECT_LT(after.mib(), 64);
  }
}

TEST_F(BrokenPlugin, ThatThrowsAcrossTheBorderFailsAndItsProcessMustEnd) {
  const auto result = run("throws");
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->status, Status::failed);
  EXPECT_THAT(result->reason, AllOf(HasSubstr("throws.so"), HasSubstr("detect threw an exception"),
                                    HasSubstr("the model file is empty")));
  EXPECT_THAT(m_damage, HasSubstr("threw"));
}

TEST_F(BrokenPlugin, ThatLeavesThreadsBehindIsFoundOutAndTheyCanDoNoHarm) {
  const auto result = run("threads");
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->status, Status::succeeded);
  EXPECT_THAT(m_damage, HasSubstr("left 2 threads running"));
  EXPECT_THAT(result->remarks, ElementsAre(HasSubstr("left 2 threads running")));
  const size_t lines = m_lines.size();
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_EQ(m_lines.size(), lines);  // they still call the host, which no longer listens
}

}  // namespace
}  // namespace lynceus::fault
