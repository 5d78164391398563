#include "core/nn/resize_plan.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "core/nn/cpu/via_reference.h"
#include "core/parallel.h"

namespace lynceus::nn::cpu {
namespace {

/// One of the up to eight voxels that an output voxel is made of.
struct Tap {
  const float* from;
  float weight;
};

// The taps of one output voxel; those of weight 0 are left out. Returns how many there are.
size_t collectTaps(const std::array<ResizeAxis, 3>& axes, const Shape5& in, const float* image, const Int3& at,
                   std::array<Tap, 8>& taps) {
  size_t count = 0;
  for (int corner = 0; corner < 8; ++corner) {
    int64_t voxel = 0;
    float weight = 1;
    for (int a = 0; a < 3; ++a) {
      const bool high = corner & (4 >> a);
      const ResizeAxis& axis = axes[a];
      voxel = voxel * in.space[a] + (high ? axis.high : axis.low)[at[a]];
      weight *= high ? axis.highWeight[at[a]] : 1 - axis.highWeight[at[a]];
    }
    if (weight != 0) taps[count++] = {image + voxel * in.c, weight};
  }
  return count;
}

void mix(const std::array<Tap, 8>& taps, size_t count, int64_t channels, float* out) {
  if (count == 1) {
    std::memcpy(out, taps[0].from, static_cast<size_t>(channels) * sizeof(float));
    return;
  }
  std::fill_n(out, channels, 0.0F);
  for (size_t t = 0; t < count; ++t) {
    const Tap tap = taps[t];
#pragma omp simd
    for (int64_t c = 0; c < channels; ++c) out[c] += tap.weight * tap.from[c];
  }
}

// One voxel for each: any type of number moves as it is.
Step nearest(const std::array<ResizeAxis, 3>& axes, const Shape5& in, const Shape5& out, size_t bytesOfNumber) {
  Step step;
  step.run = [axes, in, out, voxel = static_cast<size_t>(out.c) * bytesOfNumber](const Arguments& a) {
    parallelFor(
        out.n * out.space[0] * out.space[1],
        [&](int64_t row) {
          const int64_t y = axes[1].low[row % out.space[1]], z = axes[0].low[row / out.space[1] % out.space[0]],
                        n = row / out.space[1] / out.space[0];
          const int64_t line = ((n * in.space[0] + z) * in.space[1] + y) * in.space[2];
          auto* to = a.out<std::byte>(0) + static_cast<size_t>(row * out.space[2]) * voxel;
          for (int64_t x = 0; x < out.space[2]; ++x, to += voxel)
            std::memcpy(to, a.in<std::byte>(0) + static_cast<size_t>(line + axes[2].low[x]) * voxel, voxel);
        },
        8);
  };
  return step;
}

bool isNearest(const ResizeAxis& axis) {
  return std::all_of(axis.highWeight.begin(), axis.highWeight.end(), [](auto weight) { return weight == 0; });
}

Expected<Step> resize(const OpCall& call, const std::vector<ValueType>& outputs) {
  const auto plan = resizePlan(call);
  if (!plan) return passError(plan);
  const size_t rank = plan->output.size();
  if (rank < 3 || rank > 5 || !plan->axes[0].unchanged || !plan->axes[1].unchanged || !plan->twoTaps())
    return viaReference(call, outputs);
  std::array<ResizeAxis, 3> axes;
  axes.fill({{0}, {0}, {0}, true});
  for (size_t d = 2; d < rank; ++d) axes[3 - (rank - 2) + d - 2] = plan->axes[d];
  const Shape5 in = lift(call.shape(0)), out = lift(plan->output);
  if (std::all_of(axes.begin(), axes.end(), isNearest)) return nearest(axes, in, out, bytesOf(outputs[0].type));
  Step step;
  step.run = [axes, in, out](const Arguments& a) {
    parallelFor(
        out.n * out.space[0] * out.space[1],
        [&](int64_t row) {
          const int64_t y = row % out.space[1], z = row / out.space[1] % out.space[0],
                        n = row / out.space[1] / out.space[0];
          const float* image = a.in<float>(0) + n * in.voxels() * in.c;
          float* to = a.out<float>(0) + row * out.space[2] * out.c;
          std::array<Tap, 8> taps;
          for (int64_t x = 0; x < out.space[2]; ++x, to += out.c) {
            const size_t count = collectTaps(axes, in, image, {z, y, x}, taps);
            mix(taps, count, out.c, to);
          }
        },
        8);
  };
  return step;
}

LYN_REGISTER_OP(cpu, "Resize", opset(10, 21), (Kernel{resize, channelsLastOnly}));
LYN_REGISTER_OP(cpu, "Upsample", opset(7, 9), (Kernel{resize, channelsLastOnly}));

}  // namespace
}  // namespace lynceus::nn::cpu
