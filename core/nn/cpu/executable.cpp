#include "core/nn/cpu/executable.h"

#include <algorithm>
#include <new>
#include <set>

#include "core/memory_pages.h"
#include "core/nn/cost.h"
#include "core/nn/passes/memory_plan.h"
#include "core/nn/passes/uses.h"
#include "core/nn/run_inputs.h"

namespace lynceus::nn::cpu {
namespace {

/// Which values share memory, and from which step to which it is in use.
class Lifetimes {
 public:
  Lifetimes(const Graph& graph, bool reuseMemory) : m_graph(graph), m_uses(graph), m_reuse(reuseMemory) {}

  void addOutput(size_t step, const std::string& name, size_t bytes, const std::string* mayReplace) {
    const size_t last = m_uses.lastReader(name).value_or(step);
    if (mayReplace && replaces(step, *mayReplace, bytes)) {
      const size_t buffer = m_bufferOf.at(*mayReplace);
      m_bufferOf[name] = buffer;
      m_buffers[buffer].lastStep = last;
      return;
    }
    m_bufferOf[name] = add(bytes, step, last);
  }
  size_t add(size_t bytes, size_t first, size_t last) {
    m_buffers.push_back(m_reuse ? Buffer{bytes, first, last} : Buffer{bytes, 0, m_graph.nodes.size()});
    return m_buffers.size() - 1;
  }
  const std::vector<Buffer>& buffers() const { return m_buffers; }
  const std::map<std::string, size_t>& bufferOf() const { return m_bufferOf; }

 private:
  // True if nobody needs the input afterwards, and the step itself reads it once only (not a convolution of x, plus x).
  bool replaces(size_t step, const std::string& input, size_t bytes) const {
    const auto& names = m_graph.nodes[step].inputs;
    const auto buffer = m_bufferOf.find(input);
    return m_reuse && buffer != m_bufferOf.end() && m_buffers[buffer->second].bytes == bytes &&
           m_uses.lastReader(input) == step && m_buffers[buffer->second].lastStep == step &&
           std::count(names.begin(), names.end(), input) == 1;
  }

  const Graph& m_graph;
  Uses m_uses;
  bool m_reuse;
  std::map<std::string, size_t> m_bufferOf;
  std::vector<Buffer> m_buffers;
};

}  // namespace

Expected<std::unique_ptr<CpuExecutable>> CpuExecutable::create(ResolvedGraph resolved, bool reuseMemory) {
  std::unique_ptr<CpuExecutable> executable(new CpuExecutable(std::move(resolved)));
  if (auto ok = executable->buildSteps(); !ok) return passError(ok);
  executable->placeValues(reuseMemory);
  executable->describeSteps();
  executable->dropUnusedConstants();
  return executable;
}

Expected<void> CpuExecutable::buildSteps() {
  std::vector<std::string> refused;
  for (const Node& node : graph().nodes) {
    auto step = makeStep(node);
    if (step)
      m_steps.push_back(std::move(*step));
    else
      refused.push_back(step.error().message);
  }
  if (refused.empty()) return {};
  return makeError(ErrorCode::unsupported, "the device cpu cannot run this network: {}", fmt::join(refused, "; "));
}

Expected<Step> CpuExecutable::makeStep(const Node& node) const {
  const OpCall call = m_resolved.call(node);
  try {
    return kernelFor(node.op, graph().opset).build(call, m_resolved.outputTypes(node));
  } catch (const dnnl::error& e) {
    return call.refuse("oneDNN cannot run it ({})", e.what());
  }
}

void CpuExecutable::placeValues(bool reuseMemory) {
  Lifetimes lifetimes(graph(), reuseMemory);
  std::vector<size_t> scratchBuffers;
  for (size_t i = 0; i < m_steps.size(); ++i) {
    const Node& node = graph().nodes[i];
    const Step& step = m_steps[i];
    scratchBuffers.push_back(lifetimes.add(step.scratchBytes, i, i));
    for (size_t o = 0; o < node.outputs.size(); ++o) {
      const auto type = m_resolved.types.find(node.outputs[o]);
      if (node.outputs[o].empty() || type == m_resolved.types.end()) continue;
      const bool inPlace = o == 0 && step.inPlace >= 0;
      lifetimes.addOutput(i, node.outputs[o], type->second.bytes(),
                          inPlace ? &node.inputs[static_cast<size_t>(step.inPlace)] : nullptr);
    }
  }
  const MemoryPlan plan = planMemory(lifetimes.buffers());
  m_arena = allocatePages(plan.arenaBytes);
  if (!m_arena) throw std::bad_alloc();
  for (const size_t buffer : scratchBuffers) m_scratch.push_back(plan.offsets[buffer]);
  for (const auto& [name, buffer] : lifetimes.bufferOf())
    m_places[name] = {Place::Kind::arena, plan.offsets[buffer], nullptr};
  for (size_t i = 0; i < graph().inputs.size(); ++i)
    m_places[graph().inputs[i].name] = {Place::Kind::callerInput, i, nullptr};
  for (size_t i = 0; i < m_steps.size(); ++i)
    for (const size_t input : m_steps[i].constants) {
      const std::string& name = graph().nodes[i].inputs[input];
      if (const auto it = graph().constants.find(name); it != graph().constants.end())
        m_places[name] = {Place::Kind::constant, 0, &it->second};
    }
  m_report.arenaBytes = plan.arenaBytes;
  m_report.boundBytes = plan.boundBytes;
}

// Weights live on in the steps, in the order that oneDNN wants.
void CpuExecutable::dropUnusedConstants() {
  std::set<std::string> used;
  for (const ValueInfo& output : graph().outputs) used.insert(output.name);
  for (const auto& [name, place] : m_places)
    if (place.kind == Place::Kind::constant) used.insert(name);
  std::map<std::string, Tensor>& constants = m_resolved.graph.constants;
  for (auto it = constants.begin(); it != constants.end();) {
    if (used.count(it->first)) {
      m_report.weightBytes += it->second.size() * bytesOf(it->second.type());
      ++it;
    } else {
      it = constants.erase(it);
    }
  }
}

void CpuExecutable::describeSteps() {
  for (size_t i = 0; i < m_steps.size(); ++i) {
    const Node& node = graph().nodes[i];
    const std::vector<ValueType> outputs = m_resolved.outputTypes(node);
    const Cost cost = costOf(m_resolved.call(node), outputs);
    m_report.steps.push_back(
        {node.name, node.op, m_steps[i].kernel, outputs[0].shape, outputs[0].type, cost.flops, cost.bytes});
    m_report.weightBytes += m_steps[i].weightBytes;
  }
}

Expected<std::vector<Tensor>> CpuExecutable::run(const std::vector<Tensor>& inputs, const job::Context& context) {
  if (auto ok = checkRunInputs(graph(), inputs); !ok) return passError(ok);
  try {
    return runSteps(inputs, context);
  } catch (const std::bad_alloc&) {
    return makeError(ErrorCode::resource, "not enough memory to run the network: use smaller tiles");
  } catch (const dnnl::error& e) {
    return makeError(ErrorCode::internal, "oneDNN failed: {}", e.what());
  }
}

const void* CpuExecutable::address(const std::string& name, const std::vector<Tensor>& inputs) const {
  const auto it = m_places.find(name);
  if (it == m_places.end()) return nullptr;
  switch (it->second.kind) {
    case Place::Kind::arena: return arenaAt(it->second.index);
    case Place::Kind::constant: return it->second.constant->bytes();
    case Place::Kind::callerInput: break;
  }
  return inputs[it->second.index].bytes();
}

Expected<std::vector<Tensor>> CpuExecutable::runSteps(const std::vector<Tensor>& inputs, const job::Context& context) {
  for (size_t i = 0; i < m_steps.size(); ++i) {
    if (context.cancelled()) return makeError(ErrorCode::cancelled, "stopped while a network ran");
    const Node& node = graph().nodes[i];
    Arguments arguments{{}, {}, arenaAt(m_scratch[i]), m_stream};
    for (const std::string& name : node.inputs) arguments.inputs.push_back(address(name, inputs));
    for (const std::string& name : node.outputs) {
      const auto it = m_places.find(name);
      arguments.outputs.push_back(it == m_places.end() ? nullptr : arenaAt(it->second.index));
    }
    m_steps[i].run(arguments);
  }
  m_stream.wait();
  std::vector<Tensor> outputs;
  for (const ValueInfo& output : graph().outputs) outputs.push_back(fetch(output, inputs));
  return outputs;
}

Tensor CpuExecutable::fetch(const ValueInfo& output, const std::vector<Tensor>& inputs) const {
  if (const auto constant = graph().constants.find(output.name); constant != graph().constants.end())
    return constant->second;
  const ValueType& stored = m_resolved.types.at(output.name);
  const ValueType given{stored.shape, stored.type == Type::bf16 ? Type::f32 : stored.type};
  Tensor result = Tensor::zeros(given.shape, given.type);
  reorder(stored, address(output.name, inputs), given, result.bytes());
  return result;
}

}  // namespace lynceus::nn::cpu
