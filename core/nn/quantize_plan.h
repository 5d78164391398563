// Which values and weights of an ONNX file become 8-bit integers.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/nn/onnx.pb.h"

namespace lynceus::nn {

/// Values that share one scale, because an operator passes their integers on as they are.
struct ValueGroup {
  std::vector<std::string> values;  ///< in the order of computation
  bool neverNegative = true;        ///< all of them: uint8 does
};

struct QuantizePlan {
  std::vector<ValueGroup> groups;
  std::set<int> convolutions;       ///< nodes whose weights become integers
  std::set<std::string> keepFloat;  ///< nodes that read values as they are
};

/// Values that convolutions with constant weights read are quantised; so are those on the way to them through Add (a
/// residual: the convolution that it ends needs no rounding before the sum), MaxPool, nearest Resize and Concat.
/// @param graph  names are checked, nodes have one each (node_names.h), constants are initialisers, batch normalisation
/// is folded.
/// @param nonNegativeInputs  graph inputs that are never negative.
QuantizePlan planQuantization(const onnx::GraphProto& graph, const std::set<std::string>& keepFloat,
                              const std::set<std::string>& nonNegativeInputs);

const onnx::AttributeProto* findAttribute(const onnx::NodeProto& node, const std::string& name);

inline bool isConvolution(const onnx::NodeProto& node) {
  return node.op_type() == "Conv" || node.op_type() == "ConvTranspose";
}

/// Who makes and who reads each value. Refers to the graph.
struct GraphIndex {
  explicit GraphIndex(const onnx::GraphProto& graph);
  /// The one node that reads the value, if there is exactly one and it is no output of the graph; else -1.
  int onlyReader(const std::string& value) const;

  std::map<std::string, int> producer;              ///< value -> node
  std::map<std::string, std::vector<int>> readers;  ///< value -> nodes, once for each use
  std::map<std::string, int> initializers;
  std::set<std::string> outputs;
};

}  // namespace lynceus::nn
