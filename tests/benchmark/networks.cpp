// The device cpu against ONNX Runtime on the same files with as many threads, run by run in turns: single layers, and
// whole networks. Prints medians, how far the outputs are apart, and the memory that we plan for.
//   benchmark-networks [--filter TEXT] [--runs N] [--precision fp32|bf16|int8|int8+bf16] [--json FILE] [--list]
//
// The peer computes in FP32 whatever --precision says of our side. int8 quantises the network first, with the input of
// the measurement as the only sample: good for speed, not for accuracy; int8+bf16 stores in BF16 what stays floating.
//
// OMP_NUM_THREADS sets the threads of both. Both spin while they run and not in between, unless OMP_WAIT_POLICY=passive
// says that the machine is shared. The peer is the npm package onnxruntime-node, installed as the head of
// tests/conformance/onnx/conformance.cpp says. On another machine LYNCEUS_NODE names the program node, LYNCEUS_ORT_DIR
// the folder with node_modules, and --resources our resources. Models and tensors are written into $TMPDIR.
#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <iostream>
#include <thread>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "core/compute/device.h"
#include "core/nn/cost.h"
#include "core/nn/onnx_import.h"
#include "core/nn/passes/resolve.h"
#include "core/nn/quantize.h"
#include "tests/benchmark/networks/cases.h"
#include "tests/benchmark/networks/peer.h"
#include "tests/support/onnx_builder.h"
#include "tests/support/temporary_folder.h"

using namespace lynceus;
namespace fs = std::filesystem;
using benchmarks::Case;
using Clock = std::chrono::steady_clock;

namespace {

// FP32 outputs that are further apart are wrong: what is asked of whole networks.
constexpr double kRelativeBound = 1e-3;
constexpr double kMiB = 1048576;

struct Options {
  std::string filter, precision = "fp32", json, resources = LYNCEUS_SOURCE_DIR "/resources";
  int runs = 7, pauseMs = 50;
  bool list = false;
};

class Times {
 public:
  void add(double ms) { m_ms.push_back(ms); }
  double median() const {
    std::vector<double> sorted = m_ms;
    std::sort(sorted.begin(), sorted.end());
    const size_t n = sorted.size();
    return n == 0 ? 0 : (sorted[(n - 1) / 2] + sorted[n / 2]) / 2;
  }
  nlohmann::json json() const {
    if (m_ms.empty()) return nullptr;
    return {{"median", median()},
            {"min", *std::min_element(m_ms.begin(), m_ms.end())},
            {"max", *std::max_element(m_ms.begin(), m_ms.end())},
            {"runs", m_ms.size()}};
  }
  size_t count() const { return m_ms.size(); }
  double total() const {
    double sum = 0;
    for (const double ms : m_ms) sum += ms;
    return sum;
  }

 private:
  std::vector<double> m_ms;
};

struct Row {
  std::string name;
  double gflop = 0, importMs = 0, compileMs = 0, difference = 0;
  Times ours, theirs;
  compute::ExecutableReport report;
  std::string trouble;  ///< why something was not measured
};

double since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

/// Our side of a case: the network, compiled, and its inputs.
struct Ours {
  std::unique_ptr<compute::Executable> network;
  std::vector<nn::Tensor> inputs;
};

/// What the peer gave for the same inputs.
using Outputs = std::vector<nn::Tensor>;

/// Arithmetic of all operators in 1e9, a multiplication and an addition counted as two; 0 where the shapes are not
/// known.
double countGflop(const nn::Graph& graph, const std::map<std::string, nn::Shape>& shapes) {
  const auto resolved = nn::resolve(graph, shapes);
  if (!resolved) return 0;
  double flops = 0;
  for (const nn::Node& node : resolved->graph.nodes) {
    std::vector<nn::ValueType> outputs;
    for (const std::string& name : node.outputs) {
      const auto type = resolved->types.find(name);
      outputs.push_back(type == resolved->types.end() ? nn::ValueType{} : type->second);
    }
    flops += nn::costOf(resolved->call(node), outputs).flops;
  }
  return flops * 1e-9;
}

/// Writes an input for each of the graph's, the same values each time, for the peer; keeps them for us.
nlohmann::json makeInputs(const Case& which, const nn::Graph& graph, const fs::path& folder, Ours& ours) {
  nlohmann::json described = nlohmann::json::array();
  unsigned seed = 1;
  for (const auto& input : graph.inputs) {
    const nn::Shape& shape = which.inputs.at(input.name);
    ours.inputs.push_back(test::randomTensor(shape, seed++));
    const fs::path file = folder / (input.name + ".f32");
    const nn::Tensor& tensor = ours.inputs.back();
    std::ofstream(file, std::ios::binary)
        .write(static_cast<const char*>(tensor.bytes()), static_cast<std::streamsize>(tensor.size() * sizeof(float)));
    described.push_back({{"name", input.name}, {"shape", shape}, {"file", file.string()}});
  }
  return described;
}

Outputs readOutputs(const nlohmann::json& answer) {
  Outputs outputs;
  for (const auto& output : answer["outputs"]) {
    outputs.push_back(nn::Tensor::zeros(output["shape"].get<nn::Shape>()));
    std::ifstream(output["file"].get<std::string>(), std::ios::binary)
        .read(static_cast<char*>(outputs.back().bytes()),
              static_cast<std::streamsize>(outputs.back().size() * sizeof(float)));
  }
  return outputs;
}

/// The largest difference of an output over its largest value; infinite where shapes differ or a value is no number.
double differenceOf(const Outputs& ours, const Outputs& theirs) {
  if (ours.size() != theirs.size()) return INFINITY;
  double worst = 0;
  for (size_t k = 0; k < ours.size(); ++k) {
    if (ours[k].shape != theirs[k].shape) return INFINITY;
    double largest = 0, difference = 0;
    for (size_t i = 0; i < ours[k].size(); ++i) {
      const double a = ours[k].floats()[i], b = theirs[k].floats()[i];
      if (!std::isfinite(a - b)) return INFINITY;
      largest = std::max(largest, std::fabs(b));
      difference = std::max(difference, std::fabs(a - b));
    }
    worst = std::max(worst, largest > 0 ? difference / largest : difference);
  }
  return worst;
}

class Benchmark {
 public:
  Benchmark(const Options& options, compute::Device& device) : m_options(options), m_device(device) {}

  Row measure(const Case& which) {
    Row row;
    row.name = which.name;
    if (const auto done = measureInto(which, row); !done) row.trouble = done.error().message;
    if (const auto unloaded = m_peer.ask("unload"); !unloaded) row.trouble = unloaded.error().message;
    return row;
  }

  Expected<std::string> peerVersion() {
    const auto answer = m_peer.ask("version");
    if (!answer) return passError(answer);
    return (*answer)["version"].get<std::string>();
  }

 private:
  Expected<void> measureInto(const Case& which, Row& row) {
    const test::TemporaryFolder folder;
    const fs::path model = which.write ? folder / "model.onnx" : which.file;
    if (which.write) which.write(model);
    const auto start = Clock::now();
    auto graph = nn::importOnnx(model);
    if (!graph) return passError(graph);
    row.importMs = since(start);
    row.gflop = countGflop(*graph, which.inputs);
    Ours ours;
    const auto inputs = makeInputs(which, *graph, folder.path(), ours);
    const auto loaded = m_peer.ask(
        "load", {{"model", model.string()}, {"threads", omp_get_max_threads()}, {"spin", spins()}, {"inputs", inputs}});
    if (!loaded) return passError(loaded);
    auto compiled = compile(which, model, *graph, ours, row);
    if (auto done = takeTurns(ours, folder.path(), row); !done) return passError(done);
    return compiled;  // the peer's times stand beside what we cannot run
  }

  Expected<nn::Graph> quantize(const fs::path& model, const nn::Sample& sample) {
    std::vector<std::byte> bytes(fs::file_size(model));
    std::ifstream(model, std::ios::binary)
        .read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    const auto quantized = nn::quantizeModel(bytes, model.string(), {&sample, 1}, m_device);
    if (!quantized) return passError(quantized);
    const auto* first = reinterpret_cast<const std::byte*>(quantized->onnx.data());
    return nn::parseOnnx({first, quantized->onnx.size()}, model.string());
  }

  Expected<void> compile(const Case& which, const fs::path& model, nn::Graph& graph, Ours& ours, Row& row) {
    if (m_options.precision.starts_with("int8")) {
      auto quantized = quantize(model, ours.inputs);
      if (!quantized) return passError(quantized);
      graph = std::move(*quantized);
    }
    compute::CompileOptions options;
    if (m_options.precision.ends_with("bf16")) options.precision = compute::Precision::bf16;
    const auto start = Clock::now();
    auto compiled = m_device.compile(graph, which.inputs, options);
    if (!compiled) return passError(compiled);
    row.compileMs = since(start);
    ours.network = std::move(*compiled);
    row.report = ours.network->report();
    return {};
  }

  // One of each to warm up; short ones go on for a second, so that their medians are steady.
  Expected<void> takeTurns(const Ours& ours, const fs::path& folder, Row& row) {
    constexpr double kLongEnoughMs = 1000;
    constexpr int kMostRuns = 50;
    Row warmUp;
    if (auto done = runTheirs(warmUp); !done) return passError(done);
    const auto saved = m_peer.ask("save", {{"folder", folder.string()}});
    if (!saved) return passError(saved);
    m_expected = readOutputs(*saved);
    if (auto done = runOurs(ours, warmUp); !done) return passError(done);
    for (int i = 0; i < kMostRuns; ++i) {
      if (i >= m_options.runs && row.ours.total() + row.theirs.total() > kLongEnoughMs) break;
      for (const bool mine : {i % 2 == 0, i % 2 != 0})
        if (auto done = mine ? runOurs(ours, row) : runTheirs(row); !done) return passError(done);
    }
    return {};
  }

  Expected<void> runTheirs(Row& row) {
    pause();
    const auto answer = m_peer.ask("run");
    if (!answer) return passError(answer);
    row.theirs.add((*answer)["ms"].get<double>());
    return {};
  }

  Expected<void> runOurs(const Ours& ours, Row& row) {
    if (!ours.network) return {};
    pause();
    const auto start = Clock::now();
    const auto outputs = ours.network->run(ours.inputs);
    const double ms = since(start);
    if (!outputs) return passError(outputs);
    row.ours.add(ms);
    row.difference = std::max(row.difference, differenceOf(*outputs, m_expected));
    return {};
  }

  // Until the threads of the other side sleep.
  void pause() const { std::this_thread::sleep_for(std::chrono::milliseconds(m_options.pauseMs)); }

  static bool spins() {
    const char* policy = std::getenv("OMP_WAIT_POLICY");
    return !policy || CLI::detail::to_lower(policy) != "passive";
  }

  const Options& m_options;
  compute::Device& m_device;
  benchmarks::Peer m_peer;
  Outputs m_expected;
};

void print(const Row& row) {
  const auto number = [](bool there, const char* format, double value) {
    return there ? fmt::format(fmt::runtime(format), value) : std::string("-");
  };
  const bool ours = row.ours.count() > 0, theirs = row.theirs.count() > 0, both = ours && theirs;
  std::cout << fmt::format(
      "{:<40} {:>9} {:>10} {:>10} {:>8} {:>10} {:>9}\n", row.name, number(row.gflop > 0, "{:.2f}", row.gflop),
      number(theirs, "{:.2f}", row.theirs.median()), number(ours, "{:.2f}", row.ours.median()),
      number(both, "{:.2f}x", row.theirs.median() / row.ours.median()), number(both, "{:.1e}", row.difference),
      number(ours, "{:.1f}", static_cast<double>(row.report.arenaBytes) / kMiB));
  if (!row.trouble.empty()) std::cout << "  " << row.trouble << '\n';
  std::cout.flush();
}

nlohmann::json asJson(const Row& row) {
  nlohmann::json j{{"name", row.name},
                   {"gflop", row.gflop},
                   {"importMs", row.importMs},
                   {"compileMs", row.compileMs},
                   {"arenaBytes", row.report.arenaBytes},
                   {"arenaBoundBytes", row.report.boundBytes},
                   {"weightBytes", row.report.weightBytes},
                   {"oursMs", row.ours.json()},
                   {"onnxRuntimeMs", row.theirs.json()}};
  if (row.ours.count() > 0 && row.theirs.count() > 0) {
    j["ratio"] = row.theirs.median() / row.ours.median();
    j["relativeDifference"] = row.difference;
  }
  if (!row.trouble.empty()) j["trouble"] = row.trouble;
  return j;
}

Expected<bool> runAll(const Options& options, const std::vector<Case>& cases) {
  const auto device = compute::openDevice("cpu");
  if (!device) return passError(device);
  Benchmark benchmark(options, **device);
  const auto version = benchmark.peerVersion();
  if (!version) return passError(version);
  std::cout << fmt::format(
                   "{} against ONNX Runtime {} with {} threads, {}; medians in ms\n\n{:<40} {:>9} {:>10} {:>10}"
                   " {:>8} {:>10} {:>9}\n",
                   (*device)->description(), *version, omp_get_max_threads(), options.precision, "", "GFLOP",
                   "ONNX Rt.", "ours", "ratio", "difference", "arena MiB")
            << std::flush;
  nlohmann::json report{{"device", (*device)->description()},
                        {"onnxRuntime", *version},
                        {"threads", omp_get_max_threads()},
                        {"precision", options.precision},
                        {"cases", nlohmann::json::array()}};
  bool right = true;
  for (const Case& which : cases) {
    const Row row = benchmark.measure(which);
    print(row);
    report["cases"].push_back(asJson(row));
    right = right && row.trouble.empty() && (options.precision != "fp32" || row.difference <= kRelativeBound);
    if (!options.json.empty()) std::ofstream(options.json) << report.dump(1) << '\n';
  }
  return right;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("The device cpu against ONNX Runtime, run by run in turns");
  app.add_option("--filter", options.filter, "only cases whose name has this text");
  app.add_option("--runs", options.runs, "runs of each case at least; short ones run for a second")
      ->check(CLI::Range(1, 50))
      ->capture_default_str();
  app.add_option("--pause", options.pauseMs, "milliseconds before each run")->capture_default_str();
  app.add_option("--precision", options.precision, "of our side")
      ->check(CLI::IsMember({"fp32", "bf16", "int8", "int8+bf16"}))
      ->capture_default_str();
  app.add_option("--json", options.json, "also write everything into this file");
  app.add_option("--resources", options.resources, "folder that holds models/lung-nodule")->capture_default_str();
  app.add_flag("--list", options.list, "print the names of the cases");
  CLI11_PARSE(app, argc, argv);
  std::vector<Case> cases = benchmarks::allCases(options.resources);
  std::erase_if(cases, [&](const Case& which) { return which.name.find(options.filter) == std::string::npos; });
  if (options.list) {
    for (const Case& which : cases) std::cout << which.name << '\n';
    return 0;
  }
  const auto right = runAll(options, cases);
  if (!right) std::cerr << "benchmark-networks: " << right.error().message << '\n';
  return right && *right ? 0 : 1;
}
