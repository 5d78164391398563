// libFuzzer target: any bytes as an ONNX model end in a graph or an error, and any graph in an executable or an error.
#include <span>

#include "core/compute/device.h"
#include "core/nn/onnx_import.h"

using namespace lynceus;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto graph = nn::parseOnnx(std::as_bytes(std::span(data, size)), "fuzz.onnx", {});
  if (!graph) return 0;
  const auto device = compute::openDevice("reference");
  std::map<std::string, nn::Shape> shapes;
  for (const nn::ValueInfo& input : graph->inputs) {
    shapes[input.name] = input.shape;
    for (int64_t& d : shapes[input.name]) d = d < 0 ? 8 : d;
  }
  static_cast<void>((*device)->compile(*graph, shapes));
  return 0;
}
