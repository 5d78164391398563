// What kinds of values the attributes of operators hold.
#pragma once

#include "core/error.h"
#include "core/nn/graph.h"

namespace lynceus::nn {

/// @return a clause that names the first attribute of the node whose value is of another kind than ONNX defines, such
/// as "attribute strides is an integer, expected a list of integers". Attributes that no kernel reads are not judged.
Expected<void> checkAttributeTypes(const Node& node);

}  // namespace lynceus::nn
