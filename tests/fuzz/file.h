// A file in memory for parsers that read files.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <string>

namespace lynceus::fuzz {

/// @return the path of a file with these bytes; the same file each time. `name` ends in what the parser looks at.
inline std::string fileWith(const uint8_t* data, size_t size, const std::string& name) {
  static const std::string folder = "/dev/shm/lynceus-fuzz-" + std::to_string(getpid());
  static const bool made = mkdir(folder.c_str(), 0700) == 0;
  static_cast<void>(made);
  const std::string path = folder + "/" + name;
  const int file = open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0600);
  const ssize_t written = write(file, data, size);
  close(file);
  return written == static_cast<ssize_t>(size) ? path : std::string();
}

}  // namespace lynceus::fuzz
