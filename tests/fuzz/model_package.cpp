// libFuzzer target: any bytes as model.toml end in a package or an error.
#include <filesystem>

#include "core/model/package.h"
#include "tests/fuzz/file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::filesystem::path file = lynceus::fuzz::fileWith(data, size, "model.toml");
  static_cast<void>(lynceus::model::readPackage(file.parent_path()));
  return 0;
}
