// What is measured: single layers as detectors and segmenters have them, and whole networks.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/nn/tensor.h"

namespace lynceus::benchmarks {

struct Case {
  std::string name;
  std::map<std::string, nn::Shape> inputs;
  /// Writes the model, or nothing where `file` is given.
  std::function<void(const std::filesystem::path& to)> write;
  std::filesystem::path file = {};
};

/// @param resources  the folder that holds models/lung-nodule.
std::vector<Case> allCases(const std::filesystem::path& resources);

}  // namespace lynceus::benchmarks
