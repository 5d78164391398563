// lynceus quantize: a float32 network becomes one on 8-bit integers, with a report of what that costs in accuracy.
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "app/cli/command.h"
#include "app/study/series_choice.h"
#include "core/atomic_file.h"
#include "core/detect/agreement.h"
#include "core/detect/pipeline.h"
#include "core/detect/second_stage.h"
#include "core/detect/tile_input.h"
#include "core/image/resample.h"
#include "core/nn/npy.h"
#include "core/nn/onnx_import.h"
#include "core/nn/quantize.h"
#include "core/sha256.h"

namespace lynceus::cli {
namespace {

namespace fs = std::filesystem;

constexpr int kLargestTile = 96;  // voxels: every value of the network is kept for calibration

struct Options {
  std::string model, output, package, report, device = "auto";
  std::vector<std::string> calibrate, keepFloat;
  int tiles = 32;
};

Expected<nn::Tensor> readTensor(const fs::path& path) {
  auto tensor = nn::readNpy(path);
  if (tensor && !tensor->isFloat()) {
    const auto& ints = tensor->ints();
    tensor->data = std::vector<float>(ints.begin(), ints.end());
  }
  return tensor;
}

// FILE.npy for a network of one input, else NAME=FILE.npy,NAME=FILE.npy.
Expected<nn::Sample> readSample(const std::string& argument, const nn::Graph& graph) {
  std::map<std::string, std::string> files;
  std::istringstream parts(argument);
  for (std::string part; std::getline(parts, part, ',');) {
    const size_t equals = part.find('=');
    if (equals == std::string::npos && graph.inputs.empty())
      return makeError(ErrorCode::wrongUse, "{}: the network has no input to calibrate with", part);
    if (equals == std::string::npos)
      files[graph.inputs.front().name] = part;
    else
      files[part.substr(0, equals)] = part.substr(equals + 1);
  }
  nn::Sample sample;
  for (const nn::ValueInfo& input : graph.inputs) {
    const auto file = files.find(input.name);
    if (file == files.end())
      return makeError(
          ErrorCode::wrongUse,
          "--calibrate {}: the network's input \"{}\" is missing: write a sample as {}=FILE.npy,NAME=FILE.npy",
          argument, input.name, input.name);
    auto tensor = readTensor(file->second);
    if (!tensor) return passError(tensor);
    sample.push_back(std::move(*tensor));
  }
  return sample;
}

Expected<image::Volume> loadVolume(const std::string& path, const model::Package& package, job::Context& context) {
  const auto source = io::openSource(path, context);
  if (!source) return passError(source);
  const auto chosen = study::chooseSeries(*source, {study::Selection::What::best, "", package.input, false});
  if (!chosen) return passError(chosen);
  const auto loaded = io::loadSeries(*source, chosen->front().index, context);
  if (!loaded) return passError(loaded);
  return loaded->volume;
}

// Tiles of one study as detection cuts them, evenly spread over the lungs.
Expected<std::vector<nn::Tensor>> tilesOf(const image::Volume& volume, const model::Package& package, size_t count) {
  const auto lungs = detect::findLungRegion(volume);
  const auto grid = detect::networkGrid(volume, lungs ? &*lungs : nullptr, package.preprocessing);
  const image::Image<float> hu = image::resampleLinear(volume, grid);
  const model::Tiling& t = package.tiling;
  const detect::TilePlan plan =
      detect::planTiles(grid.size, std::min(kLargestTile, t.maxSizeVoxels), t.overlapVoxels, t.multipleOf);
  std::vector<nn::Tensor> tiles;
  for (size_t i = 0; i < std::min(count, plan.tiles.size()); ++i) {
    const size_t at = i * plan.tiles.size() / std::min(count, plan.tiles.size());
    tiles.push_back(detect::tileInput(hu, plan, plan.tiles[at], package.preprocessing));
  }
  return tiles;
}

// Crops around what the first stage proposes, from the most to the least likely lesion, as the second stage sees them.
Expected<std::vector<nn::Tensor>> cropsOf(const image::Volume& volume, detect::Pipeline& detector, size_t count,
                                          const job::Context& context) {
  detect::Options everything;
  everything.threshold = 0;
  const auto result = detector.run(volume, {}, everything, context);
  if (!result) return passError(result);
  if (result->status != detect::Status::succeeded) return makeError(ErrorCode::badInput, "{}", result->reason);
  const model::SecondStage& rules = *detector.package().secondStage;
  const size_t found = result->findings.size(), side = static_cast<size_t>(rules.cropVoxels);
  std::vector<nn::Tensor> crops;
  for (size_t i = 0; i < std::min(count, found); ++i) {
    const auto n = static_cast<int64_t>(side);
    nn::Tensor crop = nn::Tensor::zeros({1, 1, n, n, n});
    const detect::Finding& f = result->findings[i * found / std::min(count, found)];
    auto cut = detect::cropInput(volume, f.centerMm, rules, detector.package().preprocessing, crop.floats().data());
    if (!cut) return passError(cut);
    crops.push_back(std::move(crop));
  }
  return crops;
}

/// Every other sample calibrates, the rest measures.
struct Samples {
  std::vector<nn::Sample> calibration, comparison;
};

/// @param detector  set where the network is a package's second stage.
Expected<Samples> gatherSamples(const Options& options, const nn::Graph& graph,
                                const std::optional<model::Package>& package, detect::Pipeline* detector,
                                job::Context& context) {
  std::vector<nn::Sample> all;
  const size_t perPath = (static_cast<size_t>(options.tiles) + options.calibrate.size() - 1) / options.calibrate.size();
  for (const std::string& path : options.calibrate) {
    if (fs::path(path).extension() == ".npy") {
      auto sample = readSample(path, graph);
      if (!sample) return passError(sample);
      all.push_back(std::move(*sample));
      continue;
    }
    if (!package)
      return makeError(ErrorCode::wrongUse,
                       "{}: to cut tiles from a study, name the network's package with --model-package", path);
    const auto volume = loadVolume(path, *package, context);
    if (!volume) return passError(volume);
    auto inputs = detector ? cropsOf(*volume, *detector, perPath, context) : tilesOf(*volume, *package, perPath);
    if (!inputs) return makeError(inputs.error().code, "{}: {}", path, inputs.error().message);
    for (nn::Tensor& input : *inputs) all.push_back({std::move(input)});
  }
  if (all.size() < 2)
    return makeError(ErrorCode::wrongUse, "{}: at least two samples are needed, one to calibrate and one to compare",
                     options.calibrate.front());
  Samples samples;
  for (size_t i = 0; i < all.size(); ++i)
    (i % 2 == 0 ? samples.calibration : samples.comparison).push_back(std::move(all[i]));
  return samples;
}

nlohmann::json toJson(const nn::QuantizedModel& model, const nn::QuantizationErrors& errors,
                      const std::optional<detect::Agreement>& agreement) {
  nlohmann::json report{{"schemaVersion", 1},
                        {"convolutions", model.convolutions},
                        {"floatConvolutions", model.floatConvolutions},
                        {"outputs", nlohmann::json::array()},
                        {"values", nlohmann::json::array()}};
  for (const nn::OutputError& e : errors.outputs)
    report["outputs"].push_back(
        {{"name", e.name}, {"largestError", e.largest}, {"rmsError", e.rms}, {"correlation", e.correlation}});
  std::map<std::string, double> snrDb;
  for (const nn::ValueError& e : errors.values) snrDb[e.name] = e.snrDb;
  for (const nn::QuantizedValue& v : model.values)
    for (const std::string& name : v.names)
      report["values"].push_back({{"name", name},
                                  {"type", v.type == nn::Type::u8 ? "uint8" : "int8"},
                                  {"largest", v.largest},
                                  {"threshold", v.threshold},
                                  {"scale", v.scale()},
                                  {"snrDb", snrDb[name]}});
  if (agreement)
    report["findings"] = {
        {"float32", agreement->expected},      {"int8", agreement->actual},
        {"matched", agreement->matched},       {"largestScoreDifference", agreement->largestScoreDifference},
        {"lostScores", agreement->lostScores}, {"newScores", agreement->newScores}};
  return report;
}

void print(const nn::QuantizedModel& model, const nn::QuantizationErrors& errors,
           const std::optional<detect::Agreement>& agreement) {
  fmt::print("{} of {} convolutions compute on integers\n\n", model.convolutions,
             model.convolutions + model.floatConvolutions);
  fmt::print("{:<48} {:>5} {:>10} {:>10} {:>8}\n", "value", "type", "largest", "clipped at", "SNR dB");
  auto error = errors.values.begin();
  for (const nn::QuantizedValue& v : model.values)
    for (const std::string& name : v.names)
      fmt::print("{:<48} {:>5} {:>10.4g} {:>10.4g} {:>8.1f}\n", name, v.type == nn::Type::u8 ? "uint8" : "int8",
                 v.largest, v.threshold, (error++)->snrDb);
  fmt::print("\n{:<48} {:>14} {:>10} {:>11}\n", "output (errors in units of its RMS)", "largest error", "RMS error",
             "correlation");
  for (const nn::OutputError& e : errors.outputs)
    fmt::print("{:<48} {:>14.4f} {:>10.4f} {:>11.6f}\n", e.name, e.largest, e.rms, e.correlation);
  if (agreement)
    fmt::print(
        "\nfindings at the operating point: {} in float32, {} in int8, {} the same; scores differ by up to {:.3f}\n",
        agreement->expected, agreement->actual, agreement->matched, agreement->largestScoreDifference);
}

Expected<std::string> readAll(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(in), {}};
  if (!in) return makeError(ErrorCode::resource, "{}: the model cannot be read: check the path", path.string());
  return bytes;
}

Expected<void> quantize(const Options& options) {
  const auto onnx = readAll(options.model);
  if (!onnx) return passError(onnx);
  std::optional<model::Package> package;
  if (!options.package.empty()) {
    auto found = model::findPackage(options.package);
    if (!found) return passError(found);
    package = std::move(*found);
  }
  auto device = compute::openDevice(options.device);
  if (!device) return passError(device);
  const auto* bytes = reinterpret_cast<const std::byte*>(onnx->data());
  const auto graph = nn::parseOnnx({bytes, onnx->size()}, options.model);
  if (!graph) return passError(graph);
  // Which of a package's networks this is decides what it is shown and whether it finds lesions by itself.
  std::optional<detect::Pipeline> detector;
  if (package && package->secondStage && sha256(*onnx) == package->sha256.at(package->secondStage->network)) {
    auto whole = detect::Pipeline::create(*package, *compute::openDevice(options.device));
    if (!whole) return passError(whole);
    detector = std::move(*whole);
  }
  TerminalContext context("lynceus quantize");
  const auto samples = gatherSamples(options, *graph, package, detector ? &*detector : nullptr, context);
  if (!samples) return passError(samples);
  const auto model = nn::quantizeModel({bytes, onnx->size()}, options.model, samples->calibration, **device,
                                       {{options.keepFloat.begin(), options.keepFloat.end()}});
  if (!model) return passError(model);
  if (auto ok = writeFileAtomically(options.output, model->onnx); !ok) return ok;
  std::optional<detect::Agreement> agreement;
  nn::OutputsSeen seen;
  if (package && !detector) {
    agreement.emplace();
    seen = [&](const auto& float32, const auto& int8) { return detect::addTile(float32, int8, *package, *agreement); };
  }
  const auto errors = nn::compareQuantized(*model, samples->comparison, **device, seen);
  if (!errors) return passError(errors);
  context.clear();
  print(*model, *errors, agreement);
  fmt::print("\n{} samples calibrated, {} compared; written to {} ({} bytes, float32 {})\n",
             samples->calibration.size(), samples->comparison.size(), options.output, model->onnx.size(), onnx->size());
  if (options.report.empty()) return {};
  return writeFileAtomically(options.report, toJson(*model, *errors, agreement).dump(2) + "\n");
}

}  // namespace

void addQuantize(CLI::App& app, int& exitCode) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("quantize", "Make an 8-bit integer network of a float32 one");
  command->add_option("MODEL", options->model, "ONNX file")->required();
  command->add_option("-o,--output", options->output, "ONNX file to write")->required();
  command
      ->add_option("--calibrate", options->calibrate,
                   "typical inputs: .npy files (NAME=A.npy,NAME=B.npy for several inputs), or CT studies with "
                   "--model-package; every other one is for the report")
      ->required();
  command->add_option(
      "--model-package", options->package,
      "id or folder: how it cuts tiles, or crops for its second stage, from studies, and whether the same "
      "lesions are found");
  command->add_option("--tiles", options->tiles, "tiles of all studies together")
      ->check(CLI::Range(2, 100000))
      ->capture_default_str();
  command->add_option("--keep-float", options->keepFloat,
                      "nodes that stay float32, by the names that `lynceus models check` prints");
  command->add_option("--report", options->report, "JSON file of all figures");
  command->add_option("--device", options->device, "auto, cpu or reference")->capture_default_str();
  addThreadsOption(*command);
  command->callback([options, &exitCode] {
    if (const auto done = quantize(*options); !done) exitCode = reportError(done.error());
  });
}

}  // namespace lynceus::cli
