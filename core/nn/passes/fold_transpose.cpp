#include "core/nn/passes/fold_transpose.h"

#include "core/nn/passes/uses.h"

namespace lynceus::nn {
namespace {

// Where each axis of the result comes from.
Shape orderOf(const ResolvedGraph& resolved, const Node& transpose) {
  Shape order = resolved.call(transpose).integers("perm");
  if (order.empty())
    for (size_t d = resolved.types.at(transpose.inputs[0]).shape.size(); d-- > 0;)
      order.push_back(static_cast<int64_t>(d));
  return order;
}

}  // namespace

bool isPlainMatMul(const ResolvedGraph& resolved, const Node& node) {
  if (node.op != "MatMul") return false;
  for (const size_t i : {size_t{0}, size_t{1}}) {
    const Shape& shape = resolved.types.at(node.inputs[i]).shape;
    if (shape.size() < 2 || shape.size() > 8 || elementCount(shape) == 0) return false;
  }
  return true;
}

void foldTransposes(ResolvedGraph& resolved) {
  const Uses uses(resolved.graph);
  for (Node& node : resolved.graph.nodes) {
    if (!isPlainMatMul(resolved, node)) continue;
    for (const size_t i : {size_t{0}, size_t{1}}) {
      const Node* transpose = uses.producer(node.inputs[i], "Transpose");
      const char* attribute = i == 0 ? kTransposeA : kTransposeB;
      if (!transpose || node.attributes.count(attribute)) continue;
      node.attributes[attribute] = orderOf(resolved, *transpose);
      node.inputs[i] = transpose->inputs[0];
    }
  }
  removeDeadCode(resolved.graph);
}

}  // namespace lynceus::nn
