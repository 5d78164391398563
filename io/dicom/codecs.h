// One compressed frame to its samples. What a codestream claims about itself is checked against the header before any
// library sees it, since libraries allocate what it asks for.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/error.h"

namespace lynceus::io::dicom {

/// A frame as it lies in the file, its fragments joined.
struct CodedFrame {
  std::vector<uint8_t> bytes;
  int rows = 0, columns = 0;
  std::string transferSyntaxUid;
  std::string file;  ///< for messages
};

/// How a decoded sample lies in its 16 bits: in the lower `precision` of them, the sign extended where it has one.
struct Samples {
  int precision = 16;
  bool isSigned = false;
};

/// No frame holds more pixels for each of its bytes: a small file shall not ask for gigabytes. Blank images of
/// 2048 x 2048 by the encoders of DCMTK and OpenJPEG stay below it (a test).
inline constexpr uint64_t kMaxPixelsPerByte = 65'536;

/// Decodes by the frame's transfer syntax; canDecode in library.h says which can be.
/// @param samples  rows * columns, row by row. Any thread.
Expected<Samples> decodeFrame(const CodedFrame& frame, std::span<uint16_t> samples);

/// The decoders behind it. Same contract, but the sizes agree and the bytes are plausible.
Expected<Samples> decodeRle(const CodedFrame& frame, std::span<uint16_t> samples);
Expected<Samples> decodeJpeg(const CodedFrame& frame, std::span<uint16_t> samples);  ///< and JPEG-LS
Expected<Samples> decodeJpeg2000(const CodedFrame& frame, std::span<uint16_t> samples);

/// "x.dcm: its JPEG lossless pixels are damaged (…); copy the file again from the source".
tl::unexpected<Error> damagedPixels(const CodedFrame& frame, const std::string& what);

/// An error unless the codestream's own size is the header's and it has one component of 2 to 16 bits.
Expected<void> checkCodedSize(const CodedFrame& frame, uint64_t columns, uint64_t rows, int components, int precision);

}  // namespace lynceus::io::dicom
