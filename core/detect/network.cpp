#include "core/detect/network.h"

#include "core/nn/onnx_import.h"

namespace lynceus::detect {

Expected<Network> Network::parse(std::string_view onnx, const std::string& file) {
  auto graph = nn::parseOnnx({reinterpret_cast<const std::byte*>(onnx.data()), onnx.size()}, file);
  if (!graph) return tl::make_unexpected(Error{ErrorCode::resource, graph.error().message});
  if (graph->inputs.size() != 1) {
    return makeError(ErrorCode::resource, "{}: a network of a detector has one input, this one has {}", file,
                     graph->inputs.size());
  }
  return Network(std::move(*graph));
}

Expected<std::vector<nn::NamedTensor>> Network::run(compute::Device& device, nn::Tensor input,
                                                    compute::Precision precision) {
  if (!m_executable || m_compiledFor != input.shape || m_compiledIn != precision) {
    m_executable.reset();  // before the next one is made: both may be large
    auto compiled = device.compile(m_graph, {{m_graph.inputs[0].name, input.shape}}, {precision});
    if (!compiled) return passError(compiled);
    m_executable = std::move(*compiled);
    m_compiledFor = input.shape;
    m_compiledIn = precision;
  }
  std::vector<nn::Tensor> inputs;
  inputs.push_back(std::move(input));
  auto tensors = m_executable->run(inputs);
  if (!tensors) return passError(tensors);
  std::vector<nn::NamedTensor> outputs;
  for (size_t o = 0; o < tensors->size(); ++o) outputs.push_back({m_graph.outputs[o].name, std::move((*tensors)[o])});
  return outputs;
}

}  // namespace lynceus::detect
