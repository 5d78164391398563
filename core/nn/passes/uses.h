// Who computes a value and who reads it.
#pragma once

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <string>

#include "core/nn/graph.h"

namespace lynceus::nn {

/// Of a graph whose nodes keep their positions. A node that changes is seen as it is now, values with the readers that
/// they had in the beginning; movedTo() keeps up with a node that takes another's place.
class Uses {
 public:
  explicit Uses(const Graph& graph) : m_graph(graph) {
    for (size_t i = 0; i < graph.nodes.size(); ++i) {
      for (const std::string& name : graph.nodes[i].outputs) m_producers[name] = i;
      for (const std::string& name : graph.nodes[i].inputs) addReader(name, i);
    }
    for (const ValueInfo& output : graph.outputs) addReader(output.name, graph.nodes.size());
  }

  /// The node that computes the value, or nullptr.
  const Node* producer(const std::string& name) const {
    const auto it = m_producers.find(name);
    return it == m_producers.end() ? nullptr : &m_graph.nodes[it->second];
  }
  /// The same, if its operator is this one.
  const Node* producer(const std::string& name, const std::string& op) const {
    const Node* node = producer(name);
    return node && node->op == op ? node : nullptr;
  }

  /// How often nodes read the value; being an output of the graph counts as once.
  int readers(const std::string& name) const {
    const auto it = m_readers.find(name);
    return it == m_readers.end() ? 0 : it->second.count;
  }
  /// Position of the last node that reads the value: the number of nodes for an output of the graph, nothing where
  /// nobody does.
  std::optional<size_t> lastReader(const std::string& name) const {
    const auto it = m_readers.find(name);
    return it == m_readers.end() ? std::nullopt : std::optional(it->second.last);
  }
  bool isOutput(const std::string& name) const { return lastReader(name) == m_graph.nodes.size(); }
  /// Position of the one node that reads the value, once; nothing where others do or it is an output of the graph.
  std::optional<size_t> onlyReader(const std::string& name) const {
    return readers(name) == 1 && !isOutput(name) ? lastReader(name) : std::nullopt;
  }
  /// The node at this position reads what one before it did.
  void movedTo(size_t position) {
    for (const std::string& name : m_graph.nodes[position].inputs)
      if (const auto it = m_readers.find(name); it != m_readers.end())
        it->second.last = std::max(it->second.last, position);
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
  struct Readers {
    int count = 0;
    size_t last = 0;
  };

  void addReader(const std::string& name, size_t position) {
    Readers& readers = m_readers[name];
    ++readers.count;
    readers.last = position;
  }

  const Graph& m_graph;
  std::map<std::string, size_t> m_producers;
  std::map<std::string, Readers> m_readers;
};

}  // namespace lynceus::nn
