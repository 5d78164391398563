// Resize and Upsample of channels-last voxels. Nearest copies voxels. Linear mixes up to four rows of the input into
// one, then voxels of that row: it reads the input about as often as it is larger in depth and height, mostly from the
// cache, and writes each number once.
#include "core/nn/resize_plan.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "core/nn/cpu/pieces.h"
#include "core/nn/cpu/via_reference.h"
#include "core/parallel.h"

namespace lynceus::nn::cpu {
namespace {

struct Resizing {
  std::array<ResizeAxis, 3> axes;
  Shape5 in, out;
  Type from, to;

  bool isNearest() const {
    return std::all_of(axes.begin(), axes.end(), [](const ResizeAxis& a) {
      return std::all_of(a.highWeight.begin(), a.highWeight.end(), [](float w) { return w == 0; });
    });
  }
  int64_t rows() const { return out.n * out.space[0] * out.space[1]; }
  /// Number of row (z, y) of the input that belongs to the same image as this row of the output.
  int64_t inputRow(int64_t row, int64_t z, int64_t y) const {
    return (row / (out.space[0] * out.space[1]) * in.space[0] + z) * in.space[1] + y;
  }
};

constexpr int64_t kRowsPerTask = 4;

void copyNearest(const Resizing& r, const Arguments& a) {
  const auto voxel = static_cast<size_t>(r.in.c) * bytesOf(r.from);
  const size_t inRow = voxel * static_cast<size_t>(r.in.space[2]), outRow = voxel * static_cast<size_t>(r.out.space[2]);
  parallelFor(
      r.rows(),
      [&](int64_t row) {
        const int64_t y = row % r.out.space[1], z = row / r.out.space[1] % r.out.space[0];
        const std::byte* from = a.in<std::byte>(0) + inRow * r.inputRow(row, r.axes[0].low[z], r.axes[1].low[y]);
        std::byte* to = a.out<std::byte>(0) + outRow * static_cast<size_t>(row);
        for (int64_t x = 0; x < r.out.space[2]; ++x, to += voxel)
          std::memcpy(to, from + voxel * static_cast<size_t>(r.axes[2].low[x]), voxel);
      },
      kRowsPerTask);
}

/// A row of the input and what it weighs.
struct Tap {
  int64_t row;
  float weight;
};

// The up to four rows that a row of the output is made of.
std::vector<Tap> tapsOf(const Resizing& r, int64_t row) {
  const int64_t y = row % r.out.space[1], z = row / r.out.space[1] % r.out.space[0];
  std::vector<Tap> taps;
  for (const bool highZ : {false, true})
    for (const bool highY : {false, true}) {
      const ResizeAxis &az = r.axes[0], &ay = r.axes[1];
      const float weight =
          (highZ ? az.highWeight[z] : 1 - az.highWeight[z]) * (highY ? ay.highWeight[y] : 1 - ay.highWeight[y]);
      if (weight != 0)
        taps.push_back({r.inputRow(row, (highZ ? az.high : az.low)[z], (highY ? ay.high : ay.low)[y]), weight});
    }
  return taps;
}

void mixRows(const Resizing& r, const void* in, const std::vector<Tap>& taps, float* mixed) {
  const int64_t numbers = r.in.space[2] * r.in.c;
  PieceBuffer buffer;
  for (int64_t first = 0; first < numbers; first += kPiece) {
    const int64_t count = std::min(kPiece, numbers - first);
    float* to = mixed + first;
    for (size_t t = 0; t < taps.size(); ++t) {
      const float* from = widened(in, r.from, taps[t].row * numbers + first, count, buffer);
      const float weight = taps[t].weight;
      if (t == 0) std::fill_n(to, count, 0.0F);
#pragma omp simd
      for (int64_t i = 0; i < count; ++i) to[i] += weight * from[i];
    }
  }
}

void mixVoxels(const Resizing& r, const float* mixed, float* out) {
  const ResizeAxis& axis = r.axes[2];
  const int64_t channels = r.in.c;
  for (int64_t x = 0; x < r.out.space[2]; ++x, out += channels) {
    const float *low = mixed + axis.low[x] * channels, *high = mixed + axis.high[x] * channels;
    const float weight = axis.highWeight[x], rest = 1 - weight;
    if (weight == 0) {  // the other voxel may be infinite
      std::copy_n(low, channels, out);
      continue;
    }
#pragma omp simd
    for (int64_t c = 0; c < channels; ++c) out[c] = rest * low[c] + weight * high[c];
  }
}

void mixLinear(const Resizing& r, const Arguments& a) {
  const int64_t numbers = r.out.space[2] * r.out.c;
  parallelFor((r.rows() + kRowsPerTask - 1) / kRowsPerTask, [&](int64_t task) {
    std::vector<float> mixed(static_cast<size_t>(r.in.space[2] * r.in.c));
    std::vector<float> result(r.to == Type::f32 ? 0 : static_cast<size_t>(numbers));
    for (int64_t row = task * kRowsPerTask; row < std::min((task + 1) * kRowsPerTask, r.rows()); ++row) {
      mixRows(r, a.inputs[0], tapsOf(r, row), mixed.data());
      float* out = result.empty() ? a.out<float>(0) + row * numbers : result.data();
      mixVoxels(r, mixed.data(), out);
      narrow(out, a.outputs[0], r.to, row * numbers, numbers);
    }
  });
}

Expected<Step> resize(const OpCall& call, const std::vector<ValueType>& outputs) {
  const auto plan = resizePlan(call);
  if (!plan) return passError(plan);
  const size_t rank = plan->output.size();
  if (rank < 3 || rank > 5 || !plan->axes[0].unchanged || !plan->axes[1].unchanged || !plan->twoTaps() ||
      !call.isDynamic(0))
    return viaReference(call, outputs);
  Resizing r{{}, lift(call.shape(0)), lift(plan->output), call.input(0).type.type, outputs[0].type};
  r.axes.fill({{0}, {0}, {0}, true});
  for (size_t d = 2; d < rank; ++d) r.axes[3 - (rank - 2) + d - 2] = plan->axes[d];
  Step step;
  const bool copies = r.isNearest() && r.from == r.to;
  step.run = [r, copies](const Arguments& a) { copies ? copyNearest(r, a) : mixLinear(r, a); };
  return step;
}

LYN_REGISTER_OP(cpu, "Resize", opset(10, 21), (Kernel{resize, channelsLastOnly, true}));
LYN_REGISTER_OP(cpu, "Upsample", opset(7, 9), (Kernel{resize, channelsLastOnly, true}));

}  // namespace
}  // namespace lynceus::nn::cpu
