// Reductions: x is read once, added up in double in fixed blocks.
#include <algorithm>

#include "core/nn/cpu/bfloat16.h"
#include "core/nn/cpu/channel_rows.h"
#include "core/nn/cpu/via_reference.h"
#include "core/nn/reduce.h"

namespace lynceus::nn::cpu {
namespace {

void store(const std::vector<float>& values, void* to, Type type) {
  for (size_t i = 0; i < values.size(); ++i) {
    if (type == Type::f32)
      static_cast<float*>(to)[i] = values[i];
    else
      static_cast<Bfloat16*>(to)[i] = fromFloat<Bfloat16>(values[i]);
  }
}

/// The sum of each channel of each image, times a factor.
Step sums(const ChannelRows& r, Type in, Type out, double factor) {
  Step step;
  step.scratchBytes = r.partialBytes();
  step.run = [=](const Arguments& a) {
    const auto moments = channelMoments(r, a.inputs[0], in, static_cast<double*>(a.scratch));
    std::vector<float> results;
    for (int64_t n = 0; n < r.images; ++n)
      for (int64_t c = 0; c < r.channels; ++c)
        results.push_back(static_cast<float>(moments[2 * n * r.channels + c] * factor));
    store(results, a.outputs[0], out);
  };
  return step;
}

Step extremes(const ChannelRows& r, Type in, Type out, bool smallest) {
  Step step;
  step.run = [=](const Arguments& a) { store(channelMaxima(r, a.inputs[0], in, smallest), a.outputs[0], out); };
  return step;
}

Expected<Step> globalPool(const OpCall& call, const std::vector<ValueType>& outputs) {
  const Shape& shape = call.shape(0);
  if (shape.size() > 5 || elementCount(shape) == 0 || !call.isDynamic(0)) return viaReference(call, outputs);
  const ChannelRows r{shape[0], lift(shape).voxels(), shape[1]};
  const Type in = call.input(0).type.type, out = outputs[0].type;
  if (call.node().op == "GlobalMaxPool") return extremes(r, in, out, false);
  return sums(r, in, out, 1 / static_cast<double>(r.rows));
}

// The numbers of neighbouring axes that vanish, in the stored order; nothing where others lie between them.
std::optional<ChannelRows> rowsOf(const OpCall& call, const Reduction& r) {
  const ValueType& in = call.input(0).type;
  const Shape strides = storedStrides(in);
  std::vector<size_t> order;
  for (size_t d = 0; d < in.shape.size(); ++d)
    if (in.shape[d] != 1) order.push_back(d);
  std::stable_sort(order.begin(), order.end(), [&](size_t x, size_t y) { return strides[x] > strides[y]; });
  ChannelRows rows;
  for (const size_t d : order) {
    if (r.reduced[d] && rows.channels != 1) return std::nullopt;
    int64_t& size = r.reduced[d] ? rows.rows : rows.rows == 1 ? rows.images : rows.channels;
    size *= in.shape[d];
  }
  return rows;
}

// Spatial axes vanish where they lie, other axes row-major; what is left of either is row-major.
Layouts reduceLayouts(const OpCall& call, const ValueType&) {
  const auto r = reduction(call);
  bool spatial = r && r->reduced.size() > 2 && !r->reduced[0] && !r->reduced[1];
  for (size_t d = 2; spatial && d < r->reduced.size(); ++d) spatial = r->reduced[d];
  return {spatial ? call.input(0).type.layout : Layout::rowMajor, Layout::rowMajor};
}

Expected<Step> reduce(const OpCall& call, const std::vector<ValueType>& outputs) {
  const auto r = reduction(call);
  if (!r) return passError(r);
  const ValueType &in = call.input(0).type, &out = outputs[0];
  const auto rows = in.isFloat() && call.isDynamic(0) && elementCount(in.shape) != 0 ? rowsOf(call, *r) : std::nullopt;
  if (!rows || rows->rows < 4) return viaReference(call, outputs);
  const std::string& op = call.node().op;
  if (op == "ReduceMax" || op == "ReduceMin") return extremes(*rows, in.type, out.type, op == "ReduceMin");
  return sums(*rows, in.type, out.type, op == "ReduceMean" ? 1 / static_cast<double>(rows->rows) : 1);
}

[[maybe_unused]] const bool kRegistered = [] {
  for (const char* op : {"ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin"})
    kernels().add(op, opset(1, 21), Kernel{reduce, reduceLayouts, true});
  return true;
}();

LYN_REGISTER_OP(cpu, "GlobalAveragePool", opset(1, 21), (Kernel{globalPool, channelsLastOnly, true}));
LYN_REGISTER_OP(cpu, "GlobalMaxPool", opset(1, 21), (Kernel{globalPool, channelsLastOnly, true}));

}  // namespace
}  // namespace lynceus::nn::cpu
