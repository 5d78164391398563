// lynceus models check: the real program on the shipped network and on networks that cannot run.
#include <algorithm>
#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "tests/support/onnx_builder.h"
#include "tests/support/program.h"

namespace lynceus::test {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

const std::string kShipped = "'" LYNCEUS_SOURCE_DIR "/resources/models/lung-nodule/nodule_detector.onnx'";

size_t longestLine(const std::string& text) {
  std::istringstream lines(text);
  size_t longest = 0;
  for (std::string line; std::getline(lines, line);) longest = std::max(longest, line.size());
  return longest;
}

class ModelsCheck : public testing::Test {
 protected:
  std::string write(const OnnxBuilder& model) const {
    const auto bytes = model.bytes();
    std::ofstream(m_folder / "m.onnx", std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    return "'" + (m_folder / "m.onnx").string() + "'";
  }

  TemporaryFolder m_folder;
};

TEST_F(ModelsCheck, SaysWhereEachNodeOfTheShippedNetworkRuns) {
  const ProgramRun run = runLynceus("models check " + kShipped + " --input image=1x1x32x32x32");
  EXPECT_EQ(run.exitCode, 0) << run.err;
  EXPECT_THAT(run.out, AllOf(HasSubstr("oneDNN"), HasSubstr("GFLOP"), HasSubstr("weights"), HasSubstr("arena"),
                             HasSubstr("/heat/Conv")));
  EXPECT_LE(longestLine(run.out.substr(run.out.find("node"))), 120U);
}

TEST_F(ModelsCheck, TellsProgramsEverything) {
  for (const char* device : {"cpu", "reference"}) {
    const ProgramRun run =
        runLynceus("models check " + kShipped + " --json --input image=1x1x32x32x32 --device " + device);
    ASSERT_EQ(run.exitCode, 0) << run.err;
    const json j = json::parse(run.out);
    EXPECT_THAT(j["problems"], testing::IsEmpty());
    double flops = 0, share = 0;
    for (const json& node : j["nodes"]) {
      EXPECT_FALSE(node["kernel"].get<std::string>().empty());
      flops += node["flops"].get<double>();
      share += node["share"].get<double>();
    }
    EXPECT_DOUBLE_EQ(flops, j["totals"]["flops"].get<double>());
    EXPECT_NEAR(share, 1, 1e-9);
    EXPECT_GT(j["totals"]["weightBytes"].get<double>(), 1e6);
    EXPECT_GE(j["totals"]["arenaToBound"].get<double>(), 1);
    EXPECT_LE(j["totals"]["arenaToBound"].get<double>(), 1.10);
  }
}

TEST_F(ModelsCheck, GivesTheCommandToTypeWhereDimensionsAreOpen) {
  const ProgramRun run = runLynceus("models check " + kShipped);
  EXPECT_EQ(run.exitCode, 2);
  EXPECT_THAT(run.err, HasSubstr("input \"image\" is ?x1x?x?x?"));
  const size_t command = run.err.find("models check '");
  ASSERT_NE(command, std::string::npos) << run.err;
  EXPECT_EQ(runLynceus(run.err.substr(command, run.err.size() - command - 1)).exitCode, 0) << run.err;
}

TEST_F(ModelsCheck, ListsEveryNodeThatCannotRun) {
  OnnxBuilder b;
  const std::string x = b.input("x", {1, 3, 4, 4, 4});
  b.output(b.node("Unheard", {x}), 5);
  b.output(b.node("Loop", {x}), 5);
  b.output(b.node("Conv", {x, b.weights({8, 4, 3, 3, 3}, 1)}), 5);
  const std::string file = write(b);
  const ProgramRun run = runLynceus("models check " + file);
  EXPECT_EQ(run.exitCode, 3);
  EXPECT_THAT(run.out, AllOf(HasSubstr("3 of 3 nodes cannot run"), HasSubstr("Unheard_0 (Unheard)"),
                             HasSubstr("Loop_1 (Loop)"), HasSubstr("instead: export by tracing"),
                             HasSubstr("Conv_3 (Conv)"), HasSubstr("3 input channels")));
  const ProgramRun listed = runLynceus("models check --json " + file);
  EXPECT_EQ(listed.exitCode, 3);
  const json problems = json::parse(listed.out)["problems"];
  ASSERT_EQ(problems.size(), 3U);
  EXPECT_EQ(problems[2]["op"], "Conv");
  EXPECT_THAT(problems[1]["advice"].get<std::string>(), HasSubstr("tracing"));
}

TEST_F(ModelsCheck, HidesWhatATerminalShouldNotSee) {
  OnnxBuilder b;
  const std::string y = b.node("Relu", {b.input("x", {1, 1, 4})});
  b.graph().mutable_node(0)->set_name("\x1b[2Jgone");
  b.output(y, 3);
  const ProgramRun run = runLynceus("models check " + write(b));
  EXPECT_EQ(run.exitCode, 0) << run.err;
  EXPECT_THAT(run.out, AllOf(HasSubstr("?[2Jgone"), Not(HasSubstr("\x1b"))));
}

TEST_F(ModelsCheck, RefusesWhatIsNoShapeOrNoPrecision) {
  for (const char* input :
       {"image", "image=", "image=1xax3", "image=1x-1x2", "=1x2", "image=1x2x", "image=99999999999999999999"}) {
    const ProgramRun run = runLynceus("models check " + kShipped + " --input " + input);
    EXPECT_EQ(run.exitCode, 2) << input;
    EXPECT_THAT(run.err, HasSubstr("NAME=SHAPE")) << input;
  }
  const std::string check = "models check " + kShipped + " --input image=1x1x32x32x32 --precision ";
  EXPECT_THAT(runLynceus(check + "fp16").err, HasSubstr("use bf16"));
  EXPECT_THAT(runLynceus(check + "int8").err, HasSubstr("lynceus quantize"));
  EXPECT_EQ(runLynceus(check + "fp12").exitCode, 2);
  EXPECT_EQ(runLynceus("models check " + kShipped + " --threads 0").exitCode, 2);
}

TEST_F(ModelsCheck, RunsOnAsManyThreadsAsAsked) {
  const std::string check = "models check " + kShipped + " --input image=1x1x32x32x32 --threads ";
  EXPECT_THAT(runLynceus(check + "1").out, HasSubstr("1 threads"));
  EXPECT_THAT(runLynceus(check + "3").out, HasSubstr("3 threads"));
}

}  // namespace
}  // namespace lynceus::test
