// The names by which people and messages know the nodes of a file.
#pragma once

#include "core/nn/onnx.pb.h"

namespace lynceus::nn {

/// Gives each node a name that no other has: "<operator>#<position>" where the file gives none, and "#<position>" more
/// where another has it already.
void nameNodes(onnx::GraphProto& graph);

/// The type, with its domain in front where that is not the standard's: "com.microsoft.FusedConv".
std::string operatorName(const onnx::NodeProto& node);

}  // namespace lynceus::nn
