// RLE (PS3.5 annex G): PackBits, the bytes of a sample in segments of their own, the highest first. DCMTK's decoder
// would need a copy of the segments and of the result; this one writes each byte where it belongs.
#include <algorithm>
#include <array>
#include <bit>

#include "io/dicom/codecs.h"

namespace lynceus::io::dicom {
namespace {

constexpr size_t kHeaderBytes = 64;
static_assert(std::endian::native == std::endian::little);

uint32_t wordAt(std::span<const uint8_t> bytes, size_t i) {
  return static_cast<uint32_t>(bytes[i]) | static_cast<uint32_t>(bytes[i + 1]) << 8 |
         static_cast<uint32_t>(bytes[i + 2]) << 16 | static_cast<uint32_t>(bytes[i + 3]) << 24;
}

// One segment into every second byte from `out`. False where it has too few bytes, or a run goes beyond the end.
bool unpack(std::span<const uint8_t> segment, uint8_t* out, size_t count) {
  size_t in = 0;
  for (size_t done = 0; done < count;) {
    if (in >= segment.size()) return false;
    const size_t control = segment[in++];
    if (control == 128) continue;
    const bool isRun = control > 128;
    const size_t length = isRun ? 257 - control : control + 1;
    const size_t needed = isRun ? 1 : length;
    if (needed > segment.size() - in || length > count - done) return false;
    uint8_t* const to = out + 2 * done;
    if (isRun) {
      for (size_t i = 0; i < length; ++i) to[2 * i] = segment[in];
    } else {
      for (size_t i = 0; i < length; ++i) to[2 * i] = segment[in + i];
    }
    in += needed;
    done += length;
  }
  return true;
}

}  // namespace

Expected<Samples> decodeRle(const CodedFrame& frame, std::span<uint16_t> samples) {
  const std::span<const uint8_t> bytes = frame.bytes;
  if (bytes.size() < kHeaderBytes) return damagedPixels(frame, "no header");
  const uint32_t segments = wordAt(bytes, 0);
  if (segments != 1 && segments != 2) {
    return makeError(ErrorCode::unsupported,
                     "{}: its RLE pixels have {} segments; CT images have one for each byte of a value, so 1 or 2",
                     frame.file, segments);
  }
  std::array<size_t, 3> offset = {wordAt(bytes, 4), wordAt(bytes, 8), bytes.size()};
  if (segments == 1) offset[1] = bytes.size();
  if (offset[0] < kHeaderBytes || offset[1] < offset[0] || bytes.size() < offset[1]) {
    return damagedPixels(frame, fmt::format("segments at byte {} and {} of {}", offset[0], offset[1], bytes.size()));
  }
  if (segments == 1) std::fill(samples.begin(), samples.end(), uint16_t{0});
  for (size_t s = 0; s < segments; ++s) {
    const auto segment = bytes.subspan(offset[s], offset[s + 1] - offset[s]);
    const size_t byteOfSample = segments - 1 - s;
    if (!unpack(segment, reinterpret_cast<uint8_t*>(samples.data()) + byteOfSample, samples.size())) {
      return damagedPixels(frame, fmt::format("segment {} does not hold {} values", s + 1, samples.size()));
    }
  }
  return Samples{static_cast<int>(8 * segments), false};
}

}  // namespace lynceus::io::dicom
