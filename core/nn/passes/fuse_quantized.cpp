#include "core/nn/passes/fuse_quantized.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "core/nn/passes/fuse.h"
#include "core/nn/passes/uses.h"

namespace lynceus::nn {
namespace {

/// How integers stand for real numbers: one scale for the whole tensor.
struct Code {
  Type type;
  float scale;
  int64_t zero;

  bool operator==(const Code& o) const { return type == o.type && scale == o.scale && zero == o.zero; }
};

using CanRun = std::function<bool(const OpCall&, const ValueType&)>;

class Fuser {
 public:
  Fuser(ResolvedGraph& resolved, const CanRun& canRun)
      : m_resolved(resolved), m_graph(resolved.graph), m_canRun(canRun), m_uses(resolved.graph) {}

  void run() {
    for (Node& node : m_graph.nodes) {
      if (node.op == "Conv" || node.op == "ConvTranspose")
        fuseConvolution(node);
      else if (node.op == "Add")
        fuseAdd(node);
      else
        passIntegersOn(node);
    }
    std::vector<Node> kept;
    for (size_t i = 0; i < m_graph.nodes.size(); ++i)
      if (!m_absorbed.count(i)) kept.push_back(std::move(m_graph.nodes[i]));
    m_graph.nodes = std::move(kept);
    m_resolved.integers.clear();
    removeDeadCode(m_graph);
  }

 private:
  // The code of a QuantizeLinear or DequantizeLinear, if it is one for the whole tensor and its scale is sane.
  std::optional<Code> codeOf(const Node& node, Type type) const {
    const OpCall call = m_resolved.call(node);
    const auto scale = call.constantFloats(1);
    if (!scale || scale->size() != 1 || !std::isnormal(scale->front()) || scale->front() < 0) return std::nullopt;
    if (type != Type::i8 && type != Type::u8) return std::nullopt;
    Code code{type, scale->front(), 0};
    if (call.has(2)) {
      if (!call.input(2).value) return std::nullopt;
      code.zero = std::visit([](const auto& v) { return static_cast<int64_t>(v[0]); }, call.input(2).value->data);
    }
    return code;
  }

  // Of a value that comes straight out of DequantizeLinear.
  std::optional<Code> dequantized(const std::string& name) const {
    const Node* node = m_uses.producer(name, "DequantizeLinear");
    if (!node) return std::nullopt;
    return codeOf(*node, m_resolved.types.at(node->inputs[0]).type);
  }
  const std::string& integersOf(const std::string& name) const { return m_uses.producer(name)->inputs[0]; }

  // Of a value that goes into one QuantizeLinear and nowhere else.
  std::optional<Code> quantizedNext(const std::string& name) const {
    const auto position = m_uses.onlyReader(name);
    if (!position) return std::nullopt;
    const Node& reader = m_graph.nodes[*position];
    if (reader.op != "QuantizeLinear" || reader.inputs[0] != name) return std::nullopt;
    return codeOf(reader, m_resolved.types.at(reader.outputs[0]).type);
  }

  size_t onlyReader(const Node& node) const { return *m_uses.onlyReader(node.outputs[0]); }

  // The node gives the integers itself.
  void absorbQuantize(Node& node) {
    const size_t reader = onlyReader(node);
    node.outputs[0] = m_graph.nodes[reader].outputs[0];
    m_absorbed.insert(reader);
  }

  static bool isSymmetric(const std::optional<Code>& code) { return code && code->zero == 0; }

  // One scale for each output channel, if the weights came from integers.
  std::optional<std::vector<float>> weightScales(const Node& conv, bool transposed) const {
    const auto it = m_resolved.integers.find(conv.inputs[1]);
    if (it == m_resolved.integers.end()) return std::nullopt;
    const IntegerConstant& w = it->second;
    const int64_t axis = transposed ? 1 : 0, perGroup = w.integers.shape[static_cast<size_t>(axis)];
    if (w.scales.size() > 1 && w.axis != axis) return std::nullopt;
    std::vector<float> scales;
    for (int64_t c = 0; c < m_resolved.types.at(conv.outputs[0]).shape[1]; ++c)
      scales.push_back(w.scales[w.scales.size() > 1 ? static_cast<size_t>(c % perGroup) : 0]);
    const bool sane = std::all_of(scales.begin(), scales.end(), [](float s) { return std::isnormal(s) && s > 0; });
    return sane ? std::optional(scales) : std::nullopt;
  }

  void fuseConvolution(Node& conv) {
    const bool transposed = conv.op == "ConvTranspose";
    const auto input = dequantized(conv.inputs[0]);
    const auto scales = weightScales(conv, transposed);
    const bool constantBias =
        conv.inputs.size() < 3 || conv.inputs[2].empty() || m_graph.constants.count(conv.inputs[2]) != 0;
    const bool constantInput = m_graph.constants.count(conv.inputs[0]) != 0;  // of a network too large to fold
    if (constantInput || !isSymmetric(input) || !scales || !constantBias) return;
    Node fused = conv;
    if (conv.inputs.size() > kResidualInput) {
      const auto residual = dequantized(conv.inputs[kResidualInput]);
      if (!isSymmetric(residual)) return;
      fused.attributes[kResidualScale] = residual->scale;
      fused.inputs[kResidualInput] = integersOf(conv.inputs[kResidualInput]);
    }
    fused.op = transposed ? kIntegerConvTranspose : kIntegerConv;
    fused.attributes[kInputScale] = input->scale;
    fused.attributes[kWeightScales] = *scales;
    fused.inputs[0] = integersOf(conv.inputs[0]);
    fused.inputs[1] = integerWeights(conv.inputs[1]);
    const auto output = quantizedNext(conv.outputs[0]);
    const bool givesIntegers = isSymmetric(output);
    if (givesIntegers) {
      fused.attributes[kOutputScale] = output->scale;
      fused.outputs[0] = m_graph.nodes[onlyReader(conv)].outputs[0];
    }
    if (!m_canRun(m_resolved.call(fused), m_resolved.types.at(fused.outputs[0]))) return;
    if (givesIntegers) m_absorbed.insert(onlyReader(conv));
    conv = std::move(fused);
  }

  std::string integerWeights(const std::string& name) {
    std::string& integers = m_integerNames[name];
    if (integers.empty()) {
      integers = m_resolved.freshName(name + "/integers");
      Tensor& tensor = m_graph.constants[integers] = m_resolved.integers.at(name).integers;
      m_resolved.types[integers] = {tensor.shape, tensor.type()};
    }
    return integers;
  }

  // Only between integers: with a float result nothing is gained.
  void fuseAdd(Node& add) {
    const auto a = dequantized(add.inputs[0]), b = dequantized(add.inputs[1]);
    const auto output = quantizedNext(add.outputs[0]);
    if (!isSymmetric(a) || !isSymmetric(b) || !isSymmetric(output)) return;
    if (m_resolved.types.at(add.inputs[0]).shape != m_resolved.types.at(add.inputs[1]).shape) return;
    add.op = kIntegerAdd;
    add.attributes[kInputScale] = a->scale;
    add.attributes[kResidualScale] = b->scale;
    for (std::string& name : add.inputs) name = integersOf(name);
    add.attributes[kOutputScale] = output->scale;
    absorbQuantize(add);
  }

  // True for a Resize whose every number is one of its input: extrapolation_value is real, no integer.
  bool onlyChooses(const Node& resize) const {
    const OpCall call = m_resolved.call(resize);
    return call.text("mode", "nearest") == "nearest" &&
           call.text("coordinate_transformation_mode", "") != "tf_crop_and_resize";
  }

  void passIntegersOn(Node& node) {
    static constexpr const char* kMovers[] = {"MaxPool", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose"};
    const bool oneInput = std::find(std::begin(kMovers), std::end(kMovers), node.op) != std::end(kMovers) ||
                          (node.op == "Resize" && onlyChooses(node));
    if ((!oneInput && node.op != "Concat") || node.outputs.size() != 1) return;
    const auto output = quantizedNext(node.outputs[0]);
    const size_t count = oneInput ? 1 : node.inputs.size();
    for (size_t i = 0; i < count; ++i) {
      const auto input = dequantized(node.inputs[i]);
      if (!output || !input || !(*input == *output)) return;
    }
    for (size_t i = 0; i < count; ++i) node.inputs[i] = integersOf(node.inputs[i]);
    absorbQuantize(node);
  }

  ResolvedGraph& m_resolved;
  Graph& m_graph;
  const CanRun& m_canRun;
  Uses m_uses;
  std::set<size_t> m_absorbed;  // QuantizeLinear nodes that others took over
  std::map<std::string, std::string> m_integerNames;
};

}  // namespace

void fuseQuantized(ResolvedGraph& resolved, const CanRun& canRun) { Fuser(resolved, canRun).run(); }

}  // namespace lynceus::nn
