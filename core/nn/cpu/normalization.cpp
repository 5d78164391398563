// Normalisations over channels-last voxels: one pass reads x and adds up, a second one reads x again, scales, applies
// the activation, and writes in place. BatchNormalization that could not be folded needs the second pass alone.
// LayerNormalization goes row by row: x is read once from memory.
#include <algorithm>
#include <cmath>

#include "core/nn/channel_affine.h"
#include "core/nn/cpu/channel_rows.h"
#include "core/nn/cpu/loop_function.h"
#include "core/nn/cpu/pieces.h"
#include "core/nn/cpu/via_reference.h"
#include "core/nn/passes/fuse.h"
#include "core/parallel.h"

namespace lynceus::nn::cpu {
namespace {

constexpr int64_t kChunk = 8;  // pieces that a thread takes at a time

/// y = x * scale + shift, a pair for each channel; short rows of channels are repeated up to a piece.
struct Affine {
  int64_t width = 0;
  std::vector<float> scale, shift;

  Affine(int64_t channels, const double* scales, const double* shifts)
      : width(channels > kPiece ? channels : kPiece / channels * channels),
        scale(static_cast<size_t>(width)),
        shift(static_cast<size_t>(width)) {
    for (int64_t i = 0; i < width; ++i) {
      scale[i] = static_cast<float>(scales[i % channels]);
      shift[i] = static_cast<float>(shifts[i % channels]);
    }
  }
};

void scaleOne(const float* x, float* y, int64_t count, const float* scale, const float* shift) {
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) y[i] = x[i] * scale[i] + shift[i];
}

void scaleRows(const ChannelRows& r, const Arguments& a, Type in, Type out, const std::vector<Affine>& affines,
               const LoopFunction& after) {
  const int64_t numbers = r.rows * r.channels, width = affines[0].width;
  const int64_t parts = (width + kPiece - 1) / kPiece;  // of a row that is longer than a piece
  const int64_t pieces = (numbers + width - 1) / width * parts;
  parallelFor(
      r.images * pieces,
      [&](int64_t i) {
        PieceBuffer from, to;
        const int64_t image = i / pieces, at = i % parts * kPiece, first = i % pieces / parts * width + at;
        const int64_t count = std::min({kPiece, width - at, numbers - first});
        const Affine& affine = affines[affines.size() == 1 ? 0 : image];
        const float* x = widened(a.inputs[0], in, image * numbers + first, count, from);
        float* y = target(a.outputs[0], out, image * numbers + first, to);
        scaleOne(x, y, count, affine.scale.data() + at, affine.shift.data() + at);
        if (after) after(y, y, count);
        narrow(y, a.outputs[0], out, image * numbers + first, count);
      },
      kChunk);
}

ChannelRows rowsOf(const Shape& shape) {
  const int64_t images = shape[0], channels = shape[1];
  return {images, elementCount(shape) / (images * channels), channels};
}

// Layout and shape that the loops here take; anything else goes to the reference.
bool suits(const OpCall& call, const ValueType& output) {
  for (size_t i = 1; i < call.inputCount(); ++i)
    if (call.isDynamic(i)) return false;
  const Shape& shape = call.shape(0);
  return call.isDynamic(0) && shape.size() >= 2 && shape.size() <= 5 && elementCount(output.shape) != 0;
}

Expected<Step> batchNormalization(const OpCall& call, const std::vector<ValueType>& outputs) {
  if (!suits(call, outputs[0])) return viaReference(call, outputs);
  const auto after = fusedLoop(call);
  if (!after) return passError(after);
  const ChannelRows r = rowsOf(call.shape(0));
  const ChannelAffine norm = *batchNormAffine(call);
  Step step;
  const Type in = call.input(0).type.type, out = outputs[0].type;
  if (in == out) step.inPlace = 0;
  step.run = [r, in, out, after = *after,
              affine = std::vector{Affine(r.channels, norm.scale.data(), norm.shift.data())}](const Arguments& a) {
    scaleRows(r, a, in, out, affine, after);
  };
  return step;
}

/// What a group normalisation does to each number, from the sums of each image's channels.
struct GroupScaling {
  ChannelRows r;
  int64_t groups;
  double epsilon;
  std::vector<float> gain, bias;

  std::vector<Affine> affines(const std::vector<double>& moments) const {
    const int64_t perGroup = r.channels / groups;
    const double count = static_cast<double>(perGroup) * static_cast<double>(r.rows);
    std::vector<Affine> all;
    std::vector<double> scale(gain.size()), shift(gain.size());
    for (int64_t n = 0; n < r.images; ++n) {
      const double *sums = moments.data() + n * 2 * r.channels, *squares = sums + r.channels;
      for (int64_t g = 0; g < groups; ++g) {
        double sum = 0, square = 0;
        for (int64_t c = g * perGroup; c < (g + 1) * perGroup; ++c) {
          sum += sums[c];
          square += squares[c];
        }
        const double mean = sum / count, variance = std::max(square / count - mean * mean, 0.0);
        for (int64_t c = g * perGroup; c < (g + 1) * perGroup; ++c) {
          scale[c] = gain[c] / std::sqrt(variance + epsilon);
          shift[c] = bias[c] - mean * scale[c];
        }
      }
      all.emplace_back(r.channels, scale.data(), shift.data());
    }
    return all;
  }
};

Expected<Step> normaliseGroups(const OpCall& call, const std::vector<ValueType>& outputs, int64_t groups) {
  if (!suits(call, outputs[0])) return viaReference(call, outputs);
  const auto after = fusedLoop(call);
  if (!after) return passError(after);
  const GroupScaling scaling{rowsOf(call.shape(0)), groups, call.real("epsilon", 1e-5F), *call.constantFloats(1),
                             *call.constantFloats(2)};
  Step step;
  const Type in = call.input(0).type.type, out = outputs[0].type;
  if (in == out) step.inPlace = 0;
  step.scratchBytes = scaling.r.partialBytes();
  step.run = [scaling, in, out, after = *after](const Arguments& a) {
    const auto moments = channelMoments(scaling.r, a.inputs[0], in, static_cast<double*>(a.scratch));
    scaleRows(scaling.r, a, in, out, scaling.affines(moments), after);
  };
  return step;
}

Expected<Step> groupNormalization(const OpCall& call, const std::vector<ValueType>& outputs) {
  return normaliseGroups(call, outputs, call.integer("num_groups", 1));
}

Expected<Step> instanceNormalization(const OpCall& call, const std::vector<ValueType>& outputs) {
  return normaliseGroups(call, outputs, call.shape(0)[1]);
}

constexpr int64_t kLanes = 16;

// Mean of f(x[i]) in double, in lanes that are folded in order.
template <class F>
double meanOf(const float* x, int64_t count, const F& f) {
  std::array<double, kLanes> lanes{};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
#pragma omp simd
    for (int64_t k = 0; k < kLanes; ++k) lanes[k] += f(x[i + k]);
  }
  for (; i < count; ++i) lanes[0] += f(x[i]);
  double sum = 0;
  for (const double lane : lanes) sum += lane;
  return sum / static_cast<double>(count);
}

Expected<Step> layerNormalization(const OpCall& call, const std::vector<ValueType>& outputs) {
  const Shape& shape = call.shape(0);
  const int64_t size = shape.empty() ? 0 : shape.back(), stated = call.integer("axis", -1);
  const auto axis = checkedAxis(stated, static_cast<int64_t>(shape.size()));
  const auto gain = call.constantFloats(1), bias = call.constantFloats(2);
  const auto isRow = [&](const auto& values) { return values && static_cast<int64_t>(values->size()) == size; };
  const bool lastAxis = axis && *axis + 1 == static_cast<int64_t>(shape.size());
  if (!lastAxis || size == 0 || size > kPiece || elementCount(shape) == 0 || !call.isDynamic(0) || !isRow(gain) ||
      (call.has(2) && !isRow(bias)))
    return viaReference(call, outputs);
  Step step;
  const Type in = call.input(0).type.type, out = outputs[0].type;
  if (in == out) step.inPlace = 0;
  step.run = [=, count = elementCount(shape) / size, epsilon = call.real("epsilon", 1e-5F), gain = *gain,
              bias = bias.value_or(std::vector<float>(gain->size()))](const Arguments& a) {
    parallelFor(
        count,
        [&](int64_t row) {
          PieceBuffer from, to;
          const float* x = widened(a.inputs[0], in, row * size, size, from);
          float* y = target(a.outputs[0], out, row * size, to);
          const double mean = meanOf(x, size, [](double v) { return v; });
          const double variance = meanOf(x, size, [mean](double v) { return (v - mean) * (v - mean); });
          const double scale = 1 / std::sqrt(variance + epsilon);
#pragma omp simd
          for (int64_t i = 0; i < size; ++i) y[i] = static_cast<float>((x[i] - mean) * scale) * gain[i] + bias[i];
          narrow(y, a.outputs[0], out, row * size, size);
        },
        std::max<int64_t>(1, 4 * kPiece / size));
  };
  return step;
}

LYN_REGISTER_OP(cpu, "BatchNormalization", opset(7, 21), (Kernel{batchNormalization, channelsLastOnly, true}));
LYN_REGISTER_OP(cpu, "InstanceNormalization", opset(6, 21), (Kernel{instanceNormalization, channelsLastOnly, true}));
// Also below opset 17: the pass recogniseLayerNorm() makes it of what older exporters write.
LYN_REGISTER_OP(cpu, "LayerNormalization", opset(1, 21), (Kernel{layerNormalization, rowMajorOnly, true}));
LYN_REGISTER_OP(cpu, kGroupNorm, opset(1, 21), (Kernel{groupNormalization, channelsLastOnly, true}));

}  // namespace
}  // namespace lynceus::nn::cpu
