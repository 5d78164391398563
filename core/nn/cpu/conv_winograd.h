// Convolutions of 3x3x3 taps with fewer multiplications: Winograd's F(2x2x2, 3x3x3) takes 64 products for a tile of
// 2x2x2 voxels instead of 216 (winograd_kernels.h). In between it adds: so it pays for 16 channels and more, and not
// for tiny images.
//
// Activations are float or bfloat16. Of the latter sums of inputs and factors are rounded to bfloat16, too, and the
// products added up in float: twice as many products an instruction.
//
// Memory: the factors that the weights become are 64 / 27 times as many, of 4 or 2 bytes. Scratch is 0.5 MiB for each
// thread, more where a few tiles of many channels need more.
//
// Error: along an axis, the magnitudes behind a result grow from |d| |g| to at most
//   2 max|d| (|g0| + (|g0| + |g1| + |g2|) / 2 * 2) <= 4 max|d| (|g0| + |g1| + |g2|),
// 64 times in three axes. A result has seen 1 rounding of a factor, 3 of input sums, one for each channel, 4 of sums
// along y and x, and 4 along z with the bias: |error| <= 64 (channels + 12) 2^-24 max|d| sum|g|. That is the worst; for
// terms of random signs the variance of the sum grows from 3 to 5 (1 * 2 + 2 * 3/4 * 2) an axis, so the error is
// (5/3)^1.5 = 2.2 times that of adding up the same number of terms directly.
//
// In bfloat16 both operands of a product are rounded by up to 2^-8 of them, which outweighs all that, and so is the
// result y at last:
//   |error| <= 64 (2^-7 + 2^-16 + (channels + 12) 2^-24) max|d| sum|g| + 2^-8 |y|.
// For terms of random signs: one rounding changes numbers by 0.41 * 2^-8 of them in the root mean square, two by
// 0.58 * 2^-8, times 2.2 are 1.3 * 2^-8 of a typical result, with the last one 1.4 * 2^-8. Adding up directly, with
// weights rounded to bfloat16, gives 0.58 * 2^-8.
#pragma once

#include <optional>

#include "core/nn/convolution.h"
#include "core/nn/cpu/kernel.h"

namespace lynceus::nn::cpu {

/// The step of a Conv, or nothing where it does not suit or does not pay: 3x3x3 taps, stride and dilation 1, one group,
/// any padding; float, or bfloat16 on processors that multiply it on vectors but not on matrices (AMX), where oneDNN is
/// faster. A residual and an activation are taken along.
std::optional<Step> winogradStep(const OpCall& call, const Convolution& convolution, const ValueType& output);

}  // namespace lynceus::nn::cpu
