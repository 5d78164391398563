// Decides how the cpu stores every value: its layout and its type.
#pragma once

#include "core/compute/device.h"
#include "core/nn/passes/resolve.h"

namespace lynceus::nn::cpu {

/// Operator that this pass puts between a value and a reader that wants it stored in another way.
inline constexpr const char* kReorder = "lynceus.Reorder";

/// Sets layout and type of every computed value to what its kernel gives, and adds kReorder nodes. Inputs of the graph
/// stay row-major f32; outputs of the graph stay f32.
void chooseStorage(ResolvedGraph& resolved, compute::Precision precision);

}  // namespace lynceus::nn::cpu
