#include "core/nn/passes/lower_einsum.h"

#include <optional>

#include "core/nn/einsum.h"

namespace lynceus::nn {
namespace {

/// The indices of both operands and the result, a letter each.
struct Equation {
  std::string a, b, result;
};

bool has(const std::string& letters, char c) { return letters.find(c) != std::string::npos; }

// Nothing where an index is there twice or has no letter.
std::optional<std::string> lettersOf(const EinsumLabels& labels) {
  std::string letters;
  for (const EinsumLabel label : labels) {
    if (label <= 0 || has(letters, static_cast<char>(label))) return std::nullopt;
    letters += static_cast<char>(label);
  }
  return letters;
}

std::optional<Equation> equationOf(const OpCall& call) {
  const auto plan = einsumPlan(call);
  if (!plan || plan->operands.size() != 2) return std::nullopt;
  const auto a = lettersOf(plan->operands[0]), b = lettersOf(plan->operands[1]), result = lettersOf(plan->result);
  return a && b && result ? std::optional(Equation{*a, *b, *result}) : std::nullopt;
}

/// The same with the matrices' indices last: (batch, row, inner) times (batch, inner, column).
struct Product {
  std::string a, b, result;
};

std::optional<Product> productOf(const Equation& e) {
  std::string batch, rows, inner, columns;
  for (const char c : e.a) (has(e.b, c) ? has(e.result, c) ? batch : inner : rows) += c;
  for (const char c : e.b)
    if (!has(e.a, c)) columns += c;
  const bool single = rows.size() == 1 && inner.size() == 1 && columns.size() == 1;
  if (!single || !has(e.result, rows[0]) || !has(e.result, columns[0]) || e.result.size() != batch.size() + 2)
    return std::nullopt;
  return Product{batch + rows + inner, batch + inner + columns, batch + rows + columns};
}

// perm of the Transpose that brings indices `from` into the order `to`.
Shape permutation(const std::string& from, const std::string& to) {
  Shape perm;
  for (const char c : to) perm.push_back(static_cast<int64_t>(from.find(c)));
  return perm;
}

class Lowering {
 public:
  explicit Lowering(ResolvedGraph& resolved) : m_resolved(resolved) {}

  void run() {
    for (Node& node : m_resolved.graph.nodes)
      if (!lower(node)) m_nodes.push_back(std::move(node));
    m_resolved.graph.nodes = std::move(m_nodes);
  }

 private:
  bool lower(const Node& node) {
    if (node.op != "Einsum") return false;
    const auto equation = equationOf(m_resolved.call(node));
    const auto product = equation ? productOf(*equation) : std::nullopt;
    if (!product || !broadcastsNothing(node, *equation)) return false;
    const std::string a = transposed(node, node.inputs[0], equation->a, product->a);
    const std::string b = transposed(node, node.inputs[1], equation->b, product->b);
    if (product->result == equation->result) {
      m_nodes.push_back({node.name, "MatMul", {a, b}, node.outputs, {}});
      return true;
    }
    const ValueType& result = m_resolved.types.at(node.outputs[0]);
    const std::string matrix = newValue(node, reordered(result, permutation(equation->result, product->result)));
    m_nodes.push_back({node.name, "MatMul", {a, b}, {matrix}, {}});
    m_nodes.push_back({node.name + "/transpose",
                       "Transpose",
                       {matrix},
                       node.outputs,
                       {{"perm", permutation(product->result, equation->result)}}});
    return true;
  }

  // An index of size 1 in one operand and more in the other would be more than a MatMul does.
  bool broadcastsNothing(const Node& node, const Equation& e) const {
    const Shape &a = m_resolved.types.at(node.inputs[0]).shape, &b = m_resolved.types.at(node.inputs[1]).shape;
    for (size_t i = 0; i < a.size(); ++i)
      if (has(e.b, e.a[i]) && b[e.b.find(e.a[i])] != a[i]) return false;
    return true;
  }

  static ValueType reordered(const ValueType& type, const Shape& perm) {
    ValueType result = type;
    for (size_t i = 0; i < perm.size(); ++i) result.shape[i] = type.shape[static_cast<size_t>(perm[i])];
    return result;
  }

  std::string newValue(const Node& node, ValueType type) {
    std::string name = m_resolved.freshName(node.outputs[0] + "/transposed");
    m_resolved.types[name] = std::move(type);
    return name;
  }

  std::string transposed(const Node& node, const std::string& value, const std::string& from, const std::string& to) {
    if (from == to) return value;
    const Shape perm = permutation(from, to);
    std::string result = newValue(node, reordered(m_resolved.types.at(value), perm));
    m_nodes.push_back({node.name + "/transpose", "Transpose", {value}, {result}, {{"perm", perm}}});
    return result;
  }

  ResolvedGraph& m_resolved;
  std::vector<Node> m_nodes;
};

}  // namespace

void lowerEinsum(ResolvedGraph& resolved) { Lowering(resolved).run(); }

}  // namespace lynceus::nn
