#include "core/nn/reference/device.h"

#include <algorithm>
#include <new>
#include <utility>

#include "core/nn/cost.h"
#include "core/nn/passes/resolve.h"
#include "core/nn/passes/uses.h"
#include "core/nn/reference/kernel.h"
#include "core/nn/run_inputs.h"

namespace lynceus::nn::reference {
namespace {

class ReferenceExecutable : public compute::Executable {
 public:
  explicit ReferenceExecutable(ResolvedGraph graph) : m_resolved(std::move(graph)), m_uses(m_resolved.graph) {}

  Expected<std::vector<Tensor>> run(const std::vector<Tensor>& inputs, const job::Context& context) override {
    if (auto ok = checkRunInputs(m_resolved.graph, inputs); !ok) return passError(ok);
    try {
      return runNodes(inputs, context);
    } catch (const std::bad_alloc&) {
      return makeError(ErrorCode::resource, "not enough memory to run the network: use smaller tiles");
    }
  }

  compute::ExecutableReport report() const override {
    compute::ExecutableReport report;
    std::map<std::string, size_t> alive;  // computed values; each has memory of its own until its last reader is done
    size_t aliveBytes = 0;
    for (size_t i = 0; i < nodes().size(); ++i) {
      const Node& node = nodes()[i];
      const std::vector<ValueType> types = m_resolved.outputTypes(node);
      const Cost cost = costOf(m_resolved.call(node), types);
      report.steps.push_back(
          {node.name, node.op, "reference loops", types[0].shape, types[0].type, cost.flops, cost.bytes});
      for (size_t o = 0; o < node.outputs.size(); ++o)
        if (m_resolved.types.count(node.outputs[o])) aliveBytes += alive[node.outputs[o]] = types[o].bytes();
      report.arenaBytes = std::max(report.arenaBytes, aliveBytes);
      for (const std::string& name : node.inputs)
        if (m_uses.lastReader(name) == i) aliveBytes -= std::exchange(alive[name], 0);
    }
    report.boundBytes = report.arenaBytes;
    for (const auto& [name, tensor] : m_resolved.graph.constants)
      report.weightBytes += tensor.size() * bytesOf(tensor.type());
    return report;
  }

 private:
  const std::vector<Node>& nodes() const { return m_resolved.graph.nodes; }

  Expected<std::vector<Tensor>> runNodes(const std::vector<Tensor>& inputs, const job::Context& context) const {
    std::map<std::string, Tensor> computed;
    std::map<std::string, const Tensor*> values;
    for (const auto& [name, tensor] : m_resolved.graph.constants) values[name] = &tensor;
    for (size_t i = 0; i < inputs.size(); ++i) values[m_resolved.graph.inputs[i].name] = &inputs[i];
    for (size_t i = 0; i < nodes().size(); ++i) {
      if (context.cancelled()) return makeError(ErrorCode::cancelled, "stopped while a network ran");
      runNode(nodes()[i], values, computed);
      for (const std::string& name : nodes()[i].inputs)
        if (m_uses.lastReader(name) == i) computed.erase(name);
    }
    std::vector<Tensor> outputs;
    for (const ValueInfo& output : m_resolved.graph.outputs) outputs.push_back(*values.at(output.name));
    return outputs;
  }

  void runNode(const Node& node, std::map<std::string, const Tensor*>& values,
               std::map<std::string, Tensor>& computed) const {
    std::vector<std::optional<Operand>> operands;
    for (const std::string& name : node.inputs) {
      if (name.empty())
        operands.emplace_back();
      else
        operands.push_back(Operand{m_resolved.types.at(name), values.at(name)});
    }
    const std::vector<ValueType> types = m_resolved.outputTypes(node);
    const OpCall call(node, m_resolved.graph.opset, std::move(operands));
    std::vector<Tensor> results = kernels().find(node.op, call.opset())->run(call, types);
    for (size_t i = 0; i < results.size() && i < node.outputs.size(); ++i)
      if (!node.outputs[i].empty()) values[node.outputs[i]] = &(computed[node.outputs[i]] = std::move(results[i]));
  }

  ResolvedGraph m_resolved;
  Uses m_uses;
};

class ReferenceDevice : public compute::Device {
 public:
  std::string description() const override { return "reference (plain loops)"; }

  Expected<std::unique_ptr<compute::Executable>> compile(const Graph& graph,
                                                         const std::map<std::string, Shape>& inputShapes,
                                                         const compute::CompileOptions& options) override {
    if (options.precision != compute::Precision::fp32)
      return makeError(ErrorCode::wrongUse, "the device reference computes in float32: use --precision fp32");
    try {
      auto resolved = resolve(graph, inputShapes);
      if (!resolved) return passError(resolved);
      return std::make_unique<ReferenceExecutable>(std::move(*resolved));
    } catch (const std::bad_alloc&) {
      return makeError(ErrorCode::resource, "not enough memory for the network: use smaller tiles");
    }
  }
};

}  // namespace

std::unique_ptr<compute::Device> makeDevice() { return std::make_unique<ReferenceDevice>(); }

}  // namespace lynceus::nn::reference
