// Which plugins a user trusts: by the SHA-256 of the file, so that one that changes is not trusted any more.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"

namespace lynceus::plugins {

enum class TrustState { trusted, disabled };

struct TrustEntry {
  std::string sha256;
  std::filesystem::path path;  ///< where the file was: for people, and to say that a file has changed
  TrustState state = TrustState::trusted;
};

/// The list as it stands in a file {"schemaVersion": 1, "plugins": [{"sha256", "path", "state"}]}.
class TrustList {
 public:
  /// $XDG_CONFIG_HOME/lynceus/plugins.json, else ~/.config/lynceus/plugins.json; empty where there is no home.
  static std::filesystem::path defaultPath();
  /// A file that is not there is an empty list; one that is no list is an error that names it.
  static Expected<TrustList> read(const std::filesystem::path& file);
  /// @param name  stands for the file in errors.
  static Expected<TrustList> parse(std::string_view text, const std::string& name);
  std::string toJson() const;
  /// Makes the folder if need be; the file is either the old or the new one.
  Expected<void> write(const std::filesystem::path& file) const;

  const std::vector<TrustEntry>& entries() const { return m_entries; }
  /// @return the entry for a file of this hash, wherever it lies; nullptr if there is none.
  const TrustEntry* find(const std::string& sha256) const;
  /// The same for a file at this path, of whatever hash.
  const TrustEntry* findPath(const std::filesystem::path& path) const;
  /// Adds the entry; what was known of the hash or the path before goes.
  void set(TrustEntry entry);

 private:
  std::vector<TrustEntry> m_entries;
};

}  // namespace lynceus::plugins
