// Where networks run. A device compiles a graph for given input shapes and runs it as often as asked.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "core/job/context.h"
#include "core/nn/graph.h"
#include "core/nn/tensor.h"

namespace lynceus::compute {

/// How a device stores and multiplies what lies between the inputs and the outputs; sums are kept in float32.
/// int8: a network with QuantizeLinear nodes (see `lynceus quantize`) runs on integers at either of the others.
enum class Precision { fp32, bf16 };

struct CompileOptions {
  Precision precision = Precision::fp32;
  bool reuseMemory = true;  ///< false: every value has memory of its own, to look at them in a debugger
};

/// One step of a compiled network, which may stand for several nodes of the file.
struct StepReport {
  std::string node, op;
  std::string kernel;  ///< what runs it, such as "oneDNN brgconv:avx512_core"
  nn::Shape shape;     ///< of its first output
  nn::Type type;       ///< that output is stored as
  double flops = 0;    ///< a multiplication and an addition count as two
  double bytes = 0;    ///< every input read once, every output written once
};

struct ExecutableReport {
  std::vector<StepReport> steps;
  size_t weightBytes = 0;
  size_t arenaBytes = 0;  ///< memory for everything that is computed
  size_t boundBytes = 0;  ///< what is alive at the same time at the worst step: no arena can be smaller
};

/// A graph made ready for one device and one set of input shapes. Not thread-safe: one caller at a time.
class Executable {
 public:
  virtual ~Executable() = default;
  /// @param inputs  one tensor for each graph input, in the graph's order, of the shapes given to compile().
  /// @param context  asked before each step of the network.
  /// @return one tensor for each graph output, in the graph's order, or ErrorCode::cancelled. The same input gives the
  /// same bits.
  virtual Expected<std::vector<nn::Tensor>> run(const std::vector<nn::Tensor>& inputs,
                                                const job::Context& context = {}) = 0;
  virtual ExecutableReport report() const = 0;
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
                                                        const std::map<std::string, nn::Shape>& inputShapes,
                                                        const CompileOptions& options = {}) = 0;
};

/// @param name  auto, cpu (oneDNN) or reference (plain loops: slow, the oracle of every other device).
Expected<std::unique_ptr<Device>> openDevice(std::string_view name);

}  // namespace lynceus::compute
