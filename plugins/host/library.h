// A plugin's shared library, loaded into this process. Only a worker loads one: its code can do what it likes.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/error.h"
#include "plugins/host/description.h"

struct lynceus_plugin;

namespace lynceus::plugins {

/// Loaded as long as this lives. The functions of the plugin are called on one thread at a time.
class Library {
 public:
  /// Loads the library and reads its descriptions. Every struct and text is checked before it is used.
  /// @param trustedSha256  of the file; one that differs is not loaded. Empty: whatever the file is.
  /// @return an error that names the file: it cannot be loaded, is no plugin, was made for another major version of
  /// the interface (both are named), or describes itself wrongly.
  static Expected<Library> open(const std::filesystem::path& file, const std::string& trustedSha256 = {});

  const std::filesystem::path& file() const { return m_file; }
  const std::string& sha256() const { return m_sha256; }
  /// What the plugin was compiled for, such as "1.0".
  const std::string& abi() const { return m_abi; }
  const std::vector<Description>& models() const { return m_models; }
  /// @return the model's place in models(), or an error that names those that there are.
  Expected<uint32_t> find(const std::string& modelId) const;
  /// The plugin's functions, none of them null.
  const lynceus_plugin& functions() const { return *m_functions; }

  /// Why this process must not go on after the job, such as threads that the plugin left running; empty: it may.
  const std::string& damage() const { return m_damage; }
  /// Notes it, once; from then on the library stays loaded until the process ends, since its code may be running.
  void setDamage(std::string why);

 private:
  Library() = default;
  Expected<void> readModels();

  std::filesystem::path m_file;
  std::string m_sha256, m_abi, m_damage;
  std::shared_ptr<void> m_handle;
  std::shared_ptr<const lynceus_plugin> m_functions;
  std::vector<Description> m_models;
};

}  // namespace lynceus::plugins
