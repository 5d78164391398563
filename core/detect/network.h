// One network of a model package on a device.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/compute/device.h"
#include "core/nn/graph.h"

namespace lynceus::detect {

/// Compiled when it first runs, and again where the shape of its input or the precision changes. One caller at a time.
class Network {
 public:
  /// @param onnx  the whole file: a network of a package has no further files that nobody has hashed.
  /// @param file  its name, for messages.
  /// @return an error for a file that is no network, or one of several inputs.
  static Expected<Network> parse(std::string_view onnx, const std::string& file);

  const nn::Graph& graph() const { return m_graph; }

  /// All outputs by name, in the graph's order. The device must be the same each time and outlive this.
  Expected<std::vector<nn::NamedTensor>> run(compute::Device& device, nn::Tensor input, compute::Precision precision);

 private:
  explicit Network(nn::Graph graph) : m_graph(std::move(graph)) {}

  nn::Graph m_graph;
  nn::Shape m_compiledFor;
  compute::Precision m_compiledIn = compute::Precision::fp32;
  std::unique_ptr<compute::Executable> m_executable;
};

}  // namespace lynceus::detect
