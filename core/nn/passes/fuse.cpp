#include "core/nn/passes/fuse.h"

#include <algorithm>
#include <utility>

#include "core/nn/activation.h"
#include "core/nn/channel_affine.h"
#include "core/nn/passes/fold_transpose.h"
#include "core/nn/passes/uses.h"

namespace lynceus::nn {
namespace {

bool isConstant(const Graph& graph, const std::string& name) { return graph.constants.count(name) != 0; }

// A node that is gone leaves its place without an operator, so that positions last as long as a pass.
void removeEmpty(Graph& graph) {
  std::vector<Node>& nodes = graph.nodes;
  nodes.erase(std::remove_if(nodes.begin(), nodes.end(), [](const Node& n) { return n.op.empty(); }), nodes.end());
}

/// A graph in which nodes move into others.
class Fusion {
 public:
  explicit Fusion(ResolvedGraph& resolved) : m_resolved(resolved), m_uses(resolved.graph) {}
  ~Fusion() { removeEmpty(m_resolved.graph); }
  Fusion(const Fusion&) = delete;
  Fusion& operator=(const Fusion&) = delete;

  ResolvedGraph& resolved() { return m_resolved; }
  std::vector<Node>& nodes() { return m_resolved.graph.nodes; }
  /// Position of the one node that reads this node's result, if nothing else does.
  std::optional<size_t> onlyReader(const Node& node) const { return m_uses.onlyReader(node.outputs[0]); }

  /// The node at `from` takes over the result of the node at `to`, and its place in the order of execution.
  void absorb(size_t from, size_t to) {
    Node merged = std::exchange(nodes()[from], {});
    merged.outputs = {nodes()[to].outputs[0]};
    nodes()[to] = std::move(merged);
    m_uses.movedTo(to);
  }

 private:
  ResolvedGraph& m_resolved;
  Uses m_uses;
};

// New constants, because others may use the old ones.
void scaleConvolution(ResolvedGraph& resolved, Node& conv, const ChannelAffine& affine) {
  Tensor weights = resolved.graph.constants.at(conv.inputs[1]);
  const bool hadBias = conv.inputs.size() > 2 && !conv.inputs[2].empty();
  Tensor bias = hadBias ? resolved.graph.constants.at(conv.inputs[2])
                        : Tensor::zeros({static_cast<int64_t>(affine.scale.size())});
  multiplyInto(affine, conv.op == "ConvTranspose", weights, bias);
  conv.inputs.resize(3);
  conv.inputs[1] = resolved.freshName(conv.outputs[0] + "/folded_weights");
  conv.inputs[2] = resolved.freshName(conv.outputs[0] + "/folded_bias");
  resolved.types[conv.inputs[1]] = {weights.shape};
  resolved.types[conv.inputs[2]] = {bias.shape};
  resolved.graph.constants[conv.inputs[1]] = std::move(weights);
  resolved.graph.constants[conv.inputs[2]] = std::move(bias);
}

bool hasConstantWeights(const Graph& graph, const Node& conv) {
  return isConstant(graph, conv.inputs[1]) &&
         (conv.inputs.size() < 3 || conv.inputs[2].empty() || isConstant(graph, conv.inputs[2]));
}

bool takeResidual(Fusion& fusion, size_t at, size_t reader) {
  ResolvedGraph& resolved = fusion.resolved();
  Graph& graph = resolved.graph;
  const Node& add = graph.nodes[reader];
  Node& conv = graph.nodes[at];
  if (add.op != "Add" || conv.inputs.size() > kResidualInput || conv.attributes.count(kFusedActivation)) return false;
  if (isConstant(graph, conv.inputs[0])) return false;  // of a network too large to fold: the reference's loops run it
  const std::string& other = add.inputs[add.inputs[0] == conv.outputs[0] ? 1 : 0];
  if (resolved.types.at(other).shape != resolved.types.at(conv.outputs[0]).shape) return false;
  conv.inputs.resize(kResidualInput);
  conv.inputs.push_back(other);
  fusion.absorb(at, reader);
  return true;
}

bool takeActivation(Fusion& fusion, size_t at, size_t reader) {
  ResolvedGraph& resolved = fusion.resolved();
  Graph& graph = resolved.graph;
  const Node& next = graph.nodes[reader];
  Node& conv = graph.nodes[at];
  static constexpr const char* kFusable[] = {"Relu", "LeakyRelu", "Sigmoid", "Clip"};
  const bool isProduct = conv.op == "MatMul" || conv.op == "Gemm";
  const bool fits = std::find(std::begin(kFusable), std::end(kFusable), next.op) != std::end(kFusable) ||
                    (isProduct && next.op == "Gelu" && next.attributes.empty());
  if (!fits || conv.attributes.count(kFusedActivation) || !resolved.types.at(conv.outputs[0]).isFloat()) return false;
  const auto a = activation(resolved.call(next));
  if (!a) return false;
  conv.attributes[kFusedActivation] = next.op;
  conv.attributes[kFusedAlpha] = a->alpha;
  conv.attributes[kFusedBeta] = a->beta;
  fusion.absorb(at, reader);
  return true;
}

bool takeBias(Fusion& fusion, size_t at, size_t reader) {
  ResolvedGraph& resolved = fusion.resolved();
  Graph& graph = resolved.graph;
  const Node& add = graph.nodes[reader];
  Node& product = graph.nodes[at];
  if (add.op != "Add" || add.attributes.count(kFusedActivation) || product.inputs.size() > 2 ||
      !isPlainMatMul(resolved, product))
    return false;
  const std::string& other = add.inputs[add.inputs[0] == product.outputs[0] ? 1 : 0];
  const ValueType &bias = resolved.types.at(other), &result = resolved.types.at(product.outputs[0]);
  const bool perColumn = isConstant(graph, other) && !bias.shape.empty() && !result.shape.empty() &&
                         bias.shape.back() == result.shape.back() && elementCount(bias.shape) == bias.shape.back() &&
                         bias.shape.size() <= result.shape.size();
  if (!perColumn || bias.type != Type::f32) return false;
  product.inputs.push_back(other);
  fusion.absorb(at, reader);
  return true;
}

}  // namespace

void removeIdentities(ResolvedGraph& resolved) {
  Graph& graph = resolved.graph;
  const Uses uses(graph);
  std::map<std::string, std::string> renamed;
  for (Node& node : graph.nodes) {
    for (std::string& name : node.inputs)
      if (const auto it = renamed.find(name); it != renamed.end()) name = it->second;
    const bool nothing = node.op == "Identity" || node.op == "Dropout" ||
                         (node.op == "Cast" && resolved.types.at(node.outputs[0]).isFloat() &&
                          resolved.types.at(node.inputs[0]).isFloat());
    if (!nothing || uses.isOutput(node.outputs[0])) continue;
    renamed[node.outputs[0]] = node.inputs[0];
    node = {};
  }
  removeEmpty(graph);
}

void foldBatchNorm(ResolvedGraph& resolved) {
  Fusion fusion(resolved);
  std::vector<Node>& nodes = resolved.graph.nodes;
  for (size_t at = 0; at < nodes.size(); ++at) {
    const Node& conv = nodes[at];
    const bool folds = (conv.op == "Conv" || conv.op == "ConvTranspose") && hasConstantWeights(resolved.graph, conv);
    const auto reader = folds ? fusion.onlyReader(conv) : std::nullopt;
    if (!reader || nodes[*reader].op != "BatchNormalization" || nodes[*reader].inputs[0] != conv.outputs[0]) continue;
    const auto affine = batchNormAffine(resolved.call(nodes[*reader]));
    if (!affine) continue;
    scaleConvolution(resolved, nodes[at], *affine);
    fusion.absorb(at, *reader);
  }
}

void fuseActivations(ResolvedGraph& resolved) {
  static constexpr const char* kTakers[] = {"Conv", "ConvTranspose", kGroupNorm, "BatchNormalization", "Add"};
  Fusion fusion(resolved);
  for (size_t at = 0; at < fusion.nodes().size(); ++at) {
    const Node& node = fusion.nodes()[at];
    const bool takes = std::find(std::begin(kTakers), std::end(kTakers), node.op) != std::end(kTakers);
    const auto reader = takes ? fusion.onlyReader(node) : std::nullopt;
    if (reader && (node.op != "Conv" || !takeResidual(fusion, at, *reader))) takeActivation(fusion, at, *reader);
  }
}

void fuseMatMuls(ResolvedGraph& resolved) {
  Fusion fusion(resolved);
  for (size_t at = 0; at < fusion.nodes().size(); ++at) {
    const Node& node = fusion.nodes()[at];
    const auto reader = node.op == "MatMul" || node.op == "Gemm" ? fusion.onlyReader(node) : std::nullopt;
    if (reader && !takeBias(fusion, at, *reader)) takeActivation(fusion, at, *reader);
  }
}

}  // namespace lynceus::nn
