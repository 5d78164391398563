#include "core/nn/cost.h"

#include <algorithm>
#include <map>
#include <set>

#include "core/nn/einsum.h"
#include "core/nn/passes/fuse.h"
#include "core/nn/passes/fuse_quantized.h"

namespace lynceus::nn {
namespace {

using Outputs = std::vector<ValueType>;

double count(const Shape& shape) {
  double n = 1;
  for (const int64_t d : shape) n *= static_cast<double>(d);
  return n;
}

// Numbers for each output and input element of operators that map elements, by operator. What is not listed, such as
// activations and comparisons, does one thing to each element.
const std::map<std::string, double>& perOutputElement() {
  static const std::map<std::string, double> flops = {
      {"BatchNormalization", 2},     // scale and shift
      {"InstanceNormalization", 6},  // sum; subtract, square, sum; scale, shift
      {"GroupNormalization", 6},
      {"LayerNormalization", 6},
      {kGroupNorm, 6},
      {"Softmax", 5},     // maximum, subtract, exp, sum, divide
      {"LogSoftmax", 5},  // maximum, subtract, exp, sum, subtract
      {"QuantizeLinear", 2},
      {"DequantizeLinear", 2},
  };
  return flops;
}

bool onlyMoves(const std::string& op) {
  static const std::set<std::string> movement = {"Cast",
                                                 "CastLike",
                                                 "Compress",
                                                 "Concat",
                                                 "Constant",
                                                 "ConstantOfShape",
                                                 "DepthToSpace",
                                                 "Dropout",
                                                 "Expand",
                                                 "EyeLike",
                                                 "Flatten",
                                                 "Gather",
                                                 "GatherElements",
                                                 "GatherND",
                                                 "Identity",
                                                 "NonZero",
                                                 "OneHot",
                                                 "Pad",
                                                 "Range",
                                                 "lynceus.Reorder",
                                                 "Reshape",
                                                 "ReverseSequence",
                                                 "ScatterElements",
                                                 "ScatterND",
                                                 "Shape",
                                                 "Size",
                                                 "Slice",
                                                 "SpaceToDepth",
                                                 "Split",
                                                 "Squeeze",
                                                 "Tile",
                                                 "Transpose",
                                                 "Unsqueeze",
                                                 "Where"};
  return movement.count(op) != 0;
}

bool startsWith(const std::string& text, const char* prefix) { return text.rfind(prefix, 0) == 0; }

// Weights of a convolution: (output channels, input channels of one group, window...).
double convolutionFlops(const OpCall& call, size_t weights, const ValueType& output) {
  const Shape& w = call.shape(weights);
  const double products = w.empty() ? 0 : count(output.shape) * count(Shape(w.begin() + 1, w.end()));
  const bool activates = call.hasAttribute(kFusedActivation), adds = call.has(kResidualInput);
  const double extra = weights == 1 && call.node().op == "Conv" ? (activates ? 1 : 0) + (adds ? 1 : 0) : 0;
  return 2 * products + extra * count(output.shape);
}

// Weights: (input channels, output channels of one group, window...); each input voxel meets all of its row.
double transposedFlops(const OpCall& call) {
  const Shape& w = call.shape(1);
  return w.empty() ? 0 : 2 * count(call.shape(0)) * count(Shape(w.begin() + 1, w.end()));
}

double productFlops(const OpCall& call, const ValueType& output) {
  const Shape& a = call.shape(0);
  const bool transposed = call.node().op == "Gemm" && call.integer("transA", 0) != 0;
  const int64_t inner = a.empty() ? 1 : transposed ? a.front() : a.back();
  return 2 * count(output.shape) * static_cast<double>(inner);
}

// The innermost statement runs for every index of the result and of the sum.
double einsumFlops(const OpCall& call, const ValueType& output) {
  const auto plan = einsumPlan(call);
  const double iterations = plan ? count(plan->output) * count(plan->summed) : 0;
  const bool sums = iterations > count(output.shape);
  return iterations * (static_cast<double>(call.inputCount()) - (sums ? 0 : 1));
}

// One number for each place of the window; a global pool has one window.
double poolFlops(const OpCall& call, const ValueType& output) {
  if (startsWith(call.node().op, "Global")) return count(call.shape(0));
  return count(output.shape) * count(call.integers("kernel_shape"));
}

// Every output from 2 corners along each axis that changes; nearest copies.
double interpolationFlops(const OpCall& call, const ValueType& output) {
  const Shape &in = call.shape(0), &out = output.shape;
  const bool samples = call.node().op == "GridSample";
  const std::string mode = call.text("mode", samples ? "linear" : "nearest");
  if (mode == "nearest" || in.size() != out.size()) return 0;
  const double corners = mode == "cubic" || mode == "bicubic" ? 4 : 2;
  double taps = 1;
  for (size_t d = 0; d < in.size(); ++d)
    if (samples ? d >= 2 : in[d] != out[d]) taps *= corners;
  return taps == 1 ? 0 : 2 * taps * count(out);
}

double flopsOf(const OpCall& call, const ValueType& output) {
  const std::string& op = call.node().op;
  if (onlyMoves(op) || call.inputCount() == 0) return 0;
  if (op == "Conv" || op == "ConvInteger" || op == kIntegerConv) return convolutionFlops(call, 1, output);
  if (op == "QLinearConv") return convolutionFlops(call, 3, output);
  if (op == "ConvTranspose" || op == kIntegerConvTranspose) return transposedFlops(call);
  if (op == "Gemm" || op == "MatMul" || op == "MatMulInteger" || op == "QLinearMatMul")
    return productFlops(call, output);
  if (op == "Einsum") return einsumFlops(call, output);
  if (op.find("Pool") != std::string::npos) return poolFlops(call, output);
  if (startsWith(op, "Reduce") || startsWith(op, "Arg")) return count(call.shape(0));
  if (op == "Resize" || op == "Upsample" || op == "GridSample") return interpolationFlops(call, output);
  if (op == "Sum" || op == "Mean" || op == "Max" || op == "Min")
    return static_cast<double>(call.inputCount() - 1) * count(output.shape);
  const auto it = perOutputElement().find(op);
  return (it == perOutputElement().end() ? 1 : it->second) * count(output.shape);
}

double bytesOf(const OpCall& call, const Outputs& outputs) {
  const std::vector<std::string>& inputs = call.node().inputs;
  double bytes = 0;
  for (size_t i = 0; i < call.inputCount(); ++i)
    if (call.has(i) && std::find(inputs.begin(), inputs.begin() + static_cast<ptrdiff_t>(i), inputs[i]) ==
                           inputs.begin() + static_cast<ptrdiff_t>(i))
      bytes += static_cast<double>(call.input(i).type.bytes());
  for (size_t i = 0; i < outputs.size() && i < call.node().outputs.size(); ++i)
    if (!call.node().outputs[i].empty()) bytes += static_cast<double>(outputs[i].bytes());
  return bytes;
}

}  // namespace

Cost costOf(const OpCall& call, const Outputs& outputs) {
  return {outputs.empty() ? 0 : flopsOf(call, outputs[0]), bytesOf(call, outputs)};
}

}  // namespace lynceus::nn
