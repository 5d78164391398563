// Fuzz target: any bytes as a ZIP file of a study end in volumes or errors.
#include "tests/fuzz/file.h"
#include "tests/fuzz/load.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  lynceus::fuzz::openAndLoad(lynceus::fuzz::fileWith(data, size, "study.zip"));
  return 0;
}
