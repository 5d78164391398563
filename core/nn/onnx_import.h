// Reads ONNX files, opset 7 to 21. Everything in the file is untrusted: sizes are checked against the bytes that are
// there, names against each other, and external data stays beside the model.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

#include "core/error.h"
#include "core/nn/graph.h"

namespace lynceus::nn {

/// @return the graph as the file has it (nothing folded); float16, bfloat16 and double become float, all integers
/// int64. Errors name the file and the node, initialiser or input. Any thread.
Expected<Graph> importOnnx(const std::filesystem::path& file);

/// The same from memory. External data is looked for in `folder` and refused if that is empty.
/// @param name  stands for the file in error messages.
Expected<Graph> parseOnnx(std::span<const std::byte> bytes, const std::string& name,
                          const std::filesystem::path& folder = {});

}  // namespace lynceus::nn
