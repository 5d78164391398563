#include "core/nn/quantize_plan.h"

#include <algorithm>

#include "core/nn/onnx_tensor.h"

namespace lynceus::nn {
namespace {

bool isActivation(const std::string& op) {
  static constexpr const char* kActivations[] = {"Relu", "LeakyRelu", "Sigmoid", "Clip", "PRelu", "Elu", "Tanh"};
  return std::find(std::begin(kActivations), std::end(kActivations), op) != std::end(kActivations);
}

class Planner {
 public:
  Planner(const onnx::GraphProto& graph, const std::set<std::string>& keepFloat, std::set<std::string> neverNegative)
      : m_graph(graph), m_index(graph), m_neverNegative(std::move(neverNegative)) {
    m_plan.keepFloat = keepFloat;
  }

  // Backwards, so that all readers of a value have spoken before its producer is looked at.
  QuantizePlan plan() {
    for (int i = 0; i < m_graph.node_size(); ++i) noteSign(m_graph.node(i));
    for (int i = m_graph.node_size(); i-- > 0;) visit(i);
    collectGroups();
    return std::move(m_plan);
  }

 private:
  bool isConstant(const std::string& value) const { return m_index.initializers.count(value) != 0; }
  bool isQuantized(const std::string& value) const { return m_parent.count(value) != 0; }

  void noteSign(const onnx::NodeProto& node) {
    static constexpr const char* kNonNegative[] = {"Relu", "Sigmoid",     "Softmax", "Exp",
                                                   "Abs",  "HardSigmoid", "Softplus"};
    static constexpr const char* kKeepSign[] = {"MaxPool",  "AveragePool", "GlobalAveragePool", "Concat",  "Add",
                                                "Identity", "Dropout",     "Reshape",           "Flatten", "Transpose"};
    const auto in = [&](const auto& list) {
      return std::find(std::begin(list), std::end(list), node.op_type()) != std::end(list);
    };
    const auto inputIsNonNegative = [&](const std::string& name) { return m_neverNegative.count(name) != 0; };
    const auto& inputs = node.input();
    bool never = in(kNonNegative);
    if (in(kKeepSign)) never = std::all_of(inputs.begin(), inputs.end(), inputIsNonNegative);
    if (node.op_type() == "Resize" && onlyChooses(node)) never = inputIsNonNegative(inputs[0]);
    if (node.op_type() == "Clip") never = clipsNegatives(node);
    if (never && node.output_size() > 0) m_neverNegative.insert(node.output(0));
  }

  // True for a Resize whose every number is one of its input, not one that extrapolates.
  static bool onlyChooses(const onnx::NodeProto& resize) {
    const auto *mode = findAttribute(resize, "mode"),
               *coordinates = findAttribute(resize, "coordinate_transformation_mode");
    return (!mode || mode->s() == "nearest") && (!coordinates || coordinates->s() != "tf_crop_and_resize");
  }

  // Clip takes its limits as attributes before opset 11 and as inputs since.
  bool clipsNegatives(const onnx::NodeProto& node) const {
    if (const auto* low = findAttribute(node, "min")) return low->f() >= 0;
    const auto limit = m_index.initializers.find(node.input_size() > 1 ? node.input(1) : "");
    if (limit == m_index.initializers.end()) return false;
    const auto low = readOnnxTensor(m_graph.initializer(limit->second));
    return low && low->isFloat() && low->size() == 1 && low->floats()[0] >= 0;
  }

  bool keepsFloat(const onnx::NodeProto& node) const { return m_plan.keepFloat.count(node.name()) != 0; }

  void visit(int at) {
    const onnx::NodeProto& node = m_graph.node(at);
    if (keepsFloat(node) || node.output_size() == 0) return;
    if (isConvolution(node)) {
      if (!isConstant(node.input(1)) || isConstant(node.input(0))) return;
      m_plan.convolutions.insert(at);
      quantize(node.input(0));
    } else if (node.op_type() == "Add") {
      if (feedsIntegers(node)) visitSum(node);
    } else if (isQuantized(node.output(0))) {
      shareScale(node);
    }
  }

  // True if the sum, maybe behind an activation, is quantised.
  bool feedsIntegers(const onnx::NodeProto& node) const {
    if (isQuantized(node.output(0))) return true;
    const int reader = m_index.onlyReader(node.output(0));
    if (reader < 0 || !isActivation(m_graph.node(reader).op_type())) return false;
    return m_graph.node(reader).output_size() > 0 && isQuantized(m_graph.node(reader).output(0));
  }

  void visitSum(const onnx::NodeProto& add) {
    const std::string &a = add.input(0), &b = add.input(1);
    if (isConstant(a) || isConstant(b)) return;
    const int convA = endsConvolution(a), convB = endsConvolution(b);
    if (a == b || convA < 0 || convA < convB) quantize(a);
    if (convB < 0 || convB < convA) quantize(b);
  }

  // The convolution that this Add becomes a part of, or -1.
  int endsConvolution(const std::string& value) const {
    const auto producer = m_index.producer.find(value);
    if (producer == m_index.producer.end() || m_index.onlyReader(value) < 0) return -1;
    return m_graph.node(producer->second).op_type() == "Conv" ? producer->second : -1;
  }

  void shareScale(const onnx::NodeProto& node) {
    const std::string& op = node.op_type();
    const bool oneInput = (op == "MaxPool" && node.output_size() == 1) || (op == "Resize" && onlyChooses(node));
    if (!oneInput && op != "Concat") return;
    const int count = oneInput ? 1 : node.input_size();
    for (int i = 0; i < count; ++i)
      if (isConstant(node.input(i))) return;
    for (int i = 0; i < count; ++i) {
      quantize(node.input(i));
      m_parent[root(node.input(i))] = root(node.output(0));
    }
  }

  void quantize(const std::string& value) { m_parent.emplace(value, value); }

  std::string root(std::string value) const {
    for (auto it = m_parent.find(value); it->second != value; it = m_parent.find(value)) value = it->second;
    return value;
  }

  void collectGroups() {
    std::map<std::string, size_t> groupOf;
    const auto collect = [&](const std::string& value) {
      if (!isQuantized(value)) return;
      const auto [it, isNew] = groupOf.emplace(root(value), m_plan.groups.size());
      if (isNew) m_plan.groups.emplace_back();
      ValueGroup& group = m_plan.groups[it->second];
      group.values.push_back(value);
      group.neverNegative = group.neverNegative && m_neverNegative.count(value) != 0;
    };
    for (const auto& input : m_graph.input()) collect(input.name());
    for (const auto& node : m_graph.node())
      for (const auto& output : node.output()) collect(output);
  }

  const onnx::GraphProto& m_graph;
  GraphIndex m_index;
  QuantizePlan m_plan;
  std::set<std::string> m_neverNegative;
  std::map<std::string, std::string> m_parent;  // of quantised values: a forest, its roots stand for groups
};

}  // namespace

GraphIndex::GraphIndex(const onnx::GraphProto& graph) {
  for (int i = 0; i < graph.node_size(); ++i) {
    for (const auto& name : graph.node(i).output()) producer[name] = i;
    for (const auto& name : graph.node(i).input()) readers[name].push_back(i);
  }
  for (int i = 0; i < graph.initializer_size(); ++i) initializers[graph.initializer(i).name()] = i;
  for (const auto& output : graph.output()) outputs.insert(output.name());
}

int GraphIndex::onlyReader(const std::string& value) const {
  const auto it = readers.find(value);
  return it != readers.end() && it->second.size() == 1 && !outputs.count(value) ? it->second[0] : -1;
}

const onnx::AttributeProto* findAttribute(const onnx::NodeProto& node, const std::string& name) {
  for (const auto& a : node.attribute())
    if (a.name() == name) return &a;
  return nullptr;
}

QuantizePlan planQuantization(const onnx::GraphProto& graph, const std::set<std::string>& keepFloat,
                              const std::set<std::string>& nonNegativeInputs) {
  return Planner(graph, keepFloat, nonNegativeInputs).plan();
}

}  // namespace lynceus::nn
