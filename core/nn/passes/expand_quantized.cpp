#include "core/nn/passes/expand_quantized.h"

#include <set>
#include <utility>

#include "core/nn/onnx.pb.h"

namespace lynceus::nn {
namespace {

/// A quantised operand: names of the integers, their scale and their zero point (may be empty: 0).
struct Operand {
  std::string value, scale, zero;
  int64_t axis;  ///< of scales that are rows
};

class Expander {
 public:
  explicit Expander(Graph& graph) : m_graph(graph) {
    for (const auto& [name, tensor] : graph.constants) m_names.insert(name);
    for (const ValueInfo& input : graph.inputs) m_names.insert(input.name);
    for (const Node& node : graph.nodes) m_names.insert(node.outputs.begin(), node.outputs.end());
  }

  void run() {
    for (Node& node : std::exchange(m_graph.nodes, {})) {
      const size_t inputs = node.outputs.empty() ? 0 : node.inputs.size();
      if (node.op == "QLinearConv" && inputs >= 8)
        linearConv(node);
      else if (node.op == "QLinearMatMul" && inputs >= 8)
        linearMatMul(node);
      else if ((node.op == "ConvInteger" || node.op == "MatMulInteger") && inputs >= 2)
        integerSum(node);
      else
        m_graph.nodes.push_back(std::move(node));
    }
  }

 private:
  std::string fresh(const std::string& wanted) {
    std::string name = wanted;
    while (!m_names.insert(name).second) name += "'";
    return name;
  }

  // Adds a node that stands for a part of `of`.
  std::string add(const Node& of, const char* op, const char* part, std::vector<std::string> inputs,
                  std::map<std::string, Attribute> attributes = {}) {
    std::string result = fresh(of.outputs[0] + "/" + part);
    m_graph.nodes.push_back({of.name + "/" + part, op, std::move(inputs), {result}, std::move(attributes)});
    return result;
  }

  std::string dequantize(const Node& of, const char* part, const Operand& x) {
    return add(of, "DequantizeLinear", part, {x.value, x.scale, x.zero}, {{"axis", x.axis}});
  }

  // inputs: x, x scale, x zero, w, w scale, w zero, y scale, y zero, int32 bias in units of x scale * w scale
  void linearConv(Node& node) {
    const std::vector<std::string> in = node.inputs;
    std::vector<std::string> operands{dequantize(node, "input", {in[0], in[1], in[2], 1}),
                                      dequantize(node, "weights", {in[3], in[4], in[5], 0})};
    if (in.size() > 8 && !in[8].empty())
      operands.push_back(dequantize(node, "bias", {in[8], add(node, "Mul", "bias_scale", {in[1], in[4]}), "", 0}));
    replace(node, "Conv", std::move(operands), in[6], in[7]);
  }

  // Rows of scales: one for each row of A, for each column of B.
  void linearMatMul(Node& node) {
    const std::vector<std::string> in = node.inputs;
    replace(node, "MatMul",
            {dequantize(node, "a", {in[0], in[1], in[2], -2}), dequantize(node, "b", {in[3], in[4], in[5], -1})}, in[6],
            in[7]);
  }

  void replace(Node& node, const char* op, std::vector<std::string> operands, const std::string& scale,
               const std::string& zero) {
    const std::string product = add(node, op, "product", std::move(operands), node.attributes);
    m_graph.nodes.push_back({node.name, "QuantizeLinear", {product, scale, zero}, node.outputs, {}});
  }

  // Every product and partial sum is an integer in float too: Cast has nothing to round.
  void integerSum(Node& node) {
    const auto operand = [&](size_t i, int64_t axis) {
      const std::string zero = i + 2 < node.inputs.size() ? node.inputs[i + 2] : "";
      return Operand{node.inputs[i], ones(zero), zero, axis};
    };
    const bool conv = node.op == "ConvInteger";
    const std::string a = dequantize(node, "a", operand(0, conv ? 1 : -2)),
                      b = dequantize(node, "b", operand(1, conv ? 0 : -1));
    const std::string product = add(node, conv ? "Conv" : "MatMul", "product", {a, b}, node.attributes);
    const int64_t to = onnx::TensorProto::INT32;
    m_graph.nodes.push_back({node.name, "Cast", {product}, node.outputs, {{"to", to}}});
  }

  // A scale of 1 in the shape of the zero point; one constant for all who share that.
  std::string ones(const std::string& zero) {
    if (const auto made = m_ones.find(zero); made != m_ones.end()) return made->second;
    const auto constant = m_graph.constants.find(zero);
    const Shape shape = constant == m_graph.constants.end() ? Shape{} : constant->second.shape;
    const std::string name = fresh("scale_1_for_" + zero);
    m_graph.constants[name] = {shape, std::vector<float>(static_cast<size_t>(elementCount(shape)), 1.0F)};
    return m_ones[zero] = name;
  }

  Graph& m_graph;
  std::set<std::string> m_names;              // of all values
  std::map<std::string, std::string> m_ones;  // zero point -> its scale of 1
};

}  // namespace

void expandQuantized(Graph& graph) {
  constexpr int kFirstQuantized = 10;  // the opset that brought these operators
  if (graph.opset >= kFirstQuantized) Expander(graph).run();
}

}  // namespace lynceus::nn
