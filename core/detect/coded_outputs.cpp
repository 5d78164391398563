#include "core/detect/coded_outputs.h"

#include <algorithm>

#include "core/detect/second_stage.h"
#include "core/nn/passes/resolve.h"

namespace lynceus::detect {
namespace {

using image::Int3;

/// Shapes and types of the graph's outputs for an input of this shape.
Expected<nn::ResolvedGraph> resolveFor(const nn::Graph& graph, const nn::Shape& input, const std::string& file) {
  const std::map<std::string, nn::Shape> shapes{{graph.inputs[0].name, input}};
  auto resolved = nn::resolve(graph, shapes);
  if (resolved) return resolved;
  const auto problems = nn::findProblems(graph, shapes);
  std::string why = resolved.error().message;
  if (problems && !problems->empty()) {
    const nn::NodeProblem& first = problems->front();
    why =
        fmt::format("node \"{}\" ({}): {}; `lynceus models check` lists them all", first.node, first.op, first.reason);
  }
  return makeError(ErrorCode::resource, "{}: the network cannot run on an input of {}: {}", file, nn::shapeText(input),
                   why);
}

std::string namesOf(const std::vector<nn::ValueInfo>& values) {
  std::string text;
  for (const nn::ValueInfo& v : values) text += fmt::format("{}'{}'", text.empty() ? "" : ", ", v.name);
  return text.empty() ? "none" : text;
}

}  // namespace

std::vector<CodedOutput> codedOutputs(const model::Output& rules) {
  if (rules.coding == model::Coding::heatMap) {
    const Int3 stride{rules.strideVoxels, rules.strideVoxels, rules.strideVoxels};
    return {{rules.heat, 1, stride}, {rules.size, 1, stride}, {rules.offset, 3, stride, 3}};
  }
  std::vector<CodedOutput> outputs;
  for (const model::AnchorLevel& level : rules.levels) {
    const int anchors = static_cast<int>(level.sizesVoxels.size());
    outputs.push_back({level.scores, anchors, level.strideVoxels});
    outputs.push_back({level.boxes, 6 * anchors, level.strideVoxels, 6});
  }
  return outputs;
}

Expected<void> checkFirstStage(const nn::Graph& graph, const model::Package& package, const std::string& file) {
  const std::vector<CodedOutput> outputs = codedOutputs(package.output);
  for (const CodedOutput& wanted : outputs) {
    const bool there = std::any_of(graph.outputs.begin(), graph.outputs.end(),
                                   [&](const nn::ValueInfo& v) { return v.name == wanted.name; });
    if (!there) {
      return makeError(ErrorCode::resource,
                       "{}: the network has no output '{}', which model.toml names; it has: {}; use the network that "
                       "belongs to the package",
                       file, wanted.name, namesOf(graph.outputs));
    }
  }
  const int64_t tile = package.tiling.maxSizeVoxels;
  const auto resolved = resolveFor(graph, {1, 1, tile, tile, tile}, file);
  if (!resolved) return passError(resolved);
  for (const CodedOutput& output : outputs) {
    const Int3& stride = output.strideVoxels;
    const nn::Shape wanted{1, output.channels, tile / stride.z, tile / stride.y, tile / stride.x};
    const nn::ValueType& found = resolved->types.at(output.name);
    if (found.isFloat() && found.shape == wanted) continue;
    return makeError(ErrorCode::resource,
                     "{}: the output '{}' is {}{} for a tile of {} voxels, model.toml wants {} ({}, stride {} x {} x "
                     "{}); use the network that belongs to the package",
                     file, output.name, found.isFloat() ? "" : "whole numbers of ", nn::shapeText(found.shape), tile,
                     nn::shapeText(wanted),
                     output.channels == 1 ? "1 channel" : fmt::format("{} channels", output.channels), stride.x,
                     stride.y, stride.z);
  }
  return {};
}

Expected<void> checkSecondStage(const nn::Graph& graph, const model::SecondStage& rules, const std::string& file) {
  const int64_t side = rules.cropVoxels;
  const auto resolved = resolveFor(graph, {kBatch, 1, side, side, side}, file);
  if (!resolved) return passError(resolved);
  const nn::Shape wanted{kBatch, 2};
  if (graph.outputs.size() == 1) {
    const nn::ValueType& found = resolved->types.at(graph.outputs[0].name);
    if (found.isFloat() && found.shape == wanted) return {};
    return makeError(ErrorCode::resource,
                     "{}: the output '{}' is {} for {} crops of {} voxels, a second stage gives {}: not a lesion, a "
                     "lesion; use the network that belongs to the package",
                     file, graph.outputs[0].name, nn::shapeText(found.shape), kBatch, side, nn::shapeText(wanted));
  }
  return makeError(ErrorCode::resource,
                   "{}: the network has {} outputs, a second stage has one of N x 2: not a lesion, a lesion; use the "
                   "network that belongs to the package",
                   file, graph.outputs.size());
}

}  // namespace lynceus::detect
