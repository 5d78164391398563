// lynceus run: any ONNX network on .npy files.
#include <cctype>
#include <filesystem>
#include <map>
#include <set>

#include <CLI/CLI.hpp>

#include "app/cli/command.h"
#include "core/compute/device.h"
#include "core/nn/npy.h"
#include "core/nn/onnx_import.h"

namespace lynceus::cli {
namespace {

struct Options {
  std::string model, output, device = "auto", precision = "fp32";
  std::vector<std::string> inputs;
};

// Letters, digits, dot, dash and underscore stay; a leading dot does not, so that no name leaves the folder.
std::string safeFileName(const std::string& name) {
  std::string safe;
  for (const char c : name) {
    const bool keep =
        std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || (c == '.' && !safe.empty());
    safe += keep ? c : '_';
  }
  return (safe.empty() ? "output" : safe) + ".npy";
}

Expected<std::map<std::string, nn::Tensor>> readInputs(const std::vector<std::string>& arguments) {
  std::map<std::string, nn::Tensor> tensors;
  for (const std::string& argument : arguments) {
    const size_t equals = argument.find('=');
    if (equals == 0 || equals == std::string::npos)
      return makeError(ErrorCode::wrongUse, "--input {}: write it as NAME=FILE.npy", argument);
    auto tensor = nn::readNpy(argument.substr(equals + 1));
    if (!tensor) return passError(tensor);
    if (!tensor->isFloat()) {
      const auto& ints = tensor->ints();
      tensor->data = std::vector<float>(ints.begin(), ints.end());
    }
    tensors[argument.substr(0, equals)] = std::move(*tensor);
  }
  return tensors;
}

Expected<void> writeOutputs(const nn::Graph& graph, const std::vector<nn::Tensor>& tensors,
                            const std::filesystem::path& folder) {
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed) return makeError(ErrorCode::resource, "{}: the folder cannot be made", folder.string());
  std::set<std::string> used;
  for (size_t i = 0; i < tensors.size(); ++i) {
    std::string name = safeFileName(graph.outputs[i].name);
    if (!used.insert(name).second) used.insert(name = fmt::format("{}_{}", i, name));
    if (auto ok = nn::writeNpy(folder / name, tensors[i]); !ok) return ok;
    fmt::print("{}\t{}\n", (folder / name).string(), fmt::join(tensors[i].shape, "x"));
  }
  return {};
}

Expected<void> run(const Options& options) {
  const auto precision = parsePrecision(options.precision);
  if (!precision) return passError(precision);
  const auto graph = nn::importOnnx(options.model);
  if (!graph) return passError(graph);
  if (auto fits = checkPrecision(options.precision, *graph); !fits)
    return makeError(fits.error().code, "{}: {}", options.model, fits.error().message);
  auto given = readInputs(options.inputs);
  if (!given) return passError(given);
  std::map<std::string, nn::Shape> shapes;
  for (const auto& [name, tensor] : *given) shapes[name] = tensor.shape;
  auto device = compute::openDevice(options.device);
  if (!device) return passError(device);
  fmt::print(stderr, "lynceus: running {} on {}\n", options.model, (*device)->description());
  auto executable = (*device)->compile(*graph, shapes, {*precision});
  if (!executable) return makeError(executable.error().code, "{}: {}", options.model, executable.error().message);
  std::vector<nn::Tensor> inputs;
  for (const nn::ValueInfo& input : graph->inputs) inputs.push_back(std::move(given->at(input.name)));
  const auto outputs = (*executable)->run(inputs);
  if (!outputs) return passError(outputs);
  return writeOutputs(*graph, *outputs, options.output);
}

}  // namespace

void addRun(CLI::App& app, int& exitCode) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("run", "Run any ONNX network on .npy files");
  command->add_option("MODEL", options->model, "ONNX file")->required();
  command->add_option("--input", options->inputs, "NAME=FILE.npy, once for each input of the network");
  command->add_option("-o,--output", options->output, "Folder for one .npy file for each output")->required();
  command->add_option("--device", options->device, "auto, cpu or reference")->capture_default_str();
  command->add_option("--precision", options->precision, kPrecisionHelp)->capture_default_str();
  addThreadsOption(*command);
  command->callback([options, &exitCode] {
    if (const auto done = run(*options); !done) exitCode = reportError(done.error());
  });
}

}  // namespace lynceus::cli
