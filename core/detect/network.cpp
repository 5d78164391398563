#include "core/detect/network.h"

#include "core/nn/onnx_import.h"

namespace lynceus::detect {

Expected<Network> Network::readAny(const std::filesystem::path& file) {
  auto graph = nn::importOnnx(file);
  if (!graph) return passError(graph);
  return Network(std::move(*graph));
}

Expected<Network> Network::read(const std::filesystem::path& file) {
  auto network = readAny(file);
  if (network && network->graph().inputs.size() != 1) {
    return makeError(ErrorCode::badInput, "{}: a network of a detector has one input, this one has {}", file.string(),
                     network->graph().inputs.size());
  }
  return network;
}

Expected<std::vector<nn::NamedTensor>> Network::run(compute::Device& device, nn::Tensor input,
                                                    compute::Precision precision, const job::Context& context) {
  std::vector<nn::Tensor> inputs;
  inputs.push_back(std::move(input));
  return run(device, inputs, precision, context);
}

Expected<std::vector<nn::NamedTensor>> Network::run(compute::Device& device, const std::vector<nn::Tensor>& inputs,
                                                    compute::Precision precision, const job::Context& context) {
  if (inputs.size() != m_graph.inputs.size())
    return makeError(ErrorCode::wrongUse, "the network takes {} inputs, not {}", m_graph.inputs.size(), inputs.size());
  std::vector<nn::Shape> shapes;
  for (const nn::Tensor& input : inputs) shapes.push_back(input.shape);
  if (!m_executable || m_compiledFor != shapes || m_compiledIn != precision) {
    m_executable.reset();  // before the next one is made: both may be large
    std::map<std::string, nn::Shape> shapeOf;
    for (size_t i = 0; i < inputs.size(); ++i) shapeOf[m_graph.inputs[i].name] = shapes[i];
    auto compiled = device.compile(m_graph, shapeOf, {precision});
    if (!compiled) return passError(compiled);
    m_executable = std::move(*compiled);
    m_compiledFor = std::move(shapes);
    m_compiledIn = precision;
  }
  auto tensors = m_executable->run(inputs, context);
  if (!tensors) return passError(tensors);
  std::vector<nn::NamedTensor> outputs;
  for (size_t o = 0; o < tensors->size(); ++o) outputs.push_back({m_graph.outputs[o].name, std::move((*tensors)[o])});
  return outputs;
}

}  // namespace lynceus::detect
