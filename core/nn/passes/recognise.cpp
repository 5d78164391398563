#include "core/nn/passes/recognise.h"

#include <algorithm>
#include <cmath>

#include "core/nn/passes/fuse.h"
#include "core/nn/passes/uses.h"

namespace lynceus::nn {
namespace {

std::string addConstant(ResolvedGraph& resolved, const std::string& stem, std::vector<float> values) {
  std::string name = resolved.freshName(stem);
  const Shape shape{static_cast<int64_t>(values.size())};
  resolved.types[name] = {shape};
  resolved.graph.constants[name] = {shape, std::move(values)};
  return name;
}

// One value for each channel, from one for each group.
std::vector<float> forChannels(const std::vector<float>& values, int64_t channels) {
  const auto perGroup = static_cast<size_t>(channels) / values.size();
  std::vector<float> all;
  for (const float v : values) all.insert(all.end(), perGroup, v);
  return all;
}

const std::vector<float>* floatConstant(const Uses& uses, const std::string& name) {
  const Tensor* t = uses.constant(name);
  return t && t->isFloat() ? &t->floats() : nullptr;
}

/// Becomes the node's new form once everything about it is known.
struct GroupNorm {
  std::string input;
  int64_t groups = 0;
  float epsilon = 0;
  std::vector<float> scale, bias;
};

void become(ResolvedGraph& resolved, Node& node, const GroupNorm& g) {
  node.op = kGroupNorm;
  node.inputs = {g.input, addConstant(resolved, node.outputs[0] + "/scale", g.scale),
                 addConstant(resolved, node.outputs[0] + "/bias", g.bias)};
  node.attributes = {{"num_groups", g.groups}, {"epsilon", g.epsilon}};
}

// What the kernel takes: N, C and one to three axes, none of them empty.
bool hasVoxels(const Shape& shape) { return shape.size() >= 3 && shape.size() <= 5 && elementCount(shape) != 0; }

std::optional<GroupNorm> normalization(const ResolvedGraph& resolved, const Uses& uses, const Node& node) {
  if (node.op != "InstanceNormalization" && node.op != "GroupNormalization") return std::nullopt;
  const OpCall call = resolved.call(node);
  const auto *scale = floatConstant(uses, node.inputs[1]), *bias = floatConstant(uses, node.inputs[2]);
  if (!scale || !bias || !hasVoxels(call.shape(0))) return std::nullopt;
  const int64_t channels = call.shape(0)[1];
  const int64_t groups = node.op == "InstanceNormalization" ? channels : call.integer("num_groups", 1);
  return GroupNorm{node.inputs[0], groups, call.real("epsilon", 1e-5F), forChannels(*scale, channels),
                   forChannels(*bias, channels)};
}

// (N, C, space) -> (N, groups, rest) -> InstanceNormalization -> (N, C, space), seen from its last node.
std::optional<GroupNorm> reshapedNormalization(const ResolvedGraph& resolved, const Uses& uses, const Node& node) {
  if (node.op != "Reshape") return std::nullopt;
  const Node* middle = uses.producer(node.inputs[0], "InstanceNormalization");
  const Node* first = middle ? uses.producer(middle->inputs[0], "Reshape") : nullptr;
  if (!first || uses.readers(node.inputs[0]) != 1) return std::nullopt;
  const Shape& shape = resolved.types.at(first->inputs[0]).shape;
  const Shape& rows = resolved.types.at(middle->inputs[0]).shape;
  const auto *scale = floatConstant(uses, middle->inputs[1]), *bias = floatConstant(uses, middle->inputs[2]);
  const bool fits = scale && bias && hasVoxels(shape) && resolved.types.at(node.outputs[0]).shape == shape &&
                    rows.size() >= 3 && rows[0] == shape[0] && rows[1] > 0 && shape[1] % rows[1] == 0;
  if (!fits) return std::nullopt;
  return GroupNorm{first->inputs[0], rows[1], resolved.call(*middle).real("epsilon", 1e-5F),
                   forChannels(*scale, shape[1]), forChannels(*bias, shape[1])};
}

// The constant as one number for each channel, if it broadcasts so over values of this shape.
std::optional<std::vector<float>> channelConstant(const Uses& uses, const std::string& name, const Shape& shape) {
  const Tensor* t = uses.constant(name);
  if (!t || !t->isFloat() || t->shape.size() > shape.size()) return std::nullopt;
  const auto channels = static_cast<size_t>(shape[1]);
  if (t->size() == 1) return std::vector<float>(channels, t->floats()[0]);
  const size_t axis = t->shape.size() + 1 - shape.size();  // of the channels in the constant, if it has that many
  const bool perChannel = t->shape.size() + 1 >= shape.size() && t->size() == channels && t->shape[axis] == shape[1];
  if (!perChannel) return std::nullopt;
  return t->floats();
}

// A Mul or Add of a constant behind kGroupNorm: one normalisation with other parameters.
std::optional<GroupNorm> affineNormalization(const ResolvedGraph& resolved, const Uses& uses, const Node& node) {
  if ((node.op != "Mul" && node.op != "Add") || node.attributes.count(kFusedActivation)) return std::nullopt;
  for (const size_t side : {size_t{0}, size_t{1}}) {
    const Node* norm = uses.producer(node.inputs[side], kGroupNorm);
    if (!norm || uses.readers(node.inputs[side]) != 1) continue;
    const Shape& shape = resolved.types.at(node.inputs[side]).shape;
    const auto factor = channelConstant(uses, node.inputs[1 - side], shape);
    if (!factor || resolved.types.at(node.outputs[0]).shape != shape) continue;
    const OpCall call = resolved.call(*norm);
    GroupNorm g{norm->inputs[0], call.integer("num_groups", 1), call.real("epsilon", 0),
                *floatConstant(uses, norm->inputs[1]), *floatConstant(uses, norm->inputs[2])};
    for (size_t c = 0; c < factor->size(); ++c) {
      if (node.op == "Mul") g.scale[c] *= (*factor)[c];
      g.bias[c] = node.op == "Mul" ? g.bias[c] * (*factor)[c] : g.bias[c] + (*factor)[c];
    }
    return g;
  }
  return std::nullopt;
}

// The factors of a product of two nested Muls and what they multiply: {a, b, c}, or nothing.
std::vector<std::string> threeFactors(const Uses& uses, const Node& mul) {
  for (const size_t side : {size_t{0}, size_t{1}})
    if (const Node* inner = uses.producer(mul.inputs[side], "Mul"))
      return {inner->inputs[0], inner->inputs[1], mul.inputs[1 - side]};
  return {};
}

// x, if the value is 1 + erf(x / sqrt 2).
std::optional<std::string> erfArgument(const Uses& uses, const std::string& value) {
  const Node* sum = uses.producer(value, "Add");
  if (!sum) return std::nullopt;
  for (const size_t side : {size_t{0}, size_t{1}}) {
    const Node* erf = uses.producer(sum->inputs[side], "Erf");
    if (!erf || !uses.isNumber(sum->inputs[1 - side], 1)) continue;
    const Node* quotient = uses.producer(erf->inputs[0], "Div");
    if (quotient && uses.isNumber(quotient->inputs[1], std::sqrt(2.0F))) return quotient->inputs[0];
    const Node* product = uses.producer(erf->inputs[0], "Mul");
    for (const size_t s : {size_t{0}, size_t{1}})
      if (product && uses.isNumber(product->inputs[1 - s], std::sqrt(0.5F))) return product->inputs[s];
  }
  return std::nullopt;
}

bool isMeanOverLastAxis(const ResolvedGraph& resolved, const Node& node) {
  const Shape& in = resolved.types.at(node.inputs[0]).shape;
  Shape expected = in;
  if (!expected.empty()) expected.back() = 1;
  return in.size() >= 2 && in.back() > 1 && resolved.types.at(node.outputs[0]).shape == expected;
}

/// x and epsilon of (x - mean x) / sqrt(mean (x - mean x)^2 + epsilon), seen from the division.
struct LayerNorm {
  std::string input;
  float epsilon = 0;
};

std::optional<LayerNorm> spelledLayerNorm(const ResolvedGraph& resolved, const Uses& uses, const Node& node) {
  if (node.op != "Div") return std::nullopt;
  const Node *centred = uses.producer(node.inputs[0], "Sub"), *root = uses.producer(node.inputs[1], "Sqrt");
  const Node* mean = centred ? uses.producer(centred->inputs[1], "ReduceMean") : nullptr;
  const Node* sum = root ? uses.producer(root->inputs[0], "Add") : nullptr;
  if (!mean || !sum || mean->inputs[0] != centred->inputs[0] || !isMeanOverLastAxis(resolved, *mean))
    return std::nullopt;
  for (const size_t side : {size_t{0}, size_t{1}}) {
    const Node* variance = uses.producer(sum->inputs[side], "ReduceMean");
    const auto* epsilon = floatConstant(uses, sum->inputs[1 - side]);
    if (!variance || !epsilon || epsilon->size() != 1 || !isMeanOverLastAxis(resolved, *variance)) continue;
    const Node *power = uses.producer(variance->inputs[0], "Pow"), *square = uses.producer(variance->inputs[0], "Mul");
    const std::string& d = node.inputs[0];
    if ((power && power->inputs[0] == d && uses.isNumber(power->inputs[1], 2)) ||
        (square && square->inputs[0] == d && square->inputs[1] == d))
      return LayerNorm{centred->inputs[0], epsilon->front()};
  }
  return std::nullopt;
}

}  // namespace

void recogniseGroupNorm(ResolvedGraph& resolved) {
  using Find = std::optional<GroupNorm> (*)(const ResolvedGraph&, const Uses&, const Node&);
  for (const Find find : {Find{reshapedNormalization}, Find{normalization}, Find{affineNormalization}}) {
    // A node changes behind the ones it is made of, so one walk sees chains of Mul and Add as well.
    const Uses uses(resolved.graph);
    for (Node& node : resolved.graph.nodes)
      if (const auto g = find(resolved, uses, node)) become(resolved, node, *g);
    removeDeadCode(resolved.graph);
  }
}

void recogniseLayerNorm(ResolvedGraph& resolved) {
  const Uses uses(resolved.graph);
  for (Node& node : resolved.graph.nodes) {
    const auto norm = spelledLayerNorm(resolved, uses, node);
    if (!norm) continue;
    const auto width = static_cast<size_t>(resolved.types.at(norm->input).shape.back());
    node.op = "LayerNormalization";
    node.inputs = {norm->input, addConstant(resolved, node.outputs[0] + "/scale", std::vector<float>(width, 1)),
                   addConstant(resolved, node.outputs[0] + "/bias", std::vector<float>(width, 0))};
    node.attributes = {{"axis", int64_t{-1}}, {"epsilon", norm->epsilon}};
  }
  removeDeadCode(resolved.graph);
}

void recogniseGelu(ResolvedGraph& resolved) {
  const Uses uses(resolved.graph);
  for (Node& node : resolved.graph.nodes) {
    if (node.op != "Mul") continue;
    const std::vector<std::string> factors = threeFactors(uses, node);
    for (const std::string& factor : factors) {
      const auto x = erfArgument(uses, factor);
      const bool hasHalf =
          std::any_of(factors.begin(), factors.end(), [&](const std::string& f) { return uses.isNumber(f, 0.5F); });
      if (!x || !hasHalf || std::find(factors.begin(), factors.end(), *x) == factors.end()) continue;
      node = {node.name, "Gelu", {*x}, node.outputs, {}};
      break;
    }
  }
  removeDeadCode(resolved.graph);
}

}  // namespace lynceus::nn
