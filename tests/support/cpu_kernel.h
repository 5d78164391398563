// One kernel of the cpu on its own, with its values stored in any type: for tests and timings.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/memory_pages.h"
#include "core/nn/cpu/kernel.h"

namespace lynceus::test {

/// What a node gets: a value, and whether it is known before the network runs. Absent inputs are nothing.
struct KernelInput {
  nn::Tensor value;
  bool constant = false;
};

class CpuKernel {
 public:
  /// @param inputs   row-major; activations of floats are stored as `in`, in the layout that the kernel asks for.
  /// @param outputs  shapes and types; floats are stored as `out`.
  static Expected<std::unique_ptr<CpuKernel>> make(nn::Node node, int opset, std::vector<KernelInput> inputs,
                                                   std::vector<nn::ValueType> outputs, nn::Type in = nn::Type::f32,
                                                   nn::Type out = nn::Type::f32) {
    std::unique_ptr<CpuKernel> k(new CpuKernel);
    k->m_node = std::move(node);
    k->m_inputs = std::move(inputs);
    const nn::cpu::Kernel& kernel = nn::cpu::kernelFor(k->m_node.op, opset);
    std::vector<std::optional<nn::Operand>> operands;
    for (const KernelInput& i : k->m_inputs)
      operands.push_back(nn::Operand{{i.value.shape, i.value.type()}, i.constant ? &i.value : nullptr});
    const nn::cpu::Layouts layouts = kernel.layouts(nn::OpCall(k->m_node, opset, operands), outputs[0]);
    for (size_t i = 0; i < operands.size(); ++i) k->place(*operands[i], i, layouts, outputs[0], in);
    for (nn::ValueType& o : outputs) {
      o.layout = nn::cpu::normalised(o.shape, layouts.outputs);
      if (o.isFloat()) o.type = out;
      k->m_outputs.push_back({o, allocatePages(std::max<size_t>(o.bytes(), 64))});
    }
    auto step = kernel.build(nn::OpCall(k->m_node, opset, std::move(operands)), outputs);
    if (!step) return passError(step);
    k->m_step = std::move(*step);
    k->m_scratch = allocatePages(std::max<size_t>(k->m_step.scratchBytes, 64));
    return k;
  }

  /// @param inPlace  into the memory of the input that the step names; the next run reads what is there then.
  void run(bool inPlace = false) {
    nn::cpu::Arguments arguments{{}, {}, m_scratch.get(), m_stream};
    for (const Value& v : m_values) arguments.inputs.push_back(v.memory.get());
    for (const Value& v : m_outputs) arguments.outputs.push_back(v.memory.get());
    if (inPlace && m_step.inPlace >= 0) arguments.outputs[0] = const_cast<void*>(arguments.inputs[m_step.inPlace]);
    m_step.run(arguments);
    m_stream.wait();
    m_result = arguments.outputs[0];
  }

  /// Output 0 of the last run, row-major, as float where it is a floating type.
  nn::Tensor result() const {
    const nn::ValueType& stored = m_outputs[0].type;
    const nn::Type type = stored.isFloat() ? nn::Type::f32 : stored.type;
    nn::Tensor tensor = nn::Tensor::zeros(stored.shape, type);
    nn::cpu::reorder(stored, m_result, {stored.shape, type}, tensor.bytes());
    return tensor;
  }

  const nn::ValueType& outputType() const { return m_outputs[0].type; }
  const nn::cpu::Step& step() const { return m_step; }
  /// Every activation read once, every output written once.
  size_t bytes() const {
    size_t sum = 0;
    for (const Value& v : m_values) sum += v.type.bytes();
    for (const Value& v : m_outputs) sum += v.type.bytes();
    return sum;
  }

 private:
  struct Value {
    nn::ValueType type;
    std::shared_ptr<void> memory;
  };

  void place(nn::Operand& operand, size_t i, const nn::cpu::Layouts& layouts, const nn::ValueType& output,
             nn::Type in) {
    nn::ValueType& type = operand.type;
    const nn::ValueType given = type;
    const bool constant = operand.value != nullptr;
    if (!constant || (layouts.constants && type.shape.size() == output.shape.size()))
      type.layout = nn::cpu::normalised(type.shape, layouts.inputs);
    if (!constant && type.isFloat()) type.type = in;
    m_values.push_back({type, allocatePages(std::max<size_t>(type.bytes(), 64))});
    nn::cpu::reorder(given, m_inputs[i].value.bytes(), type, m_values.back().memory.get());
  }

  CpuKernel() : m_stream(nn::cpu::engine()) {}
  nn::Node m_node;
  std::vector<KernelInput> m_inputs;
  std::vector<Value> m_values, m_outputs;
  nn::cpu::Step m_step;
  std::shared_ptr<void> m_scratch;
  void* m_result = nullptr;
  dnnl::stream m_stream;
};

}  // namespace lynceus::test
