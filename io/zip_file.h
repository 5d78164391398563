// A ZIP file as a folder that is never unpacked to disk: its members are read in memory, as far as somebody looks.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/error.h"

struct zip;  // of libzip

namespace lynceus::io {

/// Immutable to its users. Any thread: many read members at a time, each through a handle of its own.
/// Nothing that the file claims is believed before it is checked: the number of members, what a member unpacks to.
class ZipFile {
 public:
  static constexpr uint64_t kMaxMembers = 1'000'000;

  struct Member {
    std::string name;   ///< UTF-8 for a person to read; of no meaning for the disk
    uint64_t size = 0;  ///< unpacked, as the directory claims
    bool isFolder = false;
    std::string problem;  ///< one sentence where it cannot be read, such as one that is encrypted; else empty
  };
  using Bytes = std::shared_ptr<const std::vector<uint8_t>>;

  /// @return an error where the directory of the file is cut off, damaged or too large.
  static Expected<std::shared_ptr<const ZipFile>> open(const std::filesystem::path& path);
  ~ZipFile();

  const std::filesystem::path& path() const { return m_path; }
  const std::vector<Member>& members() const { return m_members; }

  /// At least the first `count` bytes of a member, all of it where it is shorter. Of a large member that is read beyond
  /// its beginning all is unpacked and kept until another one is asked for: its frames are read one by one.
  Expected<Bytes> unpack(uint64_t member, uint64_t count) const;

 private:
  struct Discard {
    void operator()(zip* handle) const;
  };
  using Handle = std::unique_ptr<zip, Discard>;

  explicit ZipFile(std::filesystem::path path);
  Expected<Handle> borrow() const;
  void listMembers(zip* handle);
  Expected<Bytes> unpackNow(uint64_t index, uint64_t count) const;

  const std::filesystem::path m_path;
  std::vector<Member> m_members;
  mutable std::mutex m_mutex;
  mutable std::vector<Handle> m_idle;
  mutable std::mutex m_largeMutex;
  mutable uint64_t m_largeMember = 0;
  mutable Bytes m_large;
};

}  // namespace lynceus::io
