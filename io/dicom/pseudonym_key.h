// The secret that de-identification derives new identifiers from: the same key and the same original give the same
// replacement, today and in a year; without the key nothing leads back.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "core/error.h"

namespace lynceus::io::dicom {

/// HMAC-SHA-256 (RFC 2104), lower-case hex.
std::string hmacSha256(std::string_view key, std::string_view text);

/// Immutable. Any thread.
class PseudonymKey {
 public:
  static constexpr size_t kNewKeyBytes = 32, kLeastKeyBytes = 16, kMostKeyBytes = 4096;

  /// @param secret  kLeastKeyBytes to kMostKeyBytes random bytes.
  explicit PseudonymKey(std::string secret) : m_secret(std::move(secret)) {}
  /// A new key, forgotten with the object.
  static Expected<PseudonymKey> random();
  /// The bytes of `path`, or a new key stored there, readable by its owner alone, where there is no such file.
  /// @return ErrorCode::wrongUse where the file is no key, ErrorCode::resource where it can be neither read nor made.
  static Expected<PseudonymKey> ofFile(const std::filesystem::path& path);

  /// A UID under 2.25 for an original one (in the layout of uidOf).
  std::string uid(std::string_view original) const;
  /// "LYN-" and 16 hex digits for whatever identifies a patient.
  std::string pseudonym(std::string_view patient) const;
  /// Days to move the dates of a patient by: one to eleven years back.
  int shiftDays(std::string_view patient) const;
  /// `count` hex digits that stand for a UID in the name of a folder.
  std::string shortName(std::string_view uid, size_t count = 8) const;

 private:
  std::string m_secret;
};

}  // namespace lynceus::io::dicom
