#include "core/nn/cast_like.h"

#include <optional>

#include "core/nn/onnx.pb.h"

namespace lynceus::nn {
namespace {

constexpr int64_t kBool = onnx::TensorProto::BOOL;

bool castsToBool(const Node& node) {
  const auto to = node.attributes.find("to");
  const auto* type = to == node.attributes.end() ? nullptr : std::get_if<int64_t>(&to->second);
  return node.op == "Cast" && type && *type == kBool;
}

// Operators whose results are always booleans.
bool judges(const std::string& op) {
  static const std::set<std::string> ops = {
      "And", "Equal", "Greater", "GreaterOrEqual", "IsInf", "IsNaN", "Less", "Not", "LessOrEqual", "Or", "Xor"};
  return ops.count(op) != 0;
}

// Operators whose results have the type of an input: which, or none.
std::optional<size_t> typeGiver(const std::string& op) {
  static const std::set<std::string> bySecond = {"CastLike", "If", "Where"};
  static const std::set<std::string> byFirst = {
      "Compress", "Concat",       "DepthToSpace", "Expand",    "Flatten", "Gather",    "GatherElements",  "GatherND",
      "Identity", "Pad",          "ReduceMax",    "ReduceMin", "Reshape", "Resize",    "ScatterElements", "ScatterND",
      "Slice",    "SpaceToDepth", "Split",        "Squeeze",   "Tile",    "Transpose", "Trilu",           "Unsqueeze"};
  if (bySecond.count(op)) return 1;
  return byFirst.count(op) ? std::optional<size_t>(0) : std::nullopt;
}

}  // namespace

void settleCastLike(Graph& graph, std::set<std::string> booleans) {
  for (Node& node : graph.nodes) {
    const auto giver = typeGiver(node.op);
    const bool takesOver = giver && *giver < node.inputs.size() && booleans.count(node.inputs[*giver]) != 0;
    if (takesOver || judges(node.op) || castsToBool(node)) booleans.insert(node.outputs.begin(), node.outputs.end());
    if (takesOver && node.op == "CastLike") node = {node.name, "Cast", {node.inputs[0]}, node.outputs, {{"to", kBool}}};
  }
}

}  // namespace lynceus::nn
