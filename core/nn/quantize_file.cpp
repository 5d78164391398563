#include "core/nn/quantize_file.h"

#include <algorithm>
#include <cmath>

#include "core/nn/channel_affine.h"
#include "core/nn/linear_quantization.h"
#include "core/nn/onnx_tensor.h"

namespace lynceus::nn {
namespace {

using onnx::GraphProto;
using onnx::ModelProto;
using onnx::NodeProto;
using onnx::TensorProto;

constexpr int kOpset = 13;     // brought scales along an axis
constexpr int kIrVersion = 7;  // the file format of its time; since 4 initialisers need not be inputs

Expected<void> refuseWhatCannotBeKept(const ModelProto& model, const std::string& file) {
  for (const TensorProto& t : model.graph().initializer()) {
    if (t.data_location() == TensorProto::EXTERNAL)
      return makeError(ErrorCode::unsupported,
                       "{}: the weights \"{}\" are in another file: save the network as one file", file, t.name());
    if (t.data_type() == TensorProto::FLOAT16 || t.data_type() == TensorProto::BFLOAT16)
      return makeError(ErrorCode::unsupported, "{}: the weights \"{}\" are {}: quantise the float32 network", file,
                       t.name(), onnxTypeName(t.data_type()));
  }
  for (const NodeProto& node : model.graph().node()) {
    if (node.op_type() == "If")
      return makeError(ErrorCode::unsupported,
                       "{}: node \"{}\" (If) has branches, whose values cannot be quantised: simplify the network for "
                       "fixed shapes first, which leaves one of them",
                       file, node.name());
    if (node.op_type() == "QuantizeLinear" || node.op_type() == "QLinearConv")
      return makeError(ErrorCode::wrongUse, "{}: node \"{}\" is quantised already: start from the float32 network",
                       file, node.name());
  }
  return {};
}

Expected<void> raiseOpset(ModelProto& model, const std::string& file) {
  // Operators that mean something else, or are written in another way, between opset 7 and 13, and since when.
  static const std::map<std::string, int> kChanged = {
      {"Upsample", 10}, {"Slice", 10},     {"Resize", 11},    {"Clip", 11},    {"Pad", 11},     {"TopK", 11},
      {"ArgMax", 12},   {"ArgMin", 12},    {"Dropout", 12},   {"Softmax", 13}, {"Hardmax", 13}, {"LogSoftmax", 13},
      {"Squeeze", 13},  {"Unsqueeze", 13}, {"ReduceSum", 13}, {"Split", 13}};
  for (auto& set : *model.mutable_opset_import()) {
    if ((!set.domain().empty() && set.domain() != "ai.onnx") || set.version() >= kOpset) continue;
    for (const NodeProto& node : model.graph().node()) {
      const auto changed = kChanged.find(node.op_type());
      if (changed != kChanged.end() && set.version() < changed->second)
        return makeError(ErrorCode::unsupported,
                         "{}: node \"{}\" ({}) of opset {} means something else at opset {}, which int8 needs: export "
                         "the network with opset {} or newer",
                         file, node.name(), node.op_type(), set.version(), kOpset, kOpset);
    }
    set.set_version(kOpset);
  }
  model.set_ir_version(std::max<int64_t>(model.ir_version(), kIrVersion));
  return {};
}

// So that every constant is an initialiser.
void hoistConstants(GraphProto& graph) {
  for (int i = graph.node_size(); i-- > 0;) {
    const NodeProto& node = graph.node(i);
    const auto* value = node.op_type() == "Constant" ? findAttribute(node, "value") : nullptr;
    if (!value || node.output_size() != 1) continue;
    TensorProto& constant = *graph.add_initializer();
    constant = value->t();
    constant.set_name(node.output(0));
    graph.mutable_node()->DeleteSubrange(i, 1);
  }
}

void addInitializer(GraphProto& graph, const std::string& name, const Tensor& tensor) {
  TensorProto& proto = *graph.add_initializer();
  proto.set_name(name);
  writeOnnxTensor(tensor, proto);
}

void removeUnusedInitializers(GraphProto& graph, const std::set<std::string>& candidates) {
  const GraphIndex index(graph);
  for (int i = graph.initializer_size(); i-- > 0;) {
    const std::string name = graph.initializer(i).name();
    if (!candidates.count(name) || index.readers.count(name) || index.outputs.count(name)) continue;
    graph.mutable_initializer()->DeleteSubrange(i, 1);
    for (int k = graph.input_size(); k-- > 0;)  // files of IR version 3 list it there, too
      if (graph.input(k).name() == name) graph.mutable_input()->DeleteSubrange(k, 1);
  }
}

/// Multiplies BatchNormalization into the convolution before it, so that ReLU follows that one.
class BatchNormFolder {
 public:
  explicit BatchNormFolder(GraphProto& graph) : m_graph(graph), m_index(graph) {}

  void run() {
    std::vector<int> folded;
    for (int at = 0; at < m_graph.node_size(); ++at) {
      const NodeProto& conv = m_graph.node(at);
      const int norm = isConvolution(conv) && hasConstants(conv, 1) ? m_index.onlyReader(conv.output(0)) : -1;
      if (norm < 0 || m_graph.node(norm).op_type() != "BatchNormalization" || !hasConstants(m_graph.node(norm), 1) ||
          m_graph.node(norm).input(0) != conv.output(0))
        continue;
      fold(*m_graph.mutable_node(at), m_graph.node(norm));
      folded.push_back(norm);
    }
    std::sort(folded.rbegin(), folded.rend());
    for (const int norm : folded) m_graph.mutable_node()->DeleteSubrange(norm, 1);
    removeUnusedInitializers(m_graph, m_replaced);
  }

 private:
  bool hasConstants(const NodeProto& node, int first) const {
    return std::all_of(node.input().begin() + first, node.input().end(),
                       [&](const std::string& name) { return name.empty() || m_index.initializers.count(name) != 0; });
  }

  Tensor constant(const std::string& name) {
    m_replaced.insert(name);
    return *readOnnxTensor(m_graph.initializer(m_index.initializers.at(name)));
  }

  void fold(NodeProto& conv, const NodeProto& norm) {
    std::array<std::vector<float>, 4> parameters;
    for (int i = 0; i < 4; ++i) parameters[static_cast<size_t>(i)] = constant(norm.input(i + 1)).floats();
    const auto* epsilon = findAttribute(norm, "epsilon");
    const ChannelAffine affine = batchNormAffine(parameters, epsilon ? epsilon->f() : 1e-5F);
    Tensor weights = constant(conv.input(1));
    const bool hasBias = conv.input_size() > 2 && !conv.input(2).empty();
    Tensor bias = hasBias ? constant(conv.input(2)) : Tensor::zeros({static_cast<int64_t>(affine.scale.size())});
    multiplyInto(affine, conv.op_type() == "ConvTranspose", weights, bias);
    while (conv.input_size() < 3) conv.add_input();
    conv.set_input(1, conv.output(0) + "/folded_weights");
    conv.set_input(2, conv.output(0) + "/folded_bias");
    conv.set_output(0, norm.output(0));
    addInitializer(m_graph, conv.input(1), weights);
    addInitializer(m_graph, conv.input(2), bias);
  }

  GraphProto& m_graph;
  GraphIndex m_index;
  std::set<std::string> m_replaced;  // initialisers
};

/// Weights with a scale for each index along the axis of the output channels.
struct QuantizedWeights {
  Tensor integers, scales;
};

QuantizedWeights quantizeWeights(const Tensor& weights, size_t axis) {
  const int64_t channels = weights.shape[axis];
  const int64_t inner =
      elementCount(Shape(weights.shape.begin() + static_cast<std::ptrdiff_t>(axis) + 1, weights.shape.end()));
  const auto channelOf = [&](size_t i) { return static_cast<size_t>(static_cast<int64_t>(i) / inner % channels); };
  QuantizedWeights q{Tensor::zeros(weights.shape, Type::i8), Tensor::zeros({channels})};
  const std::vector<float>& w = weights.floats();
  std::vector<float>& scales = q.scales.floats();
  for (size_t i = 0; i < w.size(); ++i) scales[channelOf(i)] = std::max(scales[channelOf(i)], std::fabs(w[i]));
  constexpr float kLevels = 127;
  for (float& s : scales) s = s >= std::numeric_limits<float>::min() * kLevels ? s / kLevels : 1;
  auto& integers = std::get<std::vector<int8_t>>(q.integers.data);
  for (size_t i = 0; i < w.size(); ++i) integers[i] = quantize<int8_t>(w[i], scales[channelOf(i)], 0);
  return q;
}

class Inserter {
 public:
  Inserter(GraphProto& graph, const QuantizePlan& plan, std::span<const QuantizedValue> values, const std::string& file)
      : m_graph(graph), m_index(graph), m_plan(plan), m_values(values), m_file(file) {}

  Expected<void> run() {
    for (const QuantizedValue& value : m_values)
      for (const std::string& name : value.names) m_quantized[name] = &value;
    const GraphProto old = m_graph;
    m_graph.clear_node();
    for (const QuantizedValue& value : m_values) addParameters(value);
    for (const auto& input : old.input()) addPair(input.name());
    for (int i = 0; i < old.node_size(); ++i) {
      NodeProto node = old.node(i);
      if (!m_plan.keepFloat.count(node.name()))
        for (std::string& name : *node.mutable_input())
          if (m_quantized.count(name)) name = dequantizedName(name);
      if (m_plan.convolutions.count(i))
        if (auto ok = takeIntegerWeights(node); !ok) return ok;
      *m_graph.add_node() = node;
      for (const std::string& name : node.output()) addPair(name);
    }
    removeUnusedInitializers(m_graph, m_replaced);
    return {};
  }

 private:
  NodeProto& add(const char* op, const std::string& output, std::initializer_list<std::string> inputs) {
    NodeProto& node = *m_graph.add_node();
    node.set_op_type(op);
    node.set_name(output);
    for (const std::string& name : inputs) node.add_input(name);
    node.add_output(output);
    return node;
  }

  static std::string scaleName(const QuantizedValue& v) { return v.names[0] + "/scale"; }
  static std::string zeroName(const QuantizedValue& v) { return v.names[0] + "/zero_point"; }

  void addParameters(const QuantizedValue& v) {
    addInitializer(m_graph, scaleName(v), {{}, std::vector<float>{v.scale()}});
    addInitializer(m_graph, zeroName(v), Tensor::zeros({}, v.type));
  }

  void addPair(const std::string& name) {
    const auto it = m_quantized.find(name);
    if (it == m_quantized.end()) return;
    const std::string scale = scaleName(*it->second), zero = zeroName(*it->second), integers = name + "/quantized";
    add("QuantizeLinear", integers, {name, scale, zero});
    add("DequantizeLinear", dequantizedName(name), {integers, scale, zero});
  }

  Expected<void> takeIntegerWeights(NodeProto& conv) {
    const std::string name = conv.input(1);
    const size_t axis = conv.op_type() == "ConvTranspose" ? 1 : 0;
    const std::string stem = axis == 0 ? name : name + "/transposed";
    conv.set_input(1, dequantizedName(stem));
    if (!m_done.insert(stem).second) return {};
    m_replaced.insert(name);
    const Tensor weights = *readOnnxTensor(m_graph.initializer(m_index.initializers.at(name)));
    if (!std::all_of(weights.floats().begin(), weights.floats().end(), [](float w) { return std::isfinite(w); }))
      return makeError(ErrorCode::badInput, "{}: the weights \"{}\" hold infinities or NaN: train or export it again",
                       m_file, name);
    const QuantizedWeights q = quantizeWeights(weights, axis);
    addInitializer(m_graph, stem + "/quantized", q.integers);
    addInitializer(m_graph, stem + "/scale", q.scales);
    auto* attribute = add("DequantizeLinear", conv.input(1), {stem + "/quantized", stem + "/scale"}).add_attribute();
    attribute->set_name("axis");
    attribute->set_type(onnx::AttributeProto::INT);
    attribute->set_i(static_cast<int64_t>(axis));
    return {};
  }

  GraphProto& m_graph;
  GraphIndex m_index;
  const QuantizePlan& m_plan;
  std::span<const QuantizedValue> m_values;
  const std::string& m_file;
  std::map<std::string, const QuantizedValue*> m_quantized;
  std::set<std::string> m_done, m_replaced;  // weights
};

}  // namespace

std::string dequantizedName(const std::string& value) { return value + "/dequantized"; }

Expected<void> prepareToQuantize(ModelProto& model, const std::string& file) {
  if (auto ok = refuseWhatCannotBeKept(model, file); !ok) return ok;
  if (auto ok = raiseOpset(model, file); !ok) return ok;
  hoistConstants(*model.mutable_graph());
  BatchNormFolder(*model.mutable_graph()).run();
  return {};
}

Expected<void> insertQuantization(ModelProto& model, const QuantizePlan& plan, std::span<const QuantizedValue> values,
                                  const std::string& file) {
  return Inserter(*model.mutable_graph(), plan, values, file).run();
}

}  // namespace lynceus::nn
