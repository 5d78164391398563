// Both backends against ONNX Runtime, an independent implementation, within the bound that each case states.
//
// It needs node ($LYNCEUS_NODE or on the path) and the npm package onnxruntime-node, found in $LYNCEUS_ORT_DIR or
// <build>/conformance/node_modules:
//   mkdir -p <build>/conformance && cp tests/conformance/onnx/package.json <build>/conformance/
//   npm install --ignore-scripts --no-audit --no-fund --prefix <build>/conformance
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>

#include <gtest/gtest.h>
#include <unistd.h>
#include <nlohmann/json.hpp>

#include "core/compute/device.h"
#include "core/nn/onnx_import.h"
#include "tests/conformance/onnx/cases.h"
#include "tests/support/onnx_runtime.h"

namespace lynceus::test {
namespace {

namespace fs = std::filesystem;

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
  const std::string command = "'" + nodeProgram() + "' " + LYNCEUS_SOURCE_DIR + "/tests/conformance/onnx/run.mjs '" +
                              onnxRuntimeModules().string() + "' '" + folder.string() + "'";
  EXPECT_EQ(std::system(command.c_str()), 0) << command;
  std::ifstream results(folder / "results.json");
  return results ? nlohmann::json::parse(results) : nlohmann::json::array();
}

void expectClose(const nn::Tensor& ours, const nn::Shape& shape, const std::vector<float>& theirs,
                 const ConformanceCase& test) {
  ASSERT_EQ(ours.shape, shape);
  ASSERT_EQ(ours.floats().size(), theirs.size());
  double largest = 0, difference = 0;
  for (size_t i = 0; i < theirs.size(); ++i) {
    largest = std::max(largest, std::fabs(static_cast<double>(theirs[i])));
    difference = std::max(difference, std::fabs(static_cast<double>(ours.floats()[i]) - theirs[i]));
    ASSERT_FALSE(std::isnan(ours.floats()[i])) << "at " << i;
  }
  EXPECT_LE(difference, test.bound * largest + test.step) << "largest absolute output " << largest;
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
                readFloats(folder / expected["outputs"][k]["file"].get<std::string>()), test);
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
    if (std::system(("'" + nodeProgram() + "' --version > /dev/null 2>&1").c_str()) != 0)
      GTEST_SKIP() << nodeProgram() << " does not run: install node";
    if (!fs::exists(onnxRuntimeModules() / "onnxruntime-node"))
      GTEST_SKIP() << "onnxruntime-node is not in " << onnxRuntimeModules() << ": see the head of this file";
  }
};

TEST_F(OnnxConformance, EveryOperatorAgreesWithOnnxRuntime) {
  const auto cases = operatorCases();
  compareAll(cases);
  std::cout << cases.size() << " cases; not compared:\n";
  for (const Exclusion& e : exclusions()) std::cout << "  " << e.what << ": " << e.reason << '\n';
}

TEST_F(OnnxConformance, QuantisedOperatorsAgreeWithOnnxRuntime) { compareAll(quantizedCases()); }

TEST_F(OnnxConformance, WholeNetworksAgreeWithOnnxRuntime) { compareAll(networkCases()); }

}  // namespace
}  // namespace lynceus::test
