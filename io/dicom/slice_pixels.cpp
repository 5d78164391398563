// The pixel side of slice.h.
#include <cmath>
#include <limits>
#include <optional>
#include <system_error>
#include <vector>

#include <dcmtk/config/osconfig.h>

#include <dcmtk/dcmdata/dcpixel.h>
#include <dcmtk/dcmdata/dcpixseq.h>
#include <dcmtk/dcmdata/dcpxitem.h>
#include <dcmtk/dcmdata/dctk.h>

#include "core/image/volume.h"
#include "io/dicom/library.h"
#include "io/dicom/slice.h"

namespace lynceus::io::dicom {
namespace {

// How the bits of one stored value are laid out (PS3.5 section 8.1.1).
struct StoredFormat {
  int bitsAllocated = 0, bitsStored = 0, highBit = 0;
  bool isSigned = false;

  int valueOf(uint16_t bits) const {
    const int shift = highBit + 1 - bitsStored;
    const unsigned mask = (1U << bitsStored) - 1;
    const unsigned v = (static_cast<unsigned>(bits) >> shift) & mask;
    const unsigned sign = 1U << (bitsStored - 1);
    return isSigned && (v & sign) ? static_cast<int>(v) - static_cast<int>(mask) - 1 : static_cast<int>(v);
  }
};

struct Rescale {
  double slope = 1, intercept = 0;
  bool integral() const { return std::trunc(slope) == slope && std::trunc(intercept) == intercept; }
};

// Stored values that mark pixels outside the reconstructed circle (0028,0120) and (0028,0121).
struct Padding {
  int low = 0, high = -1;
  bool covers(int v) const { return v >= low && v <= high; }
};

Expected<uint16_t> shortOf(DcmItem& item, const DcmTagKey& tag, const char* name, const std::string& file) {
  Uint16 value = 0;
  if (item.findAndGetUint16(tag, value).good()) return value;
  return makeError(ErrorCode::badInput, "{}: {} is absent: the file cannot be shown as an image", file, name);
}

Expected<StoredFormat> readFormat(DcmItem& item, const std::string& file) {
  const auto allocated = shortOf(item, DCM_BitsAllocated, "Bits Allocated (0028,0100)", file);
  const auto stored = shortOf(item, DCM_BitsStored, "Bits Stored (0028,0101)", file);
  const auto representation = shortOf(item, DCM_PixelRepresentation, "Pixel Representation (0028,0103)", file);
  for (const auto* value : {&allocated, &stored, &representation}) {
    if (!*value) return passError(*value);
  }
  Uint16 high = 0, samples = 1;
  if (item.findAndGetUint16(DCM_HighBit, high).bad()) high = static_cast<Uint16>(*stored - 1);
  static_cast<void>(item.findAndGetUint16(DCM_SamplesPerPixel, samples));
  if (samples != 1) return makeError(ErrorCode::unsupported, "{}: a colour image has no Hounsfield units", file);
  const bool sizes = (*allocated == 8 || *allocated == 16) && *stored >= 1 && *stored <= *allocated;
  if (!sizes || high + 1 < *stored || high >= *allocated) {
    return makeError(ErrorCode::unsupported,
                     "{}: {} bits allocated, {} stored, high bit {} are not a CT image of 8 or 16 bits", file,
                     *allocated, *stored, high);
  }
  return StoredFormat{*allocated, *stored, high, *representation == 1};
}

Expected<Rescale> readRescale(DcmItem& item, const std::string& file) {
  Rescale r;
  Float64 slope = 0, intercept = 0;
  if (item.findAndGetFloat64(DCM_RescaleSlope, slope).bad() ||
      item.findAndGetFloat64(DCM_RescaleIntercept, intercept).bad()) {
    return makeError(ErrorCode::badInput,
                     "{}: Rescale Slope or Intercept (0028,1053) is absent: its values are not Hounsfield units", file);
  }
  if (!std::isfinite(slope) || !std::isfinite(intercept) || slope == 0) {
    return makeError(ErrorCode::badInput, "{}: Rescale Slope {} and Intercept {} give no Hounsfield units", file, slope,
                     intercept);
  }
  OFString type;
  if (item.findAndGetOFString(DCM_RescaleType, type).good() && !type.empty() && type != "HU" && type != "US") {
    return makeError(ErrorCode::unsupported, "{}: Rescale Type (0028,1054) is {}, not HU", file, type.c_str());
  }
  r.slope = slope;
  r.intercept = intercept;
  return r;
}

Padding readPadding(DcmItem& item, const StoredFormat& format) {
  const auto value = [&](const DcmTagKey& tag) -> std::optional<int> {
    // The VR is US or SS, and files get it wrong: only the bits count.
    Uint16 u = 0;
    Sint16 s = 0;
    uint16_t bits = 0;
    if (item.findAndGetUint16(tag, u).good()) {
      bits = u;
    } else if (item.findAndGetSint16(tag, s).good()) {
      bits = static_cast<uint16_t>(s);
    } else {
      return {};
    }
    return format.isSigned ? static_cast<int16_t>(bits) : static_cast<int>(bits);
  };
  const auto low = value(DCM_PixelPaddingValue);
  if (!low) return {};
  const int high = value(DCM_PixelPaddingRangeLimit).value_or(*low);
  return {std::min(*low, high), std::max(*low, high)};
}

std::optional<int16_t> toHu(double value) {
  const double rounded = std::nearbyint(value);
  if (rounded < std::numeric_limits<int16_t>::min() || rounded > std::numeric_limits<int16_t>::max()) return {};
  return static_cast<int16_t>(rounded);
}

// One entry for each possible stored value: 16 bits are few, and every pixel becomes one look-up.
class HuTable {
 public:
  HuTable(const StoredFormat& format, const Rescale& rescale, const Padding& padding)
      : m_hu(size_t{1} << format.bitsAllocated), m_state(m_hu.size()) {
    for (size_t bits = 0; bits < m_hu.size(); ++bits) {
      const int stored = format.valueOf(static_cast<uint16_t>(bits));
      const double exact = rescale.slope * stored + rescale.intercept;
      const auto hu = toHu(exact);
      m_hu[bits] = hu.value_or(image::kAirHu);
      m_state[bits] = hu || padding.covers(stored) ? fine : outside;
    }
    m_integral = rescale.integral();
  }
  enum State : uint8_t { fine, outside };

  int16_t hu(uint16_t bits) const { return m_hu[bits]; }
  bool isOutside(uint16_t bits) const { return m_state[bits] == outside; }
  bool integral() const { return m_integral; }

 private:
  std::vector<int16_t> m_hu;
  std::vector<State> m_state;
  bool m_integral = true;
};

Expected<DcmPixelData*> findPixels(DcmItem& dataset, const std::string& file) {
  DcmElement* element = nullptr;
  if (dataset.findAndGetElement(DCM_PixelData, element).bad() || !element) {
    return makeError(ErrorCode::badInput, "{}: Pixel Data (7FE0,0010) is absent; copy the file again from the source",
                     file);
  }
  if (auto* pixels = dynamic_cast<DcmPixelData*>(element)) return pixels;
  return makeError(ErrorCode::badInput, "{}: Pixel Data (7FE0,0010) is not pixel data", file);
}

// Values stay in the file until they are asked for, and a damaged length may claim gigabytes. Only the pixels may be
// long, and no longer than the file.
bool lengthsAreCredible(DcmDataset& dataset, std::uintmax_t fileSize) {
  constexpr Uint32 kMaxValueBytes = 1 << 16;
  for (const DcmTagKey& tag :
       {DCM_Rows, DCM_Columns, DCM_NumberOfFrames, DCM_BitsAllocated, DCM_BitsStored, DCM_HighBit,
        DCM_PixelRepresentation, DCM_SamplesPerPixel, DCM_RescaleSlope, DCM_RescaleIntercept, DCM_RescaleType,
        DCM_PixelPaddingValue, DCM_PixelPaddingRangeLimit, DCM_PhotometricInterpretation, DCM_PlanarConfiguration}) {
    DcmElement* element = nullptr;
    if (dataset.findAndGetElement(tag, element).good() && element && element->getLengthField() > kMaxValueBytes) {
      return false;
    }
  }
  DcmElement* element = nullptr;
  static_cast<void>(dataset.findAndGetElement(DCM_PixelData, element));
  auto* pixels = dynamic_cast<DcmPixelData*>(element);
  DcmPixelSequence* fragments = nullptr;
  const E_TransferSyntax syntax = dataset.getOriginalXfer();
  if (!pixels || !DcmXfer(syntax).isEncapsulated()) {
    const bool deflated = syntax == EXS_DeflatedLittleEndianExplicit;  // may well be shorter than its pixels
    return !pixels || deflated || pixels->getLengthField() <= fileSize;
  }
  if (pixels->getEncapsulatedRepresentation(syntax, nullptr, fragments).bad() || !fragments) return true;
  for (unsigned long i = 0; i < fragments->card(); ++i) {
    DcmPixelItem* fragment = nullptr;
    if (fragments->getItem(fragment, i).bad() || fragment->getLengthField() > fileSize) return false;
  }
  return true;
}

Expected<void> decompress(DcmDataset& dataset, const Instance& instance) {
  const DcmXfer xfer(dataset.getOriginalXfer());
  if (!xfer.isEncapsulated()) return {};
  const std::string file = instance.path.string();
  if (!canDecode(xfer.getXferID())) {
    return makeError(ErrorCode::unsupported, "{}: {} cannot be decoded; convert the series to uncompressed or JPEG-LS",
                     file, transferSyntaxName(xfer.getXferID()));
  }
  const OFCondition decoded = dataset.chooseRepresentation(EXS_LittleEndianExplicit, nullptr);
  if (decoded.bad()) {
    return makeError(ErrorCode::badInput, "{}: its {} pixels are damaged ({}); copy the file again from the source",
                     file, transferSyntaxName(xfer.getXferID()), decoded.text());
  }
  return {};
}

// Points into the data set. For 8 bits `bytes`, for 16 `words`; count is in values.
struct RawPixels {
  const Uint8* bytes = nullptr;
  const Uint16* words = nullptr;
  unsigned long count = 0;
  uint16_t operator[](size_t i) const { return words ? words[i] : bytes[i]; }
};

Expected<RawPixels> rawPixels(DcmPixelData& pixels, const StoredFormat& format, const std::string& file,
                              size_t needed) {
  RawPixels raw;
  Uint8* bytes = nullptr;
  Uint16* words = nullptr;
  const size_t width = static_cast<size_t>(format.bitsAllocated) / 8;
  const size_t found = pixels.getLength();
  OFCondition got = EC_Normal;
  if (format.bitsAllocated == 16) {
    got = pixels.getUint16Array(words);
    raw.words = words;
  } else {
    got = pixels.getUint8Array(bytes);
    raw.bytes = bytes;
  }
  raw.count = found / width;
  if (got.bad() || (!words && !bytes) || raw.count < needed) {
    return makeError(ErrorCode::badInput,
                     "{}: its pixels need {} bytes and {} are there; copy the file again from the "
                     "source",
                     file, needed * width, found);
  }
  return raw;
}

Expected<SlicePixels> convert(const RawPixels& raw, const HuTable& table, const StoredFormat& format,
                              const Rescale& rescale, const std::string& file, std::span<int16_t> hu) {
  SlicePixels result;
  for (size_t i = 0; i < hu.size(); ++i) {
    const uint16_t bits = raw[i];
    if (table.isOutside(bits)) {
      const int stored = format.valueOf(bits);
      return makeError(ErrorCode::badInput,
                       "{}: stored value {} is {:.0f} HU with Rescale Slope {} and Intercept {}, which is outside "
                       "-32768 to 32767: the rescale values are wrong or this is not CT",
                       file, stored, rescale.slope * stored + rescale.intercept, rescale.slope, rescale.intercept);
    }
    hu[i] = table.hu(bits);
    if (!table.integral()) {
      const double exact = rescale.slope * format.valueOf(bits) + rescale.intercept;
      if (toHu(exact)) result.largestRoundingHu = std::max(result.largestRoundingHu, std::abs(exact - hu[i]));
    }
  }
  return result;
}

Expected<void> checkFrame(DcmItem& dataset, const Instance& instance, size_t needed) {
  const std::string file = instance.path.string();
  Uint16 rows = 0, columns = 0;
  Sint32 frames = 1;
  static_cast<void>(dataset.findAndGetUint16(DCM_Rows, rows));
  static_cast<void>(dataset.findAndGetUint16(DCM_Columns, columns));
  if (size_t{rows} * columns != needed || rows != instance.rows) {
    return makeError(ErrorCode::badInput,
                     "{}: the image is {} x {} pixels now and was {} x {} when its folder was read; "
                     "open the folder again",
                     file, columns, rows, instance.columns, instance.rows);
  }
  if (dataset.findAndGetSint32(DCM_NumberOfFrames, frames).good() && frames != 1) {
    return makeError(ErrorCode::unsupported, "{}: the image has {} frames; only one image in each file can be read",
                     file, frames);
  }
  return {};
}

}  // namespace

Expected<SlicePixels> readSlicePixels(const Instance& instance, std::span<int16_t> hu) {
  prepareLibrary();
  const std::string file = instance.path.string();
  if (!instance.damage.empty()) return makeError(ErrorCode::badInput, "{}", instance.damage);
  DcmFileFormat format;
  const OFCondition loaded = format.loadFile(OFFilename(instance.path.c_str()));
  if (loaded.bad()) {
    return makeError(ErrorCode::badInput, "{}: the file is cut off or damaged ({}); copy it again from the source",
                     file, loaded.text());
  }
  DcmDataset& dataset = *format.getDataset();
  std::error_code ignored;
  if (!lengthsAreCredible(dataset, std::filesystem::file_size(instance.path, ignored))) {
    return makeError(ErrorCode::badInput,
                     "{}: an attribute claims more bytes than the file has; copy it again from the "
                     "source",
                     file);
  }
  if (auto checked = checkFrame(dataset, instance, hu.size()); !checked) return passError(checked);
  if (auto done = decompress(dataset, instance); !done) return passError(done);
  // Decoders may change bits allocated, so the format is read after them.
  const auto stored = readFormat(dataset, file);
  if (!stored) return passError(stored);
  const auto rescale = readRescale(dataset, file);
  if (!rescale) return passError(rescale);
  const auto pixels = findPixels(dataset, file);
  if (!pixels) return passError(pixels);
  const auto raw = rawPixels(**pixels, *stored, file, hu.size());
  if (!raw) return passError(raw);
  // MONOCHROME1 changes how an image is shown, not its Hounsfield units.
  const Padding padding = readPadding(dataset, *stored);
  auto result = convert(*raw, HuTable(*stored, *rescale, padding), *stored, *rescale, file, hu);
  if (!result) return result;
  const bool named = padding.low <= padding.high;
  result->paddingHu =
      named ? toHu(rescale->slope * padding.low + rescale->intercept).value_or(image::kAirHu) : image::kAirHu;
  return result;
}

}  // namespace lynceus::io::dicom
