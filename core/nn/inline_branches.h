// Makes the branches of If nodes ordinary nodes, so that folding the shapes decides which of them the network is.
#pragma once

#include "core/error.h"
#include "core/nn/onnx.pb.h"

namespace lynceus::nn {

/// Exporters write If where a step depends on a size, as squeezing an axis that may be 1 does. Each If of the graph
/// becomes a node with the inputs (condition, outputs of the then-branch, outputs of the else-branch), and the nodes
/// and initialisers of both branches move into the graph, under names of their own.
/// @return an error naming the node where a branch is missing or does not give the outputs of its If.
Expected<void> inlineBranches(onnx::GraphProto& graph);

}  // namespace lynceus::nn
