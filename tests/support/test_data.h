// Where tests find real images: $LYNCEUS_TEST_DATA, else ../shared/data beside the source folder.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

namespace lynceus::test {

/// The path of `relative` in the data folder; empty where there is none. Then skip:
/// `if (data.empty()) GTEST_SKIP() << kNoTestData;`
inline std::filesystem::path testData(const std::string& relative) {
  namespace fs = std::filesystem;
  const char* set = std::getenv("LYNCEUS_TEST_DATA");
  const fs::path folder = set && *set ? fs::path(set) : fs::path(LYNCEUS_SOURCE_DIR) / "../shared/data";
  std::error_code ignored;
  return fs::exists(folder / relative, ignored) ? folder / relative : fs::path();
}

inline constexpr const char* kNoTestData = "real images are not here: set LYNCEUS_TEST_DATA to their folder";

}  // namespace lynceus::test
