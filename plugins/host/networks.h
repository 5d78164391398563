// The networks that a plugin has the host run.
#pragma once

#include <filesystem>
#include <memory>
#include <string_view>
#include <vector>

#include <lynceus/plugin.h>

#include "core/compute/device.h"

namespace lynceus::plugins {

/// Opened from files of one folder and run on one device. One thread at a time.
class Networks {
 public:
  /// @param folder  of the plugin: no file outside it is opened, whatever name or link leads there.
  Networks(std::filesystem::path folder, std::shared_ptr<compute::Device> device, compute::Precision precision);
  ~Networks();
  Networks(const Networks&) = delete;
  Networks& operator=(const Networks&) = delete;

  /// @param file  relative to the folder.
  /// @return a network that is valid as long as this lives.
  Expected<lynceus_network*> open(std::string_view file);
  /// @return all outputs as floats in the graph's order, valid until the next run of the same network. An error for a
  /// network that is none of these, and for inputs that are not the network's.
  Expected<const std::vector<lynceus_tensor>*> run(const lynceus_network* network, const lynceus_tensor* inputs,
                                                   uint32_t count, const job::Context& context);

 private:
  std::filesystem::path m_folder;
  std::shared_ptr<compute::Device> m_device;  // before the networks: what they compiled goes first
  compute::Precision m_precision;
  std::vector<std::unique_ptr<lynceus_network>> m_networks;
};

}  // namespace lynceus::plugins
