// Softmax and LogSoftmax along one axis. Rows of numbers go through oneDNN; channels of channels-last voxels, which it
// has no fast code for, through loops here: a piece of voxels is read once, worked on in the cache, and written.
#include <algorithm>
#include <cmath>

#include "core/nn/cpu/loop_function.h"
#include "core/nn/cpu/pieces.h"
#include "core/nn/cpu/via_reference.h"
#include "core/parallel.h"

namespace lynceus::nn::cpu {
namespace {

// Rows of `size` numbers, in place: e^(x - largest) / sum, or x - largest - log(sum).
void softmaxRows(float* x, int64_t rows, int64_t size, bool logarithm, const LoopFunction& exponential) {
  PieceBuffer powers;
  for (int64_t r = 0; r < rows; ++r) {
    float* row = x + r * size;
    float largest = row[0];
    for (int64_t i = 1; i < size; ++i) largest = row[i] > largest ? row[i] : largest;
#pragma omp simd
    for (int64_t i = 0; i < size; ++i) row[i] -= largest;
  }
  exponential(x, powers.data(), rows * size);
  for (int64_t r = 0; r < rows; ++r) {
    float *row = x + r * size, *power = powers.data() + r * size;
    double sum = 0;
    for (int64_t i = 0; i < size; ++i) sum += power[i];
    const auto factor = static_cast<float>(1 / sum), shift = static_cast<float>(std::log(sum));
#pragma omp simd
    for (int64_t i = 0; i < size; ++i) row[i] = logarithm ? row[i] - shift : power[i] * factor;
  }
}

Step rowsStep(const ValueType& in, const ValueType& out, int64_t size, bool logarithm) {
  Step step;
  if (in.type == out.type) step.inPlace = 0;
  const int64_t rows = elementCount(out.shape) / size, rowsPerPiece = kPiece / size;
  step.run = [=, from = in.type, to = out.type, exponential = *loopFunction("Exp", 0, 0)](const Arguments& a) {
    parallelFor((rows + rowsPerPiece - 1) / rowsPerPiece,
                [&](int64_t i) {
                  PieceBuffer source, result;
                  const int64_t first = i * rowsPerPiece, count = std::min(rowsPerPiece, rows - first);
                  const float* x = widened(a.inputs[0], from, first * size, count * size, source);
                  float* y = target(a.outputs[0], to, first * size, result);
                  if (x != y) std::copy_n(x, count * size, y);
                  softmaxRows(y, count, size, logarithm, exponential);
                  narrow(y, a.outputs[0], to, first * size, count * size);
                },
                8);
  };
  return step;
}

Step onednnStep(const dnnl::softmax_v2_forward::primitive_desc& pd) {
  Step step;
  step.inPlace = 0;
  step.kernel = kernelText(pd);
  step.scratchBytes = pd.scratchpad_desc().get_size();
  step.run = [primitive = dnnl::softmax_v2_forward(pd), pd](const Arguments& a) {
    primitive.execute(a.stream, {{DNNL_ARG_SRC, wrap(pd.src_desc(), a.inputs[0])},
                                 {DNNL_ARG_DST, wrap(pd.dst_desc(), a.outputs[0])},
                                 {DNNL_ARG_SCRATCHPAD, wrap(pd.scratchpad_desc(), a.scratch)}});
  };
  return step;
}

Expected<Step> softmax(const OpCall& call, const std::vector<ValueType>& outputs) {
  const ValueType &in = call.input(0).type, &out = outputs[0];
  const Shape& shape = out.shape;
  const auto rank = static_cast<int64_t>(shape.size());
  const int64_t axis = *checkedAxis(call.integer("axis", call.opset() < 13 ? 1 : -1), rank);
  if (!call.isDynamic(0) || elementCount(shape) == 0 || (call.opset() < 13 && axis != rank - 1))
    return viaReference(call, outputs);
  const bool logarithm = call.node().op == "LogSoftmax", isLast = axis == rank - 1;
  const Shape strides = storedStrides(out);
  if (!isLast && strides[axis] == 1 && shape[axis] <= kPiece) return rowsStep(in, out, shape[axis], logarithm);
  const dnnl::memory::desc layout({shape.begin(), shape.end()}, dataType(in.type),
                                  dnnl::memory::dims(strides.begin(), strides.end()));
  const dnnl::softmax_v2_forward::desc desc(
      dnnl::prop_kind::forward_inference, logarithm ? dnnl::algorithm::softmax_log : dnnl::algorithm::softmax_accurate,
      layout, layout, static_cast<int>(axis));
  Step step = onednnStep({desc, scratchpadAttribute(), engine()});
  return in.type == out.type ? step : withFloatResult(std::move(step), out);
}

// The axis is the innermost one in memory, if it can be.
Layouts softmaxLayouts(const OpCall& call, const ValueType& output) {
  const auto rank = static_cast<int64_t>(output.shape.size());
  const auto axis = checkedAxis(call.integer("axis", call.opset() < 13 ? 1 : -1), rank);
  if (axis == 1 && rank > 2 && call.opset() >= 13) return channelsLastOnly(call, output);
  return axis == rank - 1 ? rowMajorOnly(call, output) : alike(call, output);
}

LYN_REGISTER_OP(cpu, "Softmax", opset(1, 21), (Kernel{softmax, softmaxLayouts, true}));
LYN_REGISTER_OP(cpu, "LogSoftmax", opset(1, 21), (Kernel{softmax, softmaxLayouts, true}));

}  // namespace
}  // namespace lynceus::nn::cpu
