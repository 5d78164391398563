// What a model package promises of its networks' outputs, so that a network of another model is refused before it runs.
#pragma once

#include <string>
#include <vector>

#include "core/error.h"
#include "core/model/package.h"
#include "core/nn/graph.h"

namespace lynceus::detect {

/// An output that the decoder reads: 1 x channels x D x H x W cells.
struct CodedOutput {
  std::string name;
  int channels = 1;
  image::Int3 strideVoxels;
  int vector = 0;  ///< this many channels belong together, of which the first three are x, y and z; 0: none do
};

std::vector<CodedOutput> codedOutputs(const model::Output& rules);

/// Infers the shapes of the first network for the largest tile, without running it.
/// @param file  for messages.
/// @return an error that names the output, its shape and the one that model.toml wants.
Expected<void> checkFirstStage(const nn::Graph& graph, const model::Package& package, const std::string& file);

/// The same of the second network for a batch of crops.
Expected<void> checkSecondStage(const nn::Graph& graph, const model::SecondStage& rules, const std::string& file);

}  // namespace lynceus::detect
