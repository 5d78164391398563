// lynceus quantize: the real program makes an 8-bit network, says what that costs, and the result runs.
#include <cmath>
#include <fstream>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "core/nn/npy.h"
#include "tests/support/networks.h"
#include "tests/support/program.h"

namespace lynceus::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;

class Quantize : public testing::Test {
 protected:
  void SetUp() override {
    const auto bytes = residualUNet(8, {1, 1, 16, 16, 16}).bytes();
    std::ofstream(m_folder / "m.onnx", std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    for (unsigned i = 0; i < 4; ++i)
      ASSERT_TRUE(nn::writeNpy(m_folder / (std::to_string(i) + ".npy"), randomTensor({1, 1, 16, 16, 16}, i, 0, 1)));
  }
  ProgramRun quantize(const std::string& options) const {
    return runLynceus("quantize '" + path("m.onnx") + "' -o '" + path("q.onnx") + "' --calibrate " + options);
  }
  std::string samples() const {
    std::string all;
    for (int i = 0; i < 4; ++i) all += " '" + path(std::to_string(i) + ".npy") + "'";
    return all;
  }
  std::string path(const std::string& name) const { return (m_folder / name).string(); }
  nn::Tensor heatOf(const std::string& model) const {
    const ProgramRun run =
        runLynceus("run '" + path(model) + "' --input image='" + path("1.npy") + "' -o '" + path(model + ".out") + "'");
    EXPECT_EQ(run.exitCode, 0) << run.err;
    auto heat = nn::readNpy(m_folder / (model + ".out") / "heat.npy");
    return heat ? std::move(*heat) : nn::Tensor{};
  }

  TemporaryFolder m_folder;
};

TEST_F(Quantize, MakesASmallerNetworkThatRunsAndReportsWhatItCosts) {
  const ProgramRun run = quantize(samples() + " --report '" + path("r.json") + "'");
  ASSERT_EQ(run.exitCode, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("2 samples calibrated, 2 compared"));
  EXPECT_LT(std::filesystem::file_size(m_folder / "q.onnx"), std::filesystem::file_size(m_folder / "m.onnx") / 2);
  std::ifstream file(m_folder / "r.json");
  const json report = json::parse(file);
  EXPECT_EQ(report["floatConvolutions"], 0);
  ASSERT_EQ(report["outputs"].size(), 2U);
  for (const json& output : report["outputs"]) EXPECT_GT(output["correlation"].get<double>(), 0.9) << output["name"];
  for (const json& value : report["values"]) EXPECT_GT(value["snrDb"].get<double>(), 10) << value["name"];
}

TEST_F(Quantize, GivesWhatTheReportSaysWhenTheNetworkIsRun) {
  ASSERT_EQ(quantize(samples() + " --report '" + path("r.json") + "'").exitCode, 0);
  const nn::Tensor exact = heatOf("m.onnx"), quantised = heatOf("q.onnx");
  ASSERT_EQ(exact.shape, quantised.shape);
  std::ifstream file(m_folder / "r.json");
  const json outputs = json::parse(file)["outputs"];
  const double largest = outputs[0]["name"] == "heat" ? outputs[0]["largestError"] : outputs[1]["largestError"];
  double squares = 0, difference = 0;
  for (size_t i = 0; i < exact.size(); ++i) {
    squares += std::pow(exact.floats()[i], 2);
    difference = std::max(difference, std::fabs(1.0 * exact.floats()[i] - quantised.floats()[i]));
  }
  // 1.npy is one of the two samples compared; the report's unit is the RMS over both, which differ a little.
  EXPECT_LE(difference, 1.2 * largest * std::sqrt(squares / static_cast<double>(exact.size())));
}

TEST_F(Quantize, TakesASampleForEachInputOfTheNetwork) {
  const auto bytes = dsbRes18(2, {1, 1, 16, 16, 16}).bytes();
  std::ofstream(m_folder / "m.onnx", std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  ASSERT_TRUE(nn::writeNpy(m_folder / "coord.npy", randomTensor({1, 3, 4, 4, 4}, 9)));
  std::string pairs;
  for (const char* image : {"0.npy", "1.npy"}) pairs += " 'image=" + path(image) + ",coord=" + path("coord.npy") + "'";
  const ProgramRun run = quantize(pairs);
  EXPECT_EQ(run.exitCode, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("1 samples calibrated, 1 compared"));
  const ProgramRun one = quantize("'image=" + path("0.npy") + "' '" + path("1.npy") + "'");
  EXPECT_EQ(one.exitCode, 2);
  EXPECT_THAT(one.err, HasSubstr("\"coord\" is missing"));
}

TEST_F(Quantize, SaysWhatIsMissing) {
  const ProgramRun one = quantize("'" + path("0.npy") + "'");
  EXPECT_EQ(one.exitCode, 2);
  EXPECT_THAT(one.err, HasSubstr("at least two samples"));
  const ProgramRun study = quantize("'" + path("m.onnx") + "'");
  EXPECT_EQ(study.exitCode, 2);
  EXPECT_THAT(study.err, HasSubstr("--model-package"));
  const ProgramRun none = quantize("'" + path("none.npy") + "' '" + path("0.npy") + "'");
  EXPECT_NE(none.exitCode, 0);
  EXPECT_THAT(none.err, HasSubstr("none.npy"));
  EXPECT_FALSE(std::filesystem::exists(m_folder / "q.onnx"));
}

}  // namespace
}  // namespace lynceus::test
