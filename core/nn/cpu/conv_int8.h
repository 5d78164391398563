// Convolutions on integers: what fuseQuantized() makes of a quantised network.
#pragma once

#include "core/nn/cpu/kernel.h"

namespace lynceus::nn::cpu {

/// True if oneDNN runs this kIntegerConv or kIntegerConvTranspose; it refuses some paddings.
bool canConvolveIntegers(const OpCall& call, const ValueType& output);

}  // namespace lynceus::nn::cpu
