// Both backends against ONNX Runtime, an independent implementation, at 1e-5 of the largest absolute output.
//
// It needs node and the npm package onnxruntime-node, found in $LYNCEUS_ORT_DIR or <build>/conformance/node_modules:
//   mkdir -p <build>/conformance && cp tests/conformance/onnx/package.json <build>/conformance/
//   npm install --ignore-scripts --no-audit --no-fund --prefix <build>/conformance
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <unistd.h>
#include <nlohmann/json.hpp>

#include "core/compute/device.h"
#include "core/nn/onnx_import.h"
#include "tests/conformance/onnx/cases.h"

namespace lynceus::test {
namespace {

namespace fs = std::filesystem;

constexpr double kRelativeBound = 1e-5;

fs::path modulesFolder() {
  if (const char* given = std::getenv("LYNCEUS_ORT_DIR")) {
    const fs::path folder = given;
    return fs::exists(folder / "node_modules") ? folder / "node_modules" : folder;
  }
  return fs::path(LYNCEUS_BINARY_DIR) / "conformance" / "node_modules";
}

class Folder {
 public:
  Folder() : m_path(fs::temp_directory_path() / ("lynceus-onnx-" + std::to_string(getpid()))) {
    fs::create_directories(m_path);
  }
  ~Folder() { fs::remove_all(m_path); }
  const fs::path& path() const { return m_path; }

 private:
  fs::path m_path;
};

template <class T>
void writeAll(const fs::path& file, const std::vector<T>& values) {
  std::ofstream(file, std::ios::binary)
      .write(reinterpret_cast<const char*>(values.data()), static_cast<std::streamsize>(values.size() * sizeof(T)));
}

std::vector<float> readFloats(const fs::path& file) {
  std::vector<float> values(fs::file_size(file) / sizeof(float));
  std::ifstream(file, std::ios::binary)
      .read(reinterpret_cast<char*>(values.data()), static_cast<std::streamsize>(values.size() * sizeof(float)));
  return values;
}

// All cases through one node process; one JSON object for each.
nlohmann::json runOnnxRuntime(const std::vector<ConformanceCase>& cases, const fs::path& folder) {
  nlohmann::json batch = nlohmann::json::array();
  for (size_t i = 0; i < cases.size(); ++i) {
    const std::string stem = std::to_string(i);
    writeAll(folder / (stem + ".onnx"), cases[i].model.bytes());
    nlohmann::json entry{
        {"model", stem + ".onnx"}, {"inputs", nlohmann::json::array()}, {"outputs", nlohmann::json::array()}};
    for (const auto& input : cases[i].inputs) {
      const std::string file = stem + "." + input.name + ".f32";
      writeAll(folder / file, input.tensor.floats());
      entry["inputs"].push_back({{"name", input.name}, {"shape", input.tensor.shape}, {"file", file}});
    }
    auto model = cases[i].model;
    for (const auto& output : model.graph().output()) entry["outputs"].push_back(output.name());
    batch.push_back(entry);
  }
  std::ofstream(folder / "cases.json") << batch;
  const std::string command = "node " + std::string(LYNCEUS_SOURCE_DIR) + "/tests/conformance/onnx/run.mjs '" +
                              modulesFolder().string() + "' '" + folder.string() + "'";
  EXPECT_EQ(std::system(command.c_str()), 0) << command;
  std::ifstream results(folder / "results.json");
  return results ? nlohmann::json::parse(results) : nlohmann::json::array();
}

void expectClose(const nn::Tensor& ours, const nn::Shape& shape, const std::vector<float>& theirs, double bound) {
  ASSERT_EQ(ours.shape, shape);
  ASSERT_EQ(ours.floats().size(), theirs.size());
  double largest = 0, difference = 0;
  for (size_t i = 0; i < theirs.size(); ++i) {
    largest = std::max(largest, std::fabs(static_cast<double>(theirs[i])));
    difference = std::max(difference, std::fabs(static_cast<double>(ours.floats()[i]) - theirs[i]));
    ASSERT_FALSE(std::isnan(ours.floats()[i])) << "at " << i;
  }
  EXPECT_LE(difference, bound + kRelativeBound * largest) << "largest absolute output " << largest;
}

void compareOnDevice(const ConformanceCase& test, const char* deviceName, const nlohmann::json& expected,
                     const fs::path& folder) {
  SCOPED_TRACE(deviceName);
  const auto graph = nn::parseOnnx(test.model.bytes(), test.name);
  ASSERT_TRUE(graph) << graph.error().message;
  std::map<std::string, nn::Shape> shapes;
  std::vector<nn::Tensor> inputs;
  for (const auto& input : test.inputs) {
    shapes[input.name] = input.tensor.shape;
    inputs.push_back(input.tensor);
  }
  auto executable = (*compute::openDevice(deviceName))->compile(*graph, shapes);
  ASSERT_TRUE(executable) << executable.error().message;
  const auto outputs = (*executable)->run(inputs);
  ASSERT_TRUE(outputs) << outputs.error().message;
  ASSERT_EQ(outputs->size(), expected["outputs"].size());
  for (size_t k = 0; k < outputs->size(); ++k)
    expectClose((*outputs)[k], expected["outputs"][k]["shape"].get<nn::Shape>(),
                readFloats(folder / expected["outputs"][k]["file"].get<std::string>()), test.bound);
}

void compareAll(const std::vector<ConformanceCase>& cases) {
  const Folder folder;
  const nlohmann::json results = runOnnxRuntime(cases, folder.path());
  ASSERT_EQ(results.size(), cases.size());
  for (size_t i = 0; i < cases.size(); ++i) {
    SCOPED_TRACE("case " + std::to_string(i) + ": " + cases[i].name);
    if (results[i].contains("error")) {
      ADD_FAILURE() << "ONNX Runtime refuses the case: " << results[i]["error"].get<std::string>();
      continue;
    }
    for (const char* device : {"reference", "cpu"}) compareOnDevice(cases[i], device, results[i], folder.path());
  }
}

class OnnxConformance : public testing::Test {
 protected:
  void SetUp() override {
    if (std::system("node --version > /dev/null 2>&1") != 0) GTEST_SKIP() << "node is not installed";
    if (!fs::exists(modulesFolder() / "onnxruntime-node"))
      GTEST_SKIP() << "onnxruntime-node is not in " << modulesFolder() << ": see the head of this file";
  }
};

TEST_F(OnnxConformance, EveryOperatorAgreesWithOnnxRuntime) { compareAll(operatorCases()); }

TEST_F(OnnxConformance, WholeNetworksAgreeWithOnnxRuntime) { compareAll(networkCases()); }

TEST_F(OnnxConformance, QuantisedOperatorsAgreeWithOnnxRuntime) { compareAll(quantizedCases()); }

}  // namespace
}  // namespace lynceus::test
