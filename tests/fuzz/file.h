// Files in memory for parsers that read files.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <string>

namespace lynceus::fuzz {

/// Of this process; nothing else lies in it but what fileWith and the targets put there.
inline const std::string& folder() {
  static const std::string path = "/dev/shm/lynceus-fuzz-" + std::to_string(getpid());
  static const bool made = mkdir(path.c_str(), 0700) == 0;
  static_cast<void>(made);
  return path;
}

/// @return the path of a file with these bytes; the same file each time. `name` ends in what the parser looks at.
inline std::string fileWith(const uint8_t* data, size_t size, const std::string& name) {
  const std::string path = folder() + "/" + name;
  const int file = open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0600);
  const ssize_t written = write(file, data, size);
  close(file);
  return written == static_cast<ssize_t>(size) ? path : std::string();
}

}  // namespace lynceus::fuzz
