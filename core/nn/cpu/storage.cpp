#include "core/nn/cpu/storage.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "core/nn/cpu/kernel.h"

namespace lynceus::nn::cpu {
namespace {

class StoragePass {
 public:
  StoragePass(ResolvedGraph& resolved, compute::Precision precision) : m_resolved(resolved), m_precision(precision) {}

  void run() {
    Graph& graph = m_resolved.graph;
    for (const ValueInfo& output : graph.outputs) m_staysFloat.insert(output.name);
    if (m_precision == compute::Precision::bf16) findValuesForBf16();
    for (Node& node : graph.nodes) place(node);
    graph.nodes = std::move(m_nodes);
  }

 private:
  bool runsInBf16(const Node& node) const {
    return m_precision == compute::Precision::bf16 && kernelFor(node.op, m_resolved.graph.opset).bf16;
  }

  // A value that only float kernels read would lose digits for nothing.
  void findValuesForBf16() {
    std::set<std::string> wanted;
    for (const Node& node : m_resolved.graph.nodes)
      if (runsInBf16(node)) wanted.insert(node.inputs.begin(), node.inputs.end());
    for (const Node& node : m_resolved.graph.nodes)
      for (const std::string& name : node.outputs)
        if (!wanted.count(name)) m_staysFloat.insert(name);
  }

  void place(Node& node) {
    const Kernel& kernel = kernelFor(node.op, m_resolved.graph.opset);
    const bool bf16 = runsInBf16(node);
    const auto first = std::find_if(node.outputs.begin(), node.outputs.end(),
                                    [&](const std::string& name) { return m_resolved.types.count(name) != 0; });
    const ValueType output = first == node.outputs.end() ? ValueType{} : m_resolved.types.at(*first);
    const Layouts layouts = kernel.layouts(m_resolved.call(node), output);
    for (std::string& name : node.inputs) {
      if (name.empty()) continue;
      const ValueType& have = m_resolved.types.at(name);
      const bool constant = m_resolved.graph.constants.count(name) != 0;
      ValueType want = have;
      if (!constant || (layouts.constants && have.shape.size() == output.shape.size()))
        want.layout = normalised(have.shape, layouts.inputs);
      if (!constant && have.isFloat()) want.type = bf16 ? Type::bf16 : Type::f32;
      name = stored(name, have, want);
    }
    for (const std::string& name : node.outputs) {
      const auto it = m_resolved.types.find(name);
      if (it == m_resolved.types.end()) continue;
      it->second.layout = normalised(it->second.shape, layouts.outputs);
      if (bf16 && it->second.type == Type::f32 && !m_staysFloat.count(name)) it->second.type = Type::bf16;
    }
    m_nodes.push_back(std::move(node));
  }

  // The name of the value stored as wanted; a copy is made once for all its readers.
  std::string stored(const std::string& name, const ValueType& have, const ValueType& want) {
    if (have.layout == want.layout && have.type == want.type) return name;
    std::string& copy = m_copies[{name, want.type, want.layout}];
    if (copy.empty()) {
      copy = fmt::format("{}/{}{}", name, want.type == Type::bf16 ? "bf16" : "f32",
                         want.layout == Layout::channelsLast ? "/channels_last" : "");
      while (m_resolved.types.count(copy)) copy += "'";  // the file may use the name
      m_resolved.types[copy] = want;
      m_nodes.push_back({copy, kReorder, {name}, {copy}, {}});
    }
    return copy;
  }

  ResolvedGraph& m_resolved;
  compute::Precision m_precision;
  std::set<std::string> m_staysFloat;
  std::map<std::tuple<std::string, Type, Layout>, std::string> m_copies;
  std::vector<Node> m_nodes;
};

}  // namespace

void chooseStorage(ResolvedGraph& resolved, compute::Precision precision) { StoragePass(resolved, precision).run(); }

}  // namespace lynceus::nn::cpu
