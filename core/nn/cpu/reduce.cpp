// Reductions: x is read once, added up in double in fixed blocks.
#include "core/nn/cpu/bfloat16.h"
#include "core/nn/cpu/channel_rows.h"
#include "core/nn/cpu/via_reference.h"

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

LYN_REGISTER_OP(cpu, "GlobalAveragePool", opset(1, 21), (Kernel{globalPool, channelsLastOnly, true}));
LYN_REGISTER_OP(cpu, "GlobalMaxPool", opset(1, 21), (Kernel{globalPool, channelsLastOnly, true}));

}  // namespace
}  // namespace lynceus::nn::cpu
