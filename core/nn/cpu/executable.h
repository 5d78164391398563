// A network prepared for the cpu: steps, constants, and one arena for everything that is computed.
#pragma once

#include "core/compute/device.h"
#include "core/nn/cpu/kernel.h"
#include "core/nn/passes/resolve.h"

namespace lynceus::nn::cpu {

class CpuExecutable : public compute::Executable {
 public:
  /// @param resolved  a graph that has been through chooseStorage(). May throw std::bad_alloc.
  /// @return an error that names each node that cannot run.
  static Expected<std::unique_ptr<CpuExecutable>> create(ResolvedGraph resolved, bool reuseMemory);

  Expected<std::vector<Tensor>> run(const std::vector<Tensor>& inputs, const job::Context& context) override;
  compute::ExecutableReport report() const override { return m_report; }

 private:
  /// Where a value lies while the network runs.
  struct Place {
    enum class Kind { arena, callerInput, constant } kind = Kind::arena;
    size_t index = 0;  ///< arena: offset in bytes; callerInput: which; constant: unused
    const Tensor* constant = nullptr;
  };

  explicit CpuExecutable(ResolvedGraph resolved) : m_resolved(std::move(resolved)), m_stream(engine()) {}
  Expected<void> buildSteps();
  Expected<Step> makeStep(const Node& node) const;
  void placeValues(bool reuseMemory);
  void dropUnusedConstants();
  void describeSteps();
  const void* address(const std::string& name, const std::vector<Tensor>& inputs) const;
  void* arenaAt(size_t offset) const { return static_cast<std::byte*>(m_arena.get()) + offset; }
  Expected<std::vector<Tensor>> runSteps(const std::vector<Tensor>& inputs, const job::Context& context);
  Tensor fetch(const ValueInfo& output, const std::vector<Tensor>& inputs) const;
  const Graph& graph() const { return m_resolved.graph; }

  ResolvedGraph m_resolved;
  dnnl::stream m_stream;
  std::vector<Step> m_steps;      // one for each node
  std::vector<size_t> m_scratch;  // offset in the arena, for each step
  std::map<std::string, Place> m_places;
  std::shared_ptr<void> m_arena;
  compute::ExecutableReport m_report;
};

}  // namespace lynceus::nn::cpu
