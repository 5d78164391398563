// Fuzz target: any bytes as a DICOMDIR beside a series that is as it should be end in volumes or an error.
#include "tests/fuzz/file.h"
#include "tests/fuzz/load.h"
#include "tests/support/ct_files.h"

namespace fs = std::filesystem;
using namespace lynceus;

static fs::path folderWithSlices() {
  fs::path folder = fs::path(fuzz::folder()) / "media";
  fs::create_directories(folder);
  test::CtFile slice;
  for (slice.instanceNumber = 1; slice.instanceNumber <= 4; ++slice.instanceNumber, slice.z += 2.5)
    test::writeCt(folder / ("S" + std::to_string(slice.instanceNumber)), slice);
  return folder;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const fs::path folder = folderWithSlices();
  fuzz::openAndLoad(fuzz::fileWith(data, size, "media/DICOMDIR"));
  return 0;
}
