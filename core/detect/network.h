// A network on a device.
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "core/compute/device.h"
#include "core/nn/graph.h"

namespace lynceus::detect {

/// Compiled when it first runs, and again where the shape of its input or the precision changes. One caller at a time.
class Network {
 public:
  /// @return an error for a file that is no network, or one of several inputs.
  static Expected<Network> read(const std::filesystem::path& file);
  /// The same for any number of inputs.
  static Expected<Network> readAny(const std::filesystem::path& file);

  const nn::Graph& graph() const { return m_graph; }

  /// All outputs by name, in the graph's order, or ErrorCode::cancelled. The device must be the same each time and
  /// outlive this.
  Expected<std::vector<nn::NamedTensor>> run(compute::Device& device, nn::Tensor input, compute::Precision precision,
                                             const job::Context& context);
  /// @param inputs  in the graph's order.
  Expected<std::vector<nn::NamedTensor>> run(compute::Device& device, const std::vector<nn::Tensor>& inputs,
                                             compute::Precision precision, const job::Context& context);

 private:
  explicit Network(nn::Graph graph) : m_graph(std::move(graph)) {}

  nn::Graph m_graph;
  std::vector<nn::Shape> m_compiledFor;
  compute::Precision m_compiledIn = compute::Precision::fp32;
  std::unique_ptr<compute::Executable> m_executable;
};

}  // namespace lynceus::detect
