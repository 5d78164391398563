// Fixes every shape of a graph for given input shapes, computes what does not depend on the input, and drops what no
// output needs. Every backend starts here.
#pragma once

#include <map>

#include "core/nn/op_call.h"

namespace lynceus::nn {

/// A float constant that the file keeps as int8: the integers times a scale, of the whole tensor or along an axis.
struct IntegerConstant {
  Tensor integers;
  std::vector<float> scales;
  int64_t axis;  ///< of the scales where there are several
};

/// A graph whose values all have known shapes and types; its nodes depend on the inputs.
struct ResolvedGraph {
  Graph graph;
  std::map<std::string, IntegerConstant> integers;  ///< by the name of the float constant; for fuseQuantized()
  std::map<std::string, ValueType> types;           ///< of inputs, constants and node outputs

  /// A node's call with the constants it uses; refers to this graph.
  OpCall call(const Node& node) const;
  /// One for each output of the node; those that nobody reads may be empty.
  std::vector<ValueType> outputTypes(const Node& node) const;
  /// A name like `stem` that no value has: files may use any name.
  std::string freshName(std::string stem) const;
};

/// @param inputShapes  one for each graph input, without open dimensions.
/// @return an error that lists every node that no backend of ours can run, or that contradicts the shapes.
Expected<ResolvedGraph> resolve(const Graph& graph, const std::map<std::string, Shape>& inputShapes);

/// Why one node cannot run.
struct NodeProblem {
  std::string node, op;
  std::string reason;  ///< a clause
  std::string advice;  ///< what to export instead; empty where the reason says it
};

/// Every node that resolve() would refuse, in execution order; none where it accepts the graph. A node behind a refused
/// one is not judged, because its inputs are unknown, unless its operator is missing too.
/// @return an error where the input shapes are not those of the graph.
Expected<std::vector<NodeProblem>> findProblems(const Graph& graph, const std::map<std::string, Shape>& inputShapes);

/// Removes nodes, constants and last outputs of nodes that no output of the graph needs.
void removeDeadCode(Graph& graph);

}  // namespace lynceus::nn
