// Where tests find real CT data, which is never part of the repository.
#pragma once

#include <cstdlib>
#include <filesystem>

namespace lynceus::test {

/// The path of a file or folder of the test data, or an empty path where it is not there: then GTEST_SKIP().
inline std::filesystem::path testData(const std::filesystem::path& relative) {
  const char* set = std::getenv("LYNCEUS_TEST_DATA");
  const std::filesystem::path path =
      (set != nullptr ? std::filesystem::path(set) : std::filesystem::path(LYNCEUS_SOURCE_DIR) / "../shared/data") /
      relative;
  return std::filesystem::exists(path) ? path : std::filesystem::path();
}

}  // namespace lynceus::test
