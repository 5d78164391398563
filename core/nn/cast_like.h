// CastLike to a boolean, as the Cast that it is.
#pragma once

#include <set>
#include <string>

#include "core/nn/graph.h"

namespace lynceus::nn {

/// A graph keeps booleans as integers, to which a CastLike would truncate: one whose second input is a boolean becomes
/// a Cast, which makes true of all but 0. Nodes are in execution order.
/// @param booleans  initialisers of this type, and results of Constant and ConstantOfShape.
void settleCastLike(Graph& graph, std::set<std::string> booleans);

}  // namespace lynceus::nn
