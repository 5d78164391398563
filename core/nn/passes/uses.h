// Who computes a value and who reads it. Valid until nodes are added or taken away.
#pragma once

#include <cmath>
#include <map>
#include <string>

#include "core/nn/graph.h"

namespace lynceus::nn {

class Uses {
 public:
  explicit Uses(const Graph& graph) : m_graph(graph) {
    for (const Node& node : graph.nodes) {
      for (const std::string& name : node.outputs) m_producers[name] = &node;
      for (const std::string& name : node.inputs) ++m_readers[name];
    }
    for (const ValueInfo& output : graph.outputs) ++m_readers[output.name];
  }
  /// The node of this operator that computes the value, or nullptr.
  const Node* producer(const std::string& name, const std::string& op) const {
    const auto it = m_producers.find(name);
    return it != m_producers.end() && it->second->op == op ? it->second : nullptr;
  }
  /// How often nodes read the value; being an output of the graph counts as once.
  int readers(const std::string& name) const {
    const auto it = m_readers.find(name);
    return it == m_readers.end() ? 0 : it->second;
  }
  const Tensor* constant(const std::string& name) const {
    const auto it = m_graph.constants.find(name);
    return it == m_graph.constants.end() ? nullptr : &it->second;
  }
  /// True for a float constant of one element of about this value.
  bool isNumber(const std::string& name, float value) const {
    const Tensor* t = constant(name);
    return t && t->isFloat() && t->size() == 1 && std::abs(t->floats()[0] - value) <= 1e-6F * std::abs(value);
  }

 private:
  const Graph& m_graph;
  std::map<std::string, const Node*> m_producers;
  std::map<std::string, int> m_readers;
};

}  // namespace lynceus::nn
