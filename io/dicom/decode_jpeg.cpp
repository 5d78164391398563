// JPEG (ISO 10918-1) and JPEG-LS (ISO 14495-1) through DCMTK's decoders. They get a data set made here, of values that
// were checked, and write straight into the caller's samples.
#include <memory>
#include <optional>

#include <dcmtk/config/osconfig.h>

#include <dcmtk/dcmdata/dccodec.h>
#include <dcmtk/dcmdata/dcpixseq.h>
#include <dcmtk/dcmdata/dcpxitem.h>
#include <dcmtk/dcmdata/dctk.h>

#include "io/dicom/codecs.h"
#include "io/dicom/library.h"

namespace lynceus::io::dicom {
namespace {

enum Marker : uint8_t {
  kDht = 0xC4,
  kJpg = 0xC8,
  kDac = 0xCC,
  kSof0 = 0xC0,
  kSof15 = 0xCF,
  kSoi = 0xD8,
  kSos = 0xDA,
  kSofJpegLs = 0xF7,
};

bool isFrameHeader(uint8_t marker) {
  const bool jpeg = marker >= kSof0 && marker <= kSof15 && marker != kDht && marker != kJpg && marker != kDac;
  return jpeg || marker == kSofJpegLs;
}

// What the frame header (ISO 10918-1 B.2.2) says.
struct FrameHeader {
  uint8_t marker = 0;
  int precision = 0, rows = 0, columns = 0, components = 0;
};

// The segments up to the first scan, one directly after the other as the standard has them: a decoder that is more
// tolerant walks the same way, so it sees the same one frame header.
std::optional<FrameHeader> findFrameHeader(std::span<const uint8_t> b) {
  std::optional<FrameHeader> found;
  if (b.size() < 4 || b[0] != 0xFF || b[1] != kSoi) return {};
  for (size_t at = 2; at + 4 <= b.size();) {
    if (b[at] != 0xFF) return {};
    const uint8_t marker = b[at + 1];
    if (marker == 0xFF) {  // a fill byte
      ++at;
      continue;
    }
    const size_t length = static_cast<size_t>(b[at + 2] << 8 | b[at + 3]);
    if (marker < kSof0 || marker == kSoi || length < 2 || length > b.size() - at - 2) return {};
    if (marker == kSos) return found;
    if (isFrameHeader(marker)) {
      if (found || length < 8) return {};
      const auto number = [&](size_t i) { return b[at + i] << 8 | b[at + i + 1]; };
      found = FrameHeader{marker, b[at + 4], number(5), number(7), b[at + 9]};
    }
    at += 2 + length;
  }
  return {};
}

// Each scan of a progressive image costs a pass over it, and thousands of them fit a small file.
bool hasTooManyScans(std::span<const uint8_t> b) {
  constexpr int kMaxScans = 200;
  int scans = 0;
  for (size_t i = 0; i + 1 < b.size(); ++i) scans += b[i] == 0xFF && b[i + 1] == kSos;
  return scans > kMaxScans;
}

// The image of DCMTK that its decoders look at: the least they need, from checked values.
struct Image {
  DcmDataset dataset;
  DcmPixelSequence sequence{DcmTag(DCM_PixelSequenceTag)};
};

bool describe(Image& image, const CodedFrame& frame, int bits) {
  const auto put = [&](const DcmTagKey& tag, int value) {
    return image.dataset.putAndInsertUint16(tag, static_cast<Uint16>(value)).good();
  };
  // Odd lengths are not DICOM; the zeros after the end also keep a decoder that looks ahead within the bytes.
  constexpr size_t kZerosAfter = 16;
  const size_t length = (frame.bytes.size() + kZerosAfter) & ~size_t{1};
  auto table = std::make_unique<DcmPixelItem>(DcmTag(DCM_PixelItemTag));
  auto item = std::make_unique<DcmPixelItem>(DcmTag(DCM_PixelItemTag));
  Uint8* bytes = nullptr;
  if (length > 0x7FFFFFFF || item->createUint8Array(static_cast<Uint32>(length), bytes).bad() || !bytes) return false;
  std::copy(frame.bytes.begin(), frame.bytes.end(), bytes);
  if (image.sequence.insert(table.get()).bad()) return false;
  static_cast<void>(table.release());
  if (image.sequence.insert(item.get()).bad()) return false;
  static_cast<void>(item.release());
  return put(DCM_SamplesPerPixel, 1) && put(DCM_Rows, frame.rows) && put(DCM_Columns, frame.columns) &&
         put(DCM_BitsAllocated, bits) && put(DCM_BitsStored, bits) && put(DCM_HighBit, bits - 1) &&
         put(DCM_PixelRepresentation, 0) &&
         image.dataset.putAndInsertString(DCM_PhotometricInterpretation, "MONOCHROME2").good();
}

// From bytes, in the first half of the samples, to samples; from behind, since a sample lies where two bytes do.
void widen(std::span<uint16_t> samples) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(samples.data());
  for (size_t i = samples.size(); i-- > 0;) samples[i] = bytes[i];
}

}  // namespace

Expected<Samples> decodeJpeg(const CodedFrame& frame, std::span<uint16_t> samples) {
  prepareLibrary();
  const DcmXfer syntax(frame.transferSyntaxUid.c_str());
  const auto header = findFrameHeader(frame.bytes);
  if (!header) return damagedPixels(frame, "no frame header");
  const bool isJpegLs = syntax.getXfer() == EXS_JPEGLSLossless || syntax.getXfer() == EXS_JPEGLSLossy;
  if (isJpegLs != (header->marker == kSofJpegLs)) {
    return makeError(ErrorCode::badInput, "{}: its pixels are {}, not {} as Transfer Syntax UID (0002,0010) says",
                     frame.file, isJpegLs ? "JPEG" : "JPEG-LS", transferSyntaxName(frame.transferSyntaxUid));
  }
  const auto fits = checkCodedSize(frame, static_cast<uint64_t>(header->columns), static_cast<uint64_t>(header->rows),
                                   header->components, header->precision);
  if (!fits) return passError(fits);
  if (hasTooManyScans(frame.bytes)) return damagedPixels(frame, "more than 200 scans");
  const bool isByte = header->precision <= 8;
  Image image;
  if (!describe(image, frame, isByte ? 8 : 16)) {
    return makeError(ErrorCode::resource, "{}: there is not enough memory to decode it", frame.file);
  }
  Uint32 fragment = 1;
  OFString colourModel;
  const OFCondition decoded =
      DcmCodecList::decodeFrame(syntax, nullptr, &image.sequence, &image.dataset, 0, fragment, samples.data(),
                                static_cast<Uint32>(samples.size_bytes()), colourModel);
  if (decoded.bad()) return damagedPixels(frame, decoded.text());
  if (isByte) widen(samples);
  return Samples{header->precision, false};
}

}  // namespace lynceus::io::dicom
