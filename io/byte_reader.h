// Bytes of a file at any offset, wherever the file lies. The one way by which our own parsers touch a file.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/error.h"
#include "io/location.h"

namespace lynceus::io {

/// Not for several threads at a time: each opens its own. Reads of a file go through one window of 64 KiB, so headers
/// cost a system call or two; a member of a ZIP file or a deflated stream is unpacked into memory as far as it is read.
class ByteReader {
 public:
  static Expected<ByteReader> open(const Location& location);
  static ByteReader ofMemory(std::vector<uint8_t> bytes, std::string name);

  ByteReader(ByteReader&& other) noexcept;
  ByteReader& operator=(ByteReader&& other) noexcept;
  ~ByteReader();

  /// Bytes that the file has; of a member of a ZIP file: that its directory claims.
  uint64_t size() const { return m_size; }
  int64_t timeNs() const { return m_timeNs; }         ///< last change of the file; 0 where it is not on disk
  const std::string& name() const { return m_name; }  ///< for messages

  /// `count` bytes from `offset`, or fewer where the file ends. Valid until the next call. `count` is at most a
  /// window (64 KiB).
  std::span<const uint8_t> view(uint64_t offset, size_t count);
  /// @return false where the file ends before or cannot be read.
  bool read(uint64_t offset, std::span<uint8_t> into);

  /// The raw deflate stream (RFC 1951) that starts at `offset`, unpacked, at most `maxBytes` of it: what lies beyond
  /// counts as cut off.
  /// @return an error where it is damaged before that.
  Expected<ByteReader> inflate(uint64_t offset, uint64_t maxBytes);

 private:
  ByteReader() = default;
  bool unpackMember(uint64_t upTo);

  int m_file = -1;  // -1: a member of a ZIP file, or all in m_window
  std::string m_name;
  uint64_t m_size = 0;
  int64_t m_timeNs = 0;
  uint64_t m_windowOffset = 0;
  std::vector<uint8_t> m_window;
  Location m_member;                                       // of a ZIP file
  std::shared_ptr<const std::vector<uint8_t>> m_unpacked;  // its beginning
};

}  // namespace lynceus::io
