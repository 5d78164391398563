// Where the independent ONNX runtime is: node, and the npm package onnxruntime-node.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

namespace lynceus::test {

/// $LYNCEUS_NODE, or node on the path.
inline std::string nodeProgram() {
  const char* given = std::getenv("LYNCEUS_NODE");
  return given ? given : "node";
}

/// The node_modules of $LYNCEUS_ORT_DIR, or those below the build folder.
inline std::filesystem::path onnxRuntimeModules() {
  std::filesystem::path built = std::filesystem::path(LYNCEUS_BINARY_DIR) / "conformance" / "node_modules";
  const char* given = std::getenv("LYNCEUS_ORT_DIR");
  if (!given) return built;
  const std::filesystem::path folder = std::filesystem::absolute(given);
  return std::filesystem::exists(folder / "node_modules") ? folder / "node_modules" : folder;
}

}  // namespace lynceus::test
