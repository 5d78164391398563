// A neural network as a list of operations in execution order, as it comes from ONNX.
#pragma once

#include <map>
#include <string>
#include <variant>
#include <vector>

#include "core/nn/tensor.h"

namespace lynceus::nn {

using Attribute = std::variant<int64_t, float, std::string, std::vector<int64_t>, std::vector<float>, Tensor>;

/// One operation. Empty input names stand for optional inputs that are absent.
struct Node {
  std::string name;  ///< the exporter's, or "<op>#<position>" where it gave none
  std::string op;    ///< ONNX operator type, default domain
  std::vector<std::string> inputs, outputs;
  std::map<std::string, Attribute> attributes;
};

/// A graph input or output; -1 marks a dimension that is open until compile().
struct ValueInfo {
  std::string name;
  Shape shape;
};

struct Graph {
  int opset = 0;
  std::vector<ValueInfo> inputs, outputs;
  std::map<std::string, Tensor> constants;  ///< initialisers by name
  std::vector<Node> nodes;                  ///< in execution order
};

/// True if some of the network computes on 8-bit integers.
inline bool isQuantized(const Graph& graph) {
  for (const Node& node : graph.nodes)
    if (node.op == "DequantizeLinear" || node.op == "QLinearConv" || node.op == "ConvInteger" ||
        node.op == "QLinearMatMul" || node.op == "MatMulInteger")
      return true;
  return false;
}

}  // namespace lynceus::nn
