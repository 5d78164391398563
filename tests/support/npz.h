// Reads arrays from NumPy's .npz files (a ZIP of .npy members), as far as our test data needs it.
#pragma once

#include <zlib.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

namespace lynceus::test {

/// The bytes of one member of a ZIP file (stored or deflated).
inline std::string zipMember(const std::filesystem::path& path, const std::string& name) {
  std::ifstream file(path, std::ios::binary);
  const std::string zip{std::istreambuf_iterator<char>(file), {}};
  const auto number = [&](size_t at, int bytes) {
    uint32_t value = 0;
    for (int i = 0; i < bytes; ++i)
      value |= uint32_t{static_cast<uint8_t>(zip.at(at + static_cast<size_t>(i)))} << 8 * i;
    return value;
  };
  const size_t end = zip.rfind("PK\5\6");
  if (end == std::string::npos) throw std::runtime_error(path.string() + " is not a ZIP file");
  size_t entry = number(end + 16, 4);
  for (uint32_t left = number(end + 10, 2); left > 0; --left) {
    const uint32_t nameSize = number(entry + 28, 2);
    if (zip.compare(entry + 46, nameSize, name) == 0) {
      const size_t header = number(entry + 42, 4);
      const size_t data = header + 30 + number(header + 26, 2) + number(header + 28, 2);
      std::string packed = zip.substr(data, number(entry + 20, 4));
      if (number(entry + 10, 2) == 0) return packed;
      std::string out(number(entry + 24, 4), '\0');
      z_stream stream{};
      inflateInit2(&stream, -MAX_WBITS);
      stream.next_in = reinterpret_cast<Bytef*>(packed.data());
      stream.avail_in = static_cast<uInt>(packed.size());
      stream.next_out = reinterpret_cast<Bytef*>(out.data());
      stream.avail_out = static_cast<uInt>(out.size());
      const int status = inflate(&stream, Z_FINISH);
      inflateEnd(&stream);
      if (status != Z_STREAM_END) throw std::runtime_error(name + " is damaged");
      return out;
    }
    entry += 46 + nameSize + number(entry + 30, 2) + number(entry + 32, 2);
  }
  throw std::runtime_error(name + " is not in " + path.string());
}

/// The values of array `name`, in file order; T must be its type.
template <class T>
std::vector<T> npzArray(const std::filesystem::path& path, const std::string& name) {
  const std::string npy = zipMember(path, name + ".npy");
  const size_t header = 10 + static_cast<uint8_t>(npy.at(8)) + 256U * static_cast<uint8_t>(npy.at(9));
  std::vector<T> values((npy.size() - header) / sizeof(T));
  std::memcpy(values.data(), npy.data() + header, values.size() * sizeof(T));
  return values;
}

}  // namespace lynceus::test
