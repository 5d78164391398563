// Runs the reference's loops on the cpu: for operators that are rare or cheap.
#pragma once

#include "core/nn/cpu/kernel.h"

namespace lynceus::nn::cpu {

/// A builder as in Kernel; inputs and outputs in any layout and type. Applies a fused activation, too.
Expected<Step> viaReference(const OpCall& call, const std::vector<ValueType>& outputs);

}  // namespace lynceus::nn::cpu
