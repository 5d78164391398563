// Fuzz target: any bytes as the files of a folder, through the whole loader. The bytes are files one after the other,
// each behind its length in three bytes, little endian.
#include <algorithm>

#include "tests/fuzz/file.h"
#include "tests/fuzz/load.h"

namespace fs = std::filesystem;
using namespace lynceus;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr int kMaxFiles = 12;
  const fs::path folder = fs::path(fuzz::folder()) / "series";
  fs::create_directories(folder);
  int files = 0;
  for (; size >= 3 && files < kMaxFiles; ++files) {
    const size_t claimed = data[0] | data[1] << 8 | data[2] << 16;
    const size_t length = std::min(claimed, size - 3);
    fuzz::fileWith(data + 3, length, "series/" + std::to_string(files));
    data += 3 + length;
    size -= 3 + length;
  }
  fuzz::openAndLoad(folder);
  for (int i = 0; i < files; ++i) fs::remove(folder / std::to_string(i));
  return 0;
}
