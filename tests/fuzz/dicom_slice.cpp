// libFuzzer target: any bytes as a DICOM slice end in a result or an error.
#include <cstdint>
#include <vector>

#include <sys/mman.h>
#include <unistd.h>

#include "io/dicom/slice.h"

using namespace lynceus::io::dicom;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // DCMTK reads files; one in memory keeps the disk out of it.
  static const int file = memfd_create("slice", 0);
  static const std::string path = "/proc/self/fd/" + std::to_string(file);
  if (ftruncate(file, static_cast<off_t>(size)) != 0 || pwrite(file, data, size, 0) != static_cast<ssize_t>(size))
    return 0;
  const auto header = readSliceHeader(path);
  const auto* slice = header ? std::get_if<SliceHeader>(&*header) : nullptr;
  if (!slice) return 0;
  const size_t pixels = static_cast<size_t>(slice->instance.rows) * static_cast<size_t>(slice->instance.columns);
  if (pixels > (size_t{1} << 22)) return 0;
  std::vector<int16_t> hu(pixels);
  static_cast<void>(readSlicePixels(slice->instance, hu));
  return 0;
}
