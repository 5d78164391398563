#include "core/nn/node_names.h"

#include <set>

namespace lynceus::nn {

void nameNodes(onnx::GraphProto& graph) {
  std::set<std::string> names;
  for (int i = 0; i < graph.node_size(); ++i) {
    onnx::NodeProto& node = *graph.mutable_node(i);
    const std::string position = "#" + std::to_string(i);
    if (node.name().empty()) node.set_name(operatorName(node) + position);
    while (!names.insert(node.name()).second) node.set_name(node.name() + position);
  }
}

std::string operatorName(const onnx::NodeProto& node) {
  const bool standard = node.domain().empty() || node.domain() == "ai.onnx";
  return standard ? node.op_type() : node.domain() + "." + node.op_type();
}

}  // namespace lynceus::nn
