#include "core/nn/passes/fuse.h"

#include <algorithm>

#include "core/nn/activation.h"
#include "core/nn/channel_affine.h"
#include "core/nn/passes/fold_transpose.h"

namespace lynceus::nn {
namespace {

bool isConstant(const Graph& graph, const std::string& name) { return graph.constants.count(name) != 0; }

bool isOutput(const Graph& graph, const std::string& name) {
  return std::any_of(graph.outputs.begin(), graph.outputs.end(), [&](const ValueInfo& o) { return o.name == name; });
}

// The one node that reads this node's result, if nothing else does; graph.nodes.size() otherwise.
size_t onlyReader(const Graph& graph, const Node& node) {
  const size_t none = graph.nodes.size();
  const std::string& result = node.outputs[0];
  if (isOutput(graph, result)) return none;
  size_t reader = none;
  for (size_t i = 0; i < graph.nodes.size(); ++i)
    for (const std::string& name : graph.nodes[i].inputs) {
      if (name != result) continue;
      if (reader != none) return none;
      reader = i;
    }
  return reader;
}

// The node at `from` takes over the result of the node at `to`, and its place in the order of execution.
void absorb(Graph& graph, size_t from, size_t to) {
  Node merged = std::move(graph.nodes[from]);
  merged.outputs = {graph.nodes[to].outputs[0]};
  graph.nodes[to] = std::move(merged);
  graph.nodes.erase(graph.nodes.begin() + static_cast<std::ptrdiff_t>(from));
}

std::optional<ChannelAffine> batchNormOf(const ResolvedGraph& resolved, const Node& node) {
  std::array<std::vector<float>, 4> p;  // scale, bias, mean, variance
  const OpCall call = resolved.call(node);
  for (size_t i = 0; i < 4; ++i) {
    const auto values = call.constantFloats(i + 1);
    if (!values) return std::nullopt;
    p[i] = *values;
  }
  return batchNormAffine(p, call.real("epsilon", 1e-5F));
}

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

bool takeResidual(ResolvedGraph& resolved, size_t at, size_t reader) {
  Graph& graph = resolved.graph;
  const Node& add = graph.nodes[reader];
  Node& conv = graph.nodes[at];
  if (add.op != "Add" || conv.inputs.size() > kResidualInput || conv.attributes.count(kFusedActivation)) return false;
  if (isConstant(graph, conv.inputs[0])) return false;  // of a network too large to fold: the reference's loops run it
  const std::string& other = add.inputs[add.inputs[0] == conv.outputs[0] ? 1 : 0];
  if (resolved.types.at(other).shape != resolved.types.at(conv.outputs[0]).shape) return false;
  conv.inputs.resize(kResidualInput);
  conv.inputs.push_back(other);
  absorb(graph, at, reader);
  return true;
}

bool takeActivation(ResolvedGraph& resolved, size_t at, size_t reader) {
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
  absorb(graph, at, reader);
  return true;
}

bool takeBias(ResolvedGraph& resolved, size_t at, size_t reader) {
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
  absorb(graph, at, reader);
  return true;
}

}  // namespace

void removeIdentities(ResolvedGraph& resolved) {
  Graph& graph = resolved.graph;
  std::map<std::string, std::string> renamed;
  std::vector<Node> kept;
  for (Node& node : graph.nodes) {
    for (std::string& name : node.inputs)
      if (const auto it = renamed.find(name); it != renamed.end()) name = it->second;
    const bool nothing = node.op == "Identity" || node.op == "Dropout" ||
                         (node.op == "Cast" && resolved.types.at(node.outputs[0]).isFloat() &&
                          resolved.types.at(node.inputs[0]).isFloat());
    if (nothing && !isOutput(graph, node.outputs[0]))
      renamed[node.outputs[0]] = node.inputs[0];
    else
      kept.push_back(std::move(node));
  }
  graph.nodes = std::move(kept);
}

void foldBatchNorm(ResolvedGraph& resolved) {
  Graph& graph = resolved.graph;
  for (size_t at = 0; at < graph.nodes.size();) {
    const Node& conv = graph.nodes[at];
    const bool folds = (conv.op == "Conv" || conv.op == "ConvTranspose") && hasConstantWeights(graph, conv);
    const size_t reader = folds ? onlyReader(graph, conv) : graph.nodes.size();
    std::optional<ChannelAffine> affine;
    if (reader < graph.nodes.size() && graph.nodes[reader].op == "BatchNormalization" &&
        graph.nodes[reader].inputs[0] == conv.outputs[0])
      affine = batchNormOf(resolved, graph.nodes[reader]);
    if (affine) {
      scaleConvolution(resolved, graph.nodes[at], *affine);
      absorb(graph, at, reader);
    } else {
      ++at;
    }
  }
}

void fuseActivations(ResolvedGraph& resolved) {
  static constexpr const char* kTakers[] = {"Conv", "ConvTranspose", kGroupNorm, "BatchNormalization", "Add"};
  Graph& graph = resolved.graph;
  for (size_t at = 0; at < graph.nodes.size();) {
    const std::string& op = graph.nodes[at].op;
    const bool takes = std::find(std::begin(kTakers), std::end(kTakers), op) != std::end(kTakers);
    const size_t reader = takes ? onlyReader(graph, graph.nodes[at]) : graph.nodes.size();
    const bool moved = reader < graph.nodes.size() &&
                       ((op == "Conv" && takeResidual(resolved, at, reader)) || takeActivation(resolved, at, reader));
    if (!moved) ++at;
  }
}

void fuseMatMuls(ResolvedGraph& resolved) {
  Graph& graph = resolved.graph;
  for (size_t at = 0; at < graph.nodes.size();) {
    const bool takes = graph.nodes[at].op == "MatMul" || graph.nodes[at].op == "Gemm";
    const size_t reader = takes ? onlyReader(graph, graph.nodes[at]) : graph.nodes.size();
    const bool moved =
        reader < graph.nodes.size() && (takeBias(resolved, at, reader) || takeActivation(resolved, at, reader));
    if (!moved) ++at;
  }
}

}  // namespace lynceus::nn
