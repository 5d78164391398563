// Values as rows of channels, one row after the other: what normalisations and reductions go over. Channels-last voxels
// are such rows; so are the numbers of one axis, as rows of one.
#pragma once

#include "core/nn/cpu/kernel.h"

namespace lynceus::nn::cpu {

/// `images` times `rows` times `channels` numbers.
struct ChannelRows {
  int64_t images = 1, rows = 1, channels = 1;

  /// Rows that are added up in one go; fixed, so that sums do not depend on the number of threads.
  int64_t rowsPerBlock() const { return std::max<int64_t>(16, 32768 / std::max<int64_t>(channels, 1)); }
  int64_t blocks() const { return (rows + rowsPerBlock() - 1) / rowsPerBlock(); }
  /// Scratch of channelMoments().
  size_t partialBytes() const { return static_cast<size_t>(images * blocks() * channels) * 2 * sizeof(double); }
};

/// Sum and sum of squares of each channel of each image: images times 2 times channels, sums first. A product of two
/// floats is exact in double, so a result is off by at most (rowsPerBlock + blocks) * 2^-53 of the sum of the terms'
/// magnitudes. @param partial  partialBytes() of scratch.
std::vector<double> channelMoments(const ChannelRows& r, const void* x, Type type, double* partial);

/// The largest (or, negated on both sides, smallest) number of each channel of each image. Not a number wins.
std::vector<float> channelMaxima(const ChannelRows& r, const void* x, Type type, bool negated);

}  // namespace lynceus::nn::cpu
