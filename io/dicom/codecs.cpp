#include "io/dicom/codecs.h"

#include "io/dicom/library.h"

namespace lynceus::io::dicom {

tl::unexpected<Error> damagedPixels(const CodedFrame& frame, const std::string& what) {
  return makeError(ErrorCode::badInput, "{}: its {} pixels are damaged ({}); copy the file again from the source",
                   frame.file, transferSyntaxName(frame.transferSyntaxUid), what);
}

Expected<void> checkCodedSize(const CodedFrame& frame, uint64_t columns, uint64_t rows, int components, int precision) {
  if (components != 1) {
    return makeError(ErrorCode::unsupported, "{}: its {} pixels have {} components, and colour has no Hounsfield units",
                     frame.file, transferSyntaxName(frame.transferSyntaxUid), components);
  }
  if (columns != static_cast<uint64_t>(frame.columns) || rows != static_cast<uint64_t>(frame.rows)) {
    return makeError(
        ErrorCode::badInput,
        "{}: its {} pixels are {} x {} where Columns (0028,0011) and Rows (0028,0010) say {} x {}; get the "
        "file again from the source",
        frame.file, transferSyntaxName(frame.transferSyntaxUid), columns, rows, frame.columns, frame.rows);
  }
  if (precision < 2 || precision > 16) {
    return makeError(ErrorCode::unsupported, "{}: its {} pixels have {} bits; CT images have 2 to 16", frame.file,
                     transferSyntaxName(frame.transferSyntaxUid), precision);
  }
  return {};
}

Expected<Samples> decodeFrame(const CodedFrame& frame, std::span<uint16_t> samples) {
  if (samples.size() != static_cast<uint64_t>(frame.rows) * static_cast<uint64_t>(frame.columns)) {
    return makeError(ErrorCode::internal, "{}: {} samples for {} x {} pixels", frame.file, samples.size(),
                     frame.columns, frame.rows);
  }
  if (samples.size() / kMaxPixelsPerByte > frame.bytes.size()) {
    return damagedPixels(frame,
                         fmt::format("{} x {} pixels in {} bytes", frame.columns, frame.rows, frame.bytes.size()));
  }
  switch (codecOf(frame.transferSyntaxUid)) {
    case Codec::rle: return decodeRle(frame, samples);
    case Codec::jpeg: return decodeJpeg(frame, samples);
    case Codec::jpeg2000: return decodeJpeg2000(frame, samples);
    case Codec::none:
    case Codec::unknown: break;
  }
  return makeError(ErrorCode::unsupported, "{}: {} cannot be decoded; convert the series to uncompressed or JPEG-LS",
                   frame.file, transferSyntaxName(frame.transferSyntaxUid));
}

}  // namespace lynceus::io::dicom
