// The pixel side of slice.h: open the file, check that it is the one the scan saw, get the stored values, scale them.
#include <algorithm>
#include <bit>
#include <cmath>

#include "io/byte_reader.h"
#include "io/dicom/codecs.h"
#include "io/dicom/fragments.h"
#include "io/dicom/hounsfield.h"
#include "io/dicom/library.h"
#include "io/dicom/slice.h"

namespace lynceus::io::dicom {
namespace {

// The stored bits are read where their Hounsfield units will be; as unsigned they are the same memory.
std::span<uint16_t> asBits(std::span<int16_t> hu) { return {reinterpret_cast<uint16_t*>(hu.data()), hu.size()}; }

Expected<StoredFormat> formatOf(const Instance& instance, const std::string& file) {
  const PixelLayout& p = instance.pixels;
  if (p.samplesPerPixel != 1) {
    return makeError(ErrorCode::unsupported, "{}: a colour image has no Hounsfield units", file);
  }
  const bool sizes =
      (p.bitsAllocated == 8 || p.bitsAllocated == 16) && p.bitsStored >= 1 && p.bitsStored <= p.bitsAllocated;
  if (!sizes || p.highBit + 1 < p.bitsStored || p.highBit >= p.bitsAllocated) {
    return makeError(ErrorCode::unsupported,
                     "{}: {} bits allocated, {} stored, high bit {} are not a CT image of 8 or 16 bits", file,
                     p.bitsAllocated, p.bitsStored, p.highBit);
  }
  if (p.bitsAllocated == 8 && p.bigEndian) {
    return makeError(ErrorCode::unsupported,
                     "{}: 8 bits allocated in big endian, where writers disagree about the order of the bytes; convert "
                     "the series to explicit little endian",
                     file);
  }
  return StoredFormat{p.bitsStored, p.highBit, p.isSigned};
}

Expected<Rescale> rescaleOf(const Instance& instance, const std::string& file) {
  if (!instance.rescaleSlope || !instance.rescaleIntercept) {
    return makeError(ErrorCode::badInput,
                     "{}: Rescale Slope or Intercept (0028,1053) is absent: its values are not Hounsfield units", file);
  }
  const Rescale r{*instance.rescaleSlope, *instance.rescaleIntercept};
  if (!std::isfinite(r.slope) || !std::isfinite(r.intercept) || r.slope == 0) {
    return makeError(ErrorCode::badInput, "{}: Rescale Slope {} and Intercept {} give no Hounsfield units", file,
                     r.slope, r.intercept);
  }
  const std::string& type = instance.rescaleType;
  if (!type.empty() && type != "HU" && type != "US") {
    return makeError(ErrorCode::unsupported, "{}: Rescale Type (0028,1054) is {}, not HU", file, type);
  }
  return r;
}

Expected<ByteReader> openUnchanged(const Instance& instance) {
  auto file = ByteReader::open(instance.file);
  if (!file) return file;
  if (file->size() != instance.fileSize || file->timeNs() != instance.fileTimeNs) {
    return makeError(ErrorCode::badInput, "{}: the file changed since its folder was read; open the folder again",
                     file->name());
  }
  return file;
}

Expected<void> readPlain(ByteReader& file, const PixelLayout& layout, std::span<int16_t> hu) {
  const auto bytes = std::as_writable_bytes(hu);
  const size_t needed = hu.size() * (layout.bitsAllocated == 8 ? 1 : 2);
  const std::span target(reinterpret_cast<uint8_t*>(bytes.data()) + (bytes.size() - needed), needed);
  if (layout.deflatedFrom > 0) {
    auto unpacked = file.inflate(layout.deflatedFrom, layout.offset + needed);
    if (!unpacked) return passError(unpacked);
    if (!unpacked->read(layout.offset, target)) {
      return makeError(ErrorCode::badInput,
                       "{}: its deflated pixels end before the {} bytes from byte {}; copy it again from the source",
                       file.name(), needed, layout.offset);
    }
  } else if (!file.read(layout.offset, target)) {
    return makeError(ErrorCode::badInput,
                     "{}: its pixels need {} bytes from byte {} of {}; copy the file again from the source",
                     file.name(), needed, layout.offset, file.size());
  }
  if (layout.bitsAllocated == 8) {  // they lie in the second half, ahead of where they go
    for (size_t i = 0; i < hu.size(); ++i) hu[i] = target[i];
  } else if (layout.bigEndian != (std::endian::native == std::endian::big)) {
    for (uint16_t& b : asBits(hu)) b = static_cast<uint16_t>(b << 8 | b >> 8);
  }
  return {};
}

// Where the bits of a decoded sample are, which is not always where the header says: a codestream may have fewer.
Expected<StoredFormat> reconcile(const StoredFormat& header, const Samples& coded, const Instance& instance,
                                 std::span<const int16_t> decoded) {
  const std::string name = transferSyntaxName(instance.transferSyntaxUid);
  const auto has = [&](int bit) {
    return std::any_of(decoded.begin(), decoded.end(), [&](int16_t v) { return (v >> bit & 1) != 0; });
  };
  if (coded.isSigned && !header.isSigned && has(15)) {
    return makeError(
        ErrorCode::badInput,
        "{}: its {} pixels have negative values where Pixel Representation (0028,0103) says there are none; "
        "export the study again",
        instance.file.path.string(), name);
  }
  if (coded.precision > header.highBit) return header;
  const bool signLost =
      header.isSigned && !coded.isSigned && coded.precision < header.bitsStored && has(coded.precision - 1);
  // Between stored bits and high bit: neither where the header says nor the stored bits alone.
  if (signLost || coded.precision > header.bitsStored) {
    return makeError(
        ErrorCode::unsupported,
        "{}: its {} pixels have {} bits where the header says {} stored{} up to bit {}, so their values are "
        "ambiguous; export the study again, uncompressed",
        instance.file.path.string(), name, coded.precision, header.bitsStored, header.isSigned ? " and signed" : "",
        header.highBit);
  }
  const int bits = coded.isSigned ? 16 : std::min(header.bitsStored, coded.precision);
  return StoredFormat{bits, bits - 1, header.isSigned && (coded.isSigned || coded.precision == header.bitsStored)};
}

Expected<StoredFormat> readCompressed(ByteReader& file, const Instance& instance, const StoredFormat& header,
                                      std::span<int16_t> hu) {
  auto bytes = readFragments(file, instance.pixels);
  if (!bytes) return passError(bytes);
  const CodedFrame frame{std::move(*bytes), instance.rows, instance.columns, instance.transferSyntaxUid, file.name()};
  const auto coded = decodeFrame(frame, asBits(hu));
  if (!coded) return passError(coded);
  if (coded->precision > instance.pixels.bitsAllocated) {
    return makeError(ErrorCode::badInput,
                     "{}: its {} pixels have {} bits where Bits Allocated (0028,0100) is {}; export the study again",
                     file.name(), transferSyntaxName(instance.transferSyntaxUid), coded->precision,
                     instance.pixels.bitsAllocated);
  }
  return reconcile(header, *coded, instance, hu);
}

}  // namespace

Expected<SlicePixels> readSlicePixels(const Instance& instance, std::span<int16_t> hu) {
  const std::string file = instance.file.path.string();
  auto format = formatOf(instance, file);
  if (!format) return passError(format);
  if (!instance.damage.empty()) return makeError(ErrorCode::badInput, "{}", instance.damage);
  if (hu.empty() || hu.size() != static_cast<uint64_t>(instance.rows) * static_cast<uint64_t>(instance.columns)) {
    return makeError(ErrorCode::internal, "{}: {} x {} pixels into {} values", file, instance.columns, instance.rows,
                     hu.size());
  }
  const bool compressed = codecOf(instance.transferSyntaxUid) != Codec::none;
  if (!canDecode(instance.transferSyntaxUid)) {
    return makeError(ErrorCode::unsupported, "{}: {} cannot be decoded; convert the series to uncompressed or JPEG-LS",
                     file, transferSyntaxName(instance.transferSyntaxUid));
  }
  if (compressed != instance.pixels.compressed) {
    return makeError(ErrorCode::badInput,
                     "{}: its pixels are {} but Transfer Syntax UID (0002,0010) says {}; export the study again", file,
                     compressed ? "not in fragments" : "in fragments", transferSyntaxName(instance.transferSyntaxUid));
  }
  const auto rescale = rescaleOf(instance, file);
  if (!rescale) return passError(rescale);
  auto reader = openUnchanged(instance);
  if (!reader) return passError(reader);
  if (compressed) {
    format = readCompressed(*reader, instance, *format, hu);
    if (!format) return passError(format);
  } else if (auto read = readPlain(*reader, instance.pixels, hu); !read) {
    return passError(read);
  }
  // MONOCHROME1 changes how an image is shown, not its Hounsfield units.
  return toHounsfield(hu, *format, *rescale, {instance.pixels.paddingLow, instance.pixels.paddingHigh}, file);
}

}  // namespace lynceus::io::dicom
