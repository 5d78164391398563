// libFuzzer target: any bytes as NIfTI, MetaImage or NRRD end in a volume or an error; the first byte chooses.
#include <array>

#include "io/formats/image_file.h"
#include "tests/fuzz/file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr std::array kNames{"image.nii", "image.nii.gz", "image.mha", "image.nrrd"};
  if (size == 0) return 0;
  static_cast<void>(
      lynceus::io::readImage(lynceus::fuzz::fileWith(data + 1, size - 1, kNames[data[0] % kNames.size()])));
  return 0;
}
