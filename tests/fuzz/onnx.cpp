// libFuzzer target: any bytes as an ONNX model end in a graph or an error, any graph in an executable or an error, and
// an executable whose shapes are small runs on both devices, which agree on the shapes of its outputs.
#include <cstdlib>
#include <new>
#include <span>

#include "core/compute/device.h"
#include "core/nn/cost.h"
#include "core/nn/onnx_import.h"
#include "core/nn/passes/resolve.h"
#include "core/nn/reference/kernel.h"

using namespace lynceus;

namespace {

// What may run: some 0.1 s of plain loops with sanitizers. Weights and values may grow 256 times in the layouts of
// oneDNN, which pads both kinds of channels to 16.
constexpr double kMostWork = 1 << 22;   // multiply-adds, numbers read and written
constexpr double kMostBytes = 1 << 20;  // of all values and constants together

bool isSmall(const nn::ResolvedGraph& resolved) {
  double work = 0, bytes = 0;
  for (const auto& [name, type] : resolved.types) bytes += static_cast<double>(type.bytes());
  if (bytes > kMostBytes) return false;
  for (const nn::Node& node : resolved.graph.nodes) {
    const nn::OpCall call = resolved.call(node);
    const auto outputs = resolved.outputTypes(node);
    const nn::Cost cost = nn::costOf(call, outputs);
    const auto* kernel = nn::reference::kernels().find(node.op, resolved.graph.opset);
    work += cost.flops + cost.bytes + (kernel->work ? kernel->work(call, outputs) : 0);
  }
  return work <= kMostWork;
}

std::vector<nn::Tensor> inputsOf(const nn::Graph& graph, const std::map<std::string, nn::Shape>& shapes) {
  std::vector<nn::Tensor> inputs;
  for (const nn::ValueInfo& input : graph.inputs) {
    nn::Tensor& x = inputs.emplace_back(nn::Tensor::zeros(shapes.at(input.name)));
    for (size_t i = 0; i < x.size(); ++i) x.floats()[i] = static_cast<float>(i % 11) - 4.5F;
  }
  return inputs;
}

std::vector<nn::Tensor> runOn(const char* device, const nn::Graph& graph,
                              const std::map<std::string, nn::Shape>& shapes, compute::Precision precision) {
  const auto executable = (*compute::openDevice(device))->compile(graph, shapes, {precision});
  if (!executable) return {};
  auto outputs = (*executable)->run(inputsOf(graph, shapes));
  return outputs ? std::move(*outputs) : std::vector<nn::Tensor>{};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) try {
  const auto graph = nn::parseOnnx(std::as_bytes(std::span(data, size)), "fuzz.onnx", {});
  if (!graph) return 0;
  std::map<std::string, nn::Shape> shapes;
  for (const nn::ValueInfo& input : graph->inputs) {
    shapes[input.name] = input.shape;
    for (int64_t& d : shapes[input.name]) d = d < 0 ? 8 : d;
  }
  const auto resolved = nn::resolve(*graph, shapes);
  if (!resolved || !isSmall(*resolved)) return 0;
  const auto plain = runOn("reference", *graph, shapes, compute::Precision::fp32);
  for (const auto precision : {compute::Precision::fp32, compute::Precision::bf16}) {
    const auto fast = runOn("cpu", *graph, shapes, precision);
    for (size_t i = 0; i < fast.size() && !plain.empty(); ++i)
      if (fast[i].shape != plain[i].shape || fast[i].type() != plain[i].type()) std::abort();
  }
  return 0;
} catch (const std::bad_alloc&) {  // as devices do
  return 0;
}
