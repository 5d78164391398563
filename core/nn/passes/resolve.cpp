#include "core/nn/passes/resolve.h"

#include <algorithm>
#include <set>

#include "core/nn/attribute_types.h"
#include "core/nn/passes/expand_quantized.h"
#include "core/nn/reference/kernel.h"

namespace lynceus::nn {
namespace {

constexpr int64_t kMostElements = int64_t{1} << 33;  // of one value: 32 GiB
constexpr double kMostFoldingWork = 1 << 28;         // numbers read, written and multiplied: a second or two

// What to export instead, for operators that people meet.
std::string advice(const std::string& op) {
  if (op == "Loop" || op == "Scan" || op.find("Sequence") != std::string::npos)
    return "export by tracing with fixed shapes, not by scripting";
  if (op == "LSTM" || op == "GRU" || op == "RNN") return "recurrent networks are not supported";
  if (op == "NonMaxSuppression" || op == "RoiAlign" || op == "MaxRoiPool" || op == "Unique" || op == "Compress")
    return "end the network at its raw heads: boxes are decoded outside of it";
  if (op.rfind("Random", 0) == 0 || op == "Bernoulli" || op == "Multinomial")
    return "export the network in evaluation mode, without sampling";
  if (op.find('.') != std::string::npos) return "export with the standard ONNX operators only";
  return "replace it by the operators listed";
}

bool isKnown(const Graph& graph, const Node& node) { return reference::kernels().find(node.op, graph.opset); }

// One sentence about all problems: where operators are missing, about those alone.
Error joined(const Graph& graph, const std::vector<NodeProblem>& problems) {
  std::map<std::string, std::vector<std::string>> unknown;  // operator -> node names
  std::vector<std::string> lines;
  for (const NodeProblem& p : problems) {
    if (!p.advice.empty()) unknown[p.op].push_back("\"" + p.node + "\"");
    lines.push_back(fmt::format("node \"{}\" ({}): {}", p.node, p.op, p.reason));
  }
  if (unknown.empty()) return {ErrorCode::unsupported, fmt::format("{}", fmt::join(lines, "; "))};
  lines.clear();
  for (const auto& [op, nodes] : unknown)
    lines.push_back(fmt::format("{} (node {}): {}", op, fmt::join(nodes, ", "), advice(op)));
  return {ErrorCode::unsupported,
          fmt::format("operators that cannot run at opset {}: {}; supported are {}", graph.opset,
                      fmt::join(lines, "; "), fmt::join(reference::kernels().operators(), ", "))};
}

class Resolver {
 public:
  explicit Resolver(const Graph& graph) {
    m_out.graph = graph;
    expandQuantized(m_out.graph);
  }

  // Visits every node; problems() are what is wrong with them.
  Expected<void> resolve(const std::map<std::string, Shape>& inputShapes) {
    if (auto ok = fixInputs(inputShapes); !ok) return ok;
    removeDeadCode(m_out.graph);
    for (const auto& [name, tensor] : m_out.graph.constants) {
      m_out.types[name] = {tensor.shape, tensor.type()};
      m_narrow.insert(name);
    }
    collectNeeded();
    std::vector<Node> kept;
    for (const Node& original : m_out.graph.nodes)
      for (const Node& node : chooseBranch(original)) {
        m_visited.push_back({node.name, node.op, node.inputs, node.outputs, {}});
        if (!isKnown(m_out.graph, node)) {
          addUnknown(node);
          continue;
        }
        const auto folded = visit(node);
        if (!folded)
          addProblem(node, folded.error().message);
        else if (!*folded)
          kept.push_back(node);
      }
    dropProblemsOfDeadNodes();
    if (!m_problems.empty()) return {};
    m_out.graph.nodes = std::move(kept);
    removeDeadCode(m_out.graph);
    for (ValueInfo& output : m_out.graph.outputs) output.shape = m_out.types[output.name].shape;
    return {};
  }

  std::vector<NodeProblem> problems() && { return std::move(m_problems); }

  Expected<ResolvedGraph> result() && {
    if (!m_problems.empty()) return tl::make_unexpected(joined(m_out.graph, m_problems));
    return std::move(m_out);
  }

 private:
  Expected<void> fixInputs(const std::map<std::string, Shape>& inputShapes) {
    for (ValueInfo& input : m_out.graph.inputs) {
      const auto it = inputShapes.find(input.name);
      if (it == inputShapes.end())
        return makeError(ErrorCode::wrongUse, "no shape is given for the network's input \"{}\"", input.name);
      const Shape& given = it->second;
      bool fits = given.size() == input.shape.size() || input.shape.empty();
      for (size_t i = 0; fits && i < input.shape.size(); ++i) fits = input.shape[i] == -1 || input.shape[i] == given[i];
      const auto count = checkedCount(given);
      if (!fits || !count || *count == 0 || *count > kMostElements)
        return makeError(ErrorCode::wrongUse, "input \"{}\" is {}, but the network takes {} (-1: any)", input.name,
                         shapeText(given), shapeText(input.shape));
      input.shape = given;
      m_out.types[input.name] = {given};
    }
    for (const auto& [name, shape] : inputShapes)
      if (!m_out.types.count(name)) return makeError(ErrorCode::wrongUse, "the network has no input \"{}\"", name);
    return {};
  }

  // Errors of nodes begin with the node's name, which a problem has already.
  void addProblem(const Node& node, std::string message) {
    const std::string prefix = fmt::format("node \"{}\" ({}): ", node.name, node.op);
    if (message.rfind(prefix, 0) == 0) message.erase(0, prefix.size());
    m_problems.push_back({node.name, node.op, std::move(message), ""});
  }

  void addUnknown(const Node& node) {
    if (node.op == "If" && !upstreamFailed(node))
      return addProblem(node,
                        "its condition depends on the image, and its branches give other shapes: export the "
                        "network by tracing with fixed shapes");
    if (node.op == "If") return;
    m_problems.push_back(
        {node.name, node.op, fmt::format("the operator cannot run at opset {}", m_out.graph.opset), advice(node.op)});
  }

  // The nodes that stand for a node: itself, except for an If of inlineBranches(), whose outputs are those of the
  // branch that its condition takes. Where that depends on the image, both branches run and each element is chosen.
  std::vector<Node> chooseBranch(const Node& node) const {
    if (node.op != "If" || node.inputs.size() != 1 + 2 * node.outputs.size()) return {node};
    const std::string& condition = node.inputs[0];
    const auto value = m_out.graph.constants.find(condition);
    const bool isKnown = value != m_out.graph.constants.end() && value->second.size() == 1;
    std::vector<Node> chosen;
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      const std::string &whenTrue = node.inputs[1 + i], &whenFalse = node.inputs[1 + node.outputs.size() + i];
      if (isKnown)
        chosen.push_back(
            {node.name, "Identity", {isTrue(value->second) ? whenTrue : whenFalse}, {node.outputs[i]}, {}});
      else if (isAlike(whenTrue, whenFalse))
        chosen.push_back({node.name, "Where", {condition, whenTrue, whenFalse}, {node.outputs[i]}, {}});
      else
        return {node};
    }
    return chosen;
  }

  static bool isTrue(const Tensor& condition) {
    return std::visit([](const auto& values) { return values[0] != 0; }, condition.data);
  }

  bool isAlike(const std::string& a, const std::string& b) const {
    const auto first = m_out.types.find(a), second = m_out.types.find(b);
    return first != m_out.types.end() && second != m_out.types.end() && first->second.shape == second->second.shape &&
           first->second.type == second->second.type;
  }

  // A branch that is not taken may be impossible with these shapes.
  void dropProblemsOfDeadNodes() {
    Graph visited{m_out.graph.opset, {}, m_out.graph.outputs, {}, std::move(m_visited)};
    removeDeadCode(visited);
    std::set<std::string> alive;
    for (const Node& node : visited.nodes) alive.insert(node.name);
    const auto isDead = [&](const NodeProblem& p) { return alive.count(p.node) == 0; };
    m_problems.erase(std::remove_if(m_problems.begin(), m_problems.end(), isDead), m_problems.end());
  }

  void collectNeeded() {
    for (const Node& node : m_out.graph.nodes) m_needed.insert(node.inputs.begin(), node.inputs.end());
    for (const ValueInfo& output : m_out.graph.outputs) m_needed.insert(output.name);
  }

  bool upstreamFailed(const Node& node) const {
    return std::any_of(node.inputs.begin(), node.inputs.end(),
                       [&](const std::string& name) { return !name.empty() && !m_out.types.count(name); });
  }

  // Infers the node's outputs; true if they are constants now.
  Expected<bool> visit(const Node& node) {
    if (upstreamFailed(node)) return false;  // its own trouble, if any, cannot be known
    const reference::Kernel& kernel = *reference::kernels().find(node.op, m_out.graph.opset);
    const OpCall call = m_out.call(node);
    if (auto ok = checkAttributeTypes(node); !ok) return call.refuse("{}", ok.error().message);
    if (auto ok = checkInputs(call, kernel); !ok) return passError(ok);
    auto types = kernel.infer(call);
    if (!types) return passError(types);
    if (auto ok = setTypes(call, *types); !ok) return passError(ok);
    if (!canFold(call, kernel, *types)) return false;
    std::vector<Tensor> values = kernel.run(call, *types);
    for (size_t i = 0; i < values.size() && i < node.outputs.size(); ++i)
      if (!node.outputs[i].empty()) m_out.graph.constants[node.outputs[i]] = std::move(values[i]);
    if (node.op == "DequantizeLinear") rememberIntegers(call);
    return true;
  }

  // Those with zero point 0, on which kernels compute.
  void rememberIntegers(const OpCall& call) {
    const auto isZero = [](const auto& values) {
      return std::all_of(values.begin(), values.end(), [](auto v) { return v == 0; });
    };
    if (call.input(0).type.type != Type::i8 || (call.has(2) && !std::visit(isZero, call.input(2).value->data))) return;
    const auto rank = static_cast<int64_t>(call.shape(0).size());
    m_out.integers[call.node().outputs[0]] = {*call.input(0).value, call.input(1).value->floats(),
                                              checkedAxis(call.integer("axis", 1), rank).value_or(0)};
  }

  static Expected<void> checkInputs(const OpCall& call, const reference::Kernel& kernel) {
    if (call.inputCount() > kernel.mostInputs) return call.refuse("has {} inputs", call.inputCount());
    for (size_t i = 0; i < std::max(call.inputCount(), kernel.fewestInputs); ++i) {
      if (i < kernel.fewestInputs && !call.has(i)) return call.refuse("input {} is missing", i);
      if (call.has(i) && kernel.accepts == reference::Accepts::floats && !call.input(i).type.isFloat())
        return call.refuse("input {} holds integers", i);
    }
    return {};
  }

  Expected<void> setTypes(const OpCall& call, const std::vector<ValueType>& types) {
    const Node& node = call.node();
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      const std::string& name = node.outputs[i];
      if (name.empty()) continue;
      if (i >= types.size()) {
        if (m_needed.count(name)) return call.refuse("its output {} (\"{}\") is not supported", i, name);
        continue;
      }
      const auto count = checkedCount(types[i].shape);
      if (!count || *count > kMostElements)
        return call.refuse("an output of shape {} is too large", shapeText(types[i].shape));
      m_out.types[name] = types[i];
    }
    return {};
  }

  // A network folds shapes and weights. Beyond that a hostile one could compute for hours before it even runs, so what
  // is left when the budget is used up stays a node.
  bool canFold(const OpCall& call, const reference::Kernel& kernel, const std::vector<ValueType>& types) {
    const std::string& op = call.node().op;
    if (op == "Shape" || op == "Size" || op == "Constant") return true;  // as large as the file, at most
    for (size_t i = 0; i < call.inputCount(); ++i)
      if (call.isDynamic(i)) return false;
    // So is what widens weights, once: kernels want them constant, however many there are.
    if ((op == "DequantizeLinear" || op == "Cast") && m_narrow.erase(call.node().inputs[0]) != 0) return true;
    double work = kernel.work ? kernel.work(call, types) : 0;
    for (const ValueType& type : types) work += static_cast<double>(elementCount(type.shape));
    for (size_t i = 0; i < call.inputCount(); ++i)
      if (call.has(i)) work += static_cast<double>(elementCount(call.shape(i)));
    if (m_foldingWork + work > kMostFoldingWork) return false;
    m_foldingWork += work;
    return true;
  }

  ResolvedGraph m_out;
  std::set<std::string> m_needed;  // names that a node or the graph's outputs use
  std::vector<Node> m_visited;     // without attributes
  std::vector<NodeProblem> m_problems;
  double m_foldingWork = 0;
  std::set<std::string> m_narrow;  // constants of the file that nothing has widened yet
};

}  // namespace

std::string ResolvedGraph::freshName(std::string stem) const {
  while (types.count(stem)) stem += "'";
  return stem;
}

OpCall ResolvedGraph::call(const Node& node) const {
  std::vector<std::optional<Operand>> inputs;
  for (const std::string& name : node.inputs) {
    if (name.empty()) {
      inputs.emplace_back();
      continue;
    }
    const auto constant = graph.constants.find(name);
    inputs.push_back(Operand{types.at(name), constant == graph.constants.end() ? nullptr : &constant->second});
  }
  return OpCall(node, graph.opset, std::move(inputs));
}

std::vector<ValueType> ResolvedGraph::outputTypes(const Node& node) const {
  std::vector<ValueType> found;
  for (const std::string& name : node.outputs) {
    const auto it = types.find(name);
    found.push_back(it == types.end() ? ValueType{} : it->second);
  }
  return found;
}

Expected<ResolvedGraph> resolve(const Graph& graph, const std::map<std::string, Shape>& inputShapes) {
  Resolver resolver(graph);
  if (auto ok = resolver.resolve(inputShapes); !ok) return passError(ok);
  return std::move(resolver).result();
}

Expected<std::vector<NodeProblem>> findProblems(const Graph& graph, const std::map<std::string, Shape>& inputShapes) {
  Resolver resolver(graph);
  if (auto ok = resolver.resolve(inputShapes); !ok) return passError(ok);
  return std::move(resolver).problems();
}

void removeDeadCode(Graph& graph) {
  std::set<std::string> needed;
  for (const ValueInfo& output : graph.outputs) needed.insert(output.name);
  std::vector<Node> alive;
  for (size_t i = graph.nodes.size(); i-- > 0;) {
    Node& node = graph.nodes[i];
    const bool used = std::any_of(node.outputs.begin(), node.outputs.end(),
                                  [&](const std::string& name) { return needed.count(name) != 0; });
    if (!used) continue;
    // Such as the indices of a MaxPool, which only slow kernels give. Split divides by how many there are.
    const auto unread = [&](const std::string& name) { return name.empty() || needed.count(name) == 0; };
    while (node.op != "Split" && node.outputs.size() > 1 && unread(node.outputs.back())) node.outputs.pop_back();
    needed.insert(node.inputs.begin(), node.inputs.end());
    alive.push_back(std::move(node));
  }
  std::reverse(alive.begin(), alive.end());
  graph.nodes = std::move(alive);
  for (auto it = graph.constants.begin(); it != graph.constants.end();)
    it = needed.count(it->first) ? std::next(it) : graph.constants.erase(it);
}

}  // namespace lynceus::nn
