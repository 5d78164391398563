// Where networks run. A device compiles a graph for given input shapes and runs it as often as asked.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "core/nn/graph.h"
#include "core/nn/tensor.h"

namespace lynceus::compute {

/// A graph made ready for one device and one set of input shapes. Not thread-safe: one caller at a time.
class Executable {
 public:
  virtual ~Executable() = default;
  /// @param inputs  one tensor for each graph input, in the graph's order, of the shapes given to compile().
  /// @return one tensor for each graph output, in the graph's order. The same input gives the same bits.
  virtual Expected<std::vector<nn::Tensor>> run(const std::vector<nn::Tensor>& inputs) = 0;
};

/// Any thread may compile; each Executable belongs to one thread at a time.
class Device {
 public:
  virtual ~Device() = default;
  /// What the result records, such as "cpu (oneDNN 2.6.3, 2 threads)".
  virtual std::string description() const = 0;
  /// @param inputShapes  for each graph input its full shape; graphs may leave dimensions open, this call may not.
  /// @return an error that names each node the device cannot run, before anything runs.
  virtual Expected<std::unique_ptr<Executable>> compile(const nn::Graph& graph,
                                                        const std::map<std::string, nn::Shape>& inputShapes) = 0;
};

/// @param name  auto, cpu (oneDNN) or reference (plain loops: slow, the oracle of every other device).
Expected<std::unique_ptr<Device>> openDevice(std::string_view name);

}  // namespace lynceus::compute
