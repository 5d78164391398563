#include "core/nn/cpu/device.h"

#include <algorithm>
#include <cstdlib>
#include <new>

#include <omp.h>

#include "core/nn/cpu/kernel.h"
#include "core/nn/passes/fuse.h"
#include "core/nn/run_inputs.h"

namespace lynceus::nn::cpu {
namespace {

using Memory = std::unique_ptr<float, decltype(&std::free)>;

Memory allocate(size_t bytes) {
  constexpr size_t kAlignment = 64;  // a cache line, and the widest vector
  auto* p = static_cast<float*>(std::aligned_alloc(kAlignment, (bytes + kAlignment) / kAlignment * kAlignment));
  if (!p) throw std::bad_alloc();
  return {p, &std::free};
}

size_t bytesOf(const Shape& shape) { return static_cast<size_t>(elementCount(shape)) * sizeof(float); }

// Where a value lies while the network runs.
struct Place {
  enum class Kind { slot, callerInput, constant } kind = Kind::slot;
  size_t index = 0;
};

/// Hands out buffers ("slots") to values and takes them back after the last use, so that few are enough.
class SlotPlan {
 public:
  size_t take(size_t bytes) {
    size_t best = m_sizes.size();
    for (size_t i = 0; i < m_sizes.size(); ++i)
      if (m_free[i] && (best == m_sizes.size() || better(m_sizes[i], m_sizes[best], bytes))) best = i;
    if (best == m_sizes.size()) {
      m_sizes.push_back(0);
      m_free.push_back(true);
    }
    m_sizes[best] = std::max(m_sizes[best], bytes);
    m_free[best] = false;
    return best;
  }
  void giveBack(size_t slot) { m_free[slot] = true; }
  const std::vector<size_t>& sizes() const { return m_sizes; }

 private:
  // The smallest that is large enough, else the largest.
  static bool better(size_t a, size_t b, size_t wanted) {
    if ((a >= wanted) != (b >= wanted)) return a >= wanted;
    return a >= wanted ? a < b : a > b;
  }
  std::vector<size_t> m_sizes;
  std::vector<bool> m_free;
};

class CpuExecutable : public compute::Executable {
 public:
  explicit CpuExecutable(ResolvedGraph resolved) : m_resolved(std::move(resolved)), m_stream(engine()) {}

  Expected<void> prepare() {
    std::vector<std::string> refused;
    for (const Node& node : graph().nodes) {
      auto step = makeStep(node);
      if (step)
        m_steps.push_back(std::move(*step));
      else
        refused.push_back(step.error().message);
    }
    if (!refused.empty())
      return makeError(ErrorCode::unsupported, "the device cpu cannot run this network: {}", fmt::join(refused, "; "));
    placeValues();
    return {};
  }

  Expected<std::vector<Tensor>> run(const std::vector<Tensor>& inputs) override {
    if (auto ok = checkRunInputs(graph(), inputs); !ok) return passError(ok);
    try {
      return runSteps(inputs);
    } catch (const std::bad_alloc&) {
      return makeError(ErrorCode::resource, "not enough memory to run the network: use smaller tiles");
    } catch (const dnnl::error& e) {
      return makeError(ErrorCode::internal, "oneDNN failed: {}", e.what());
    }
  }

 private:
  const Graph& graph() const { return m_resolved.graph; }
  const Shape& shapeOf(const std::string& name) const { return m_resolved.types.at(name).shape; }

  std::vector<ValueType> outputTypes(const Node& node) const {
    std::vector<ValueType> types;
    for (const std::string& name : node.outputs) {
      const auto it = m_resolved.types.find(name);
      types.push_back(it == m_resolved.types.end() ? ValueType{} : it->second);
    }
    return types;
  }

  Expected<Step> makeStep(const Node& node) const {
    const OpCall call = m_resolved.call(node);
    const Kernel* kernel = kernels().find(node.op, graph().opset);
    if (!kernel) return call.refuse("there is no kernel for it; try --device reference");
    const std::vector<ValueType> types = outputTypes(node);
    for (const ValueType& type : types)
      if (!type.isFloat()) return call.refuse("it computes integers from the input; try --device reference");
    try {
      return (*kernel)(call, types);
    } catch (const dnnl::error& e) {
      return call.refuse("oneDNN cannot run it ({})", e.what());
    }
  }

  // Decides for every value where it lies, and allocates the buffers.
  void placeValues() {
    std::map<std::string, size_t> lastUse;
    for (size_t i = 0; i < graph().nodes.size(); ++i)
      for (const std::string& name : graph().nodes[i].inputs) lastUse[name] = i;
    for (const ValueInfo& output : graph().outputs) lastUse[output.name] = graph().nodes.size();
    SlotPlan plan;
    for (size_t i = 0; i < graph().inputs.size(); ++i) {
      const ValueInfo& input = graph().inputs[i];
      m_places[input.name] = isReordered(input.shape) ? Place{Place::Kind::slot, plan.take(bytesOf(input.shape))}
                                                      : Place{Place::Kind::callerInput, i};
    }
    for (size_t i = 0; i < graph().nodes.size(); ++i) placeOutputs(i, lastUse, plan);
    for (const size_t bytes : plan.sizes()) m_slots.push_back(allocate(bytes));
    size_t scratch = 0;
    for (const Step& step : m_steps) scratch = std::max(scratch, step.scratchBytes);
    m_scratch = allocate(scratch);
  }

  void placeOutputs(size_t at, const std::map<std::string, size_t>& lastUse, SlotPlan& plan) {
    const Node& node = graph().nodes[at];
    const Step& step = m_steps[at];
    for (const size_t i : step.constants) placeConstant(node.inputs[i]);
    std::vector<size_t> dying;
    for (const std::string& name : node.inputs) {
      const auto it = m_places.find(name);
      if (it == m_places.end() || it->second.kind != Place::Kind::slot || lastUse.at(name) != at) continue;
      if (std::find(dying.begin(), dying.end(), it->second.index) == dying.end()) dying.push_back(it->second.index);
    }
    for (size_t o = 0; o < node.outputs.size(); ++o) {
      const std::string& name = node.outputs[o];
      if (name.empty() || !m_resolved.types.count(name)) continue;
      size_t slot = 0;
      const auto reused = o == 0 ? inPlaceSlot(node, step, dying) : dying.end();
      if (reused != dying.end()) {
        slot = *reused;
        dying.erase(reused);
      } else {
        slot = plan.take(bytesOf(shapeOf(name)));
      }
      m_places[name] = {Place::Kind::slot, slot};
      if (!lastUse.count(name)) dying.push_back(slot);
    }
    for (const size_t slot : dying) plan.giveBack(slot);
  }

  // The slot of the input that the step may overwrite, if nobody needs that value afterwards.
  std::vector<size_t>::iterator inPlaceSlot(const Node& node, const Step& step, std::vector<size_t>& dying) const {
    if (step.inPlace < 0) return dying.end();
    const std::string& name = node.inputs[static_cast<size_t>(step.inPlace)];
    if (std::count(node.inputs.begin(), node.inputs.end(), name) > 1) return dying.end();  // a convolution of x, plus x
    const auto it = m_places.find(name);
    if (it == m_places.end() || it->second.kind != Place::Kind::slot) return dying.end();
    return std::find(dying.begin(), dying.end(), it->second.index);
  }

  void placeConstant(const std::string& name) {
    if (m_places.count(name)) return;
    const Tensor& tensor = graph().constants.at(name);
    m_places[name] = {Place::Kind::constant, m_constants.size()};
    m_constants.push_back(allocate(bytesOf(tensor.shape)));
    toChannelsLast(tensor.shape, tensor.floats().data(), m_constants.back().get());
  }

  float* at(const std::string& name, const std::vector<Tensor>& inputs) const {
    const auto it = m_places.find(name);
    if (it == m_places.end()) return nullptr;
    switch (it->second.kind) {
      case Place::Kind::slot: return m_slots[it->second.index].get();
      case Place::Kind::constant: return m_constants[it->second.index].get();
      case Place::Kind::callerInput: break;
    }
    return const_cast<float*>(inputs[it->second.index].floats().data());  // no step writes to its inputs
  }

  std::vector<Tensor> runSteps(const std::vector<Tensor>& inputs) {
    for (size_t i = 0; i < inputs.size(); ++i)
      if (isReordered(inputs[i].shape))
        toChannelsLast(inputs[i].shape, inputs[i].floats().data(), at(graph().inputs[i].name, inputs));
    for (size_t i = 0; i < m_steps.size(); ++i) {
      const Node& node = graph().nodes[i];
      Arguments arguments{{}, {}, m_scratch.get(), m_stream};
      for (const std::string& name : node.inputs) arguments.inputs.push_back(at(name, inputs));
      for (const std::string& name : node.outputs) arguments.outputs.push_back(at(name, inputs));
      m_steps[i].run(arguments);
    }
    m_stream.wait();
    std::vector<Tensor> outputs;
    for (const ValueInfo& output : graph().outputs) outputs.push_back(fetch(output, inputs));
    return outputs;
  }

  Tensor fetch(const ValueInfo& output, const std::vector<Tensor>& inputs) const {
    if (const auto constant = graph().constants.find(output.name); constant != graph().constants.end())
      return constant->second;
    for (size_t i = 0; i < inputs.size(); ++i)
      if (graph().inputs[i].name == output.name) return inputs[i];
    Tensor result = Tensor::zeros(output.shape);
    toRowMajor(output.shape, at(output.name, inputs), result.floats().data());
    return result;
  }

  ResolvedGraph m_resolved;
  dnnl::stream m_stream;
  std::vector<Step> m_steps;  // one for each node
  std::map<std::string, Place> m_places;
  std::vector<Memory> m_slots, m_constants;
  Memory m_scratch{nullptr, &std::free};
};

class CpuDevice : public compute::Device {
 public:
  std::string description() const override {
    const dnnl_version_t* v = dnnl_version();
    return fmt::format("cpu (oneDNN {}.{}.{}, {} threads)", v->major, v->minor, v->patch, omp_get_max_threads());
  }

  Expected<std::unique_ptr<compute::Executable>> compile(const Graph& graph,
                                                         const std::map<std::string, Shape>& inputShapes) override {
    auto resolved = resolve(graph, inputShapes);
    if (!resolved) return passError(resolved);
    removeIdentities(*resolved);
    foldBatchNorm(*resolved);
    fuseConvolutions(*resolved);
    removeDeadCode(resolved->graph);
    try {
      auto executable = std::make_unique<CpuExecutable>(std::move(*resolved));
      if (auto ok = executable->prepare(); !ok) return passError(ok);
      return executable;
    } catch (const std::bad_alloc&) {
      return makeError(ErrorCode::resource, "not enough memory for the network: use smaller tiles");
    }
  }
};

}  // namespace

std::unique_ptr<compute::Device> makeDevice() { return std::make_unique<CpuDevice>(); }

}  // namespace lynceus::nn::cpu
