#include "core/nn/inline_branches.h"

#include <algorithm>
#include <map>
#include <vector>

namespace lynceus::nn {
namespace {

using onnx::AttributeProto;
using onnx::GraphProto;
using onnx::NodeProto;

constexpr size_t kDeepest = 16;  // an If inside an If; exporters write two or three

class BranchInliner {
 public:
  explicit BranchInliner(GraphProto& graph) : m_graph(graph) {}

  Expected<void> run() {
    for (int i = 0, count = m_graph.node_size(); i < count; ++i)
      if (auto ok = inlineNode(i); !ok) return ok;
    return {};
  }

 private:
  template <class... Args>
  static tl::unexpected<Error> refuse(const NodeProto& node, fmt::format_string<Args...> text, Args&&... args) {
    return makeError(ErrorCode::badInput, "node \"{}\" (If): {}", node.name(),
                     fmt::format(text, std::forward<Args>(args)...));
  }

  Expected<void> inlineNode(int at) {
    const NodeProto node = m_graph.node(at);
    if (node.op_type() != "If" || node.output_size() == 0) return {};
    if (node.input_size() != 1) return refuse(node, "has {} inputs instead of its condition", node.input_size());
    if (m_scopes.size() >= kDeepest) return refuse(node, "is nested more than {} deep", kDeepest);
    std::vector<std::string> results;
    for (const char* name : {"then_branch", "else_branch"})
      if (auto ok = inlineBranch(node, name, results); !ok) return ok;
    NodeProto& select = *m_graph.mutable_node(at);
    select.clear_attribute();
    for (std::string& value : results) select.add_input(std::move(value));
    return {};
  }

  Expected<void> inlineBranch(const NodeProto& node, const std::string& which, std::vector<std::string>& results) {
    GraphProto branch;
    bool isThere = false;
    for (const AttributeProto& a : node.attribute())
      if (a.name() == which) isThere = branch.ParseFromString(a.g());
    if (!isThere) return refuse(node, "its {} is missing or damaged", which);
    if (branch.output_size() < node.output_size())
      return refuse(node, "its {} gives {} of {} outputs", which, branch.output_size(), node.output_size());
    m_scopes.push_back(namesOf(branch, fmt::format("{}#{}/", which, m_branches++)));
    for (auto& tensor : *branch.mutable_initializer()) {
      tensor.set_name(inGraph(tensor.name()));
      m_graph.add_initializer()->Swap(&tensor);
    }
    for (NodeProto& inner : *branch.mutable_node()) {
      for (std::string& name : *inner.mutable_input()) name = inGraph(name);
      for (std::string& name : *inner.mutable_output()) name = inGraph(name);
      m_graph.add_node()->Swap(&inner);
      if (auto ok = inlineNode(m_graph.node_size() - 1); !ok) return ok;
    }
    for (int i = 0; i < node.output_size(); ++i) results.push_back(inGraph(branch.output(i).name()));
    m_scopes.pop_back();
    return {};
  }

  using Names = std::map<std::string, std::string>;  // in a branch -> in the graph

  // Branches may use the same names. The prefix is short, because a hostile name could be as long as the file.
  static Names namesOf(const GraphProto& branch, const std::string& prefix) {
    Names names;
    for (const auto& tensor : branch.initializer()) names[tensor.name()] = prefix + tensor.name();
    for (const NodeProto& node : branch.node())
      for (const std::string& name : node.output())
        if (!name.empty()) names[name] = prefix + name;
    return names;
  }

  // Branches read values of all graphs around them.
  std::string inGraph(const std::string& name) const {
    const auto scope =
        std::find_if(m_scopes.rbegin(), m_scopes.rend(), [&](const Names& names) { return names.count(name) != 0; });
    return scope == m_scopes.rend() ? name : scope->at(name);
  }

  GraphProto& m_graph;
  int m_branches = 0;
  std::vector<Names> m_scopes;  // of the branch at work and those around it
};

}  // namespace

Expected<void> inlineBranches(GraphProto& graph) { return BranchInliner(graph).run(); }

}  // namespace lynceus::nn
