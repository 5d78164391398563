// JPEG 2000 (ISO 15444-1) through OpenJPEG, from memory, on the calling thread.
#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>

#include <openjpeg.h>

#include "io/dicom/codecs.h"
#include "io/dicom/library.h"

namespace lynceus::io::dicom {
namespace {

using Bytes = std::span<const uint8_t>;

enum Marker : uint16_t {
  kSoc = 0xFF4F,
  kSiz = 0xFF51,
  kCod = 0xFF52,
  kCoc = 0xFF53,
  kSot = 0xFF90,
  kSod = 0xFF93,
  kEoc = 0xFFD9,
};

uint32_t number(Bytes b, size_t at, size_t size) {
  uint32_t value = 0;
  for (size_t i = 0; i < size; ++i) value = value << 8 | b[at + i];
  return value;
}

// Some writers wrap the codestream in a JP2 file (annex I), which DICOM does not allow but everybody reads.
Bytes withoutJp2Boxes(Bytes b) {
  constexpr uint32_t kSignature = 0x6A502020, kCodestream = 0x6A703263;  // "jP  ", "jp2c"
  if (b.size() < 12 || number(b, 4, 4) != kSignature) return b;
  while (b.size() >= 8) {
    const size_t length = number(b, 0, 4);
    if (number(b, 4, 4) == kCodestream) return b.subspan(8);
    if (length < 8 || length > b.size()) break;
    b = b.subspan(length);
  }
  return {};
}

// Columns or rows of the image and of its tiles, on the reference grid (annex B.3).
struct Axis {
  uint64_t end = 0, begin = 0, tile = 0, tileBegin = 0;

  bool isSane() const { return end > begin && tile > 0 && tileBegin <= begin && begin < tileBegin + tile; }
  uint64_t length() const { return end - begin; }
  uint64_t tiles() const { return (end - tileBegin + tile - 1) / tile; }
  // Is there a tile of which no sample is left at the lowest resolution?
  bool losesATile(size_t levels) const {
    const auto reduce = [&](uint64_t x) { return (x + (uint64_t{1} << levels) - 1) >> levels; };
    for (uint64_t t = 0; t < tiles(); ++t) {
      const uint64_t from = std::max(begin, tileBegin + t * tile), to = std::min(end, tileBegin + (t + 1) * tile);
      if (reduce(from) == reduce(to)) return true;
    }
    return false;
  }
};

// What the SIZ segment says (annex A.5.1).
struct Size {
  Axis columns, rows;
  int components = 0, precision = 0;
  bool isSigned = false;

  uint64_t tiles() const { return columns.tiles() * rows.tiles(); }
};

std::optional<Size> readSize(Bytes b) {
  if (b.size() < 45 || number(b, 0, 2) != kSoc || number(b, 2, 2) != kSiz || number(b, 4, 2) < 41) return {};
  const auto axis = [&](size_t at) {
    return Axis{number(b, at, 4), number(b, at + 8, 4), number(b, at + 16, 4), number(b, at + 24, 4)};
  };
  const Size size{axis(8), axis(12), static_cast<int>(number(b, 40, 2)), (b[42] & 0x7F) + 1, (b[42] & 0x80) != 0};
  const bool subsampled = b[43] != 1 || b[44] != 1;
  if (!size.columns.isSane() || !size.rows.isSane() || subsampled) return {};
  return size;
}

// Packets that a COD or COC segment promises at least (annexes A.6.1, A.6.2, B.12): layers times precincts.
struct CodingStyle {
  size_t style = 0, levels = 0, precincts = 0;  // where they lie in the segment
};
constexpr CodingStyle kInCod{4, 9, 14}, kInCoc{5, 6, 11};

std::optional<uint64_t> packetsOf(Bytes segment, const CodingStyle& at, uint64_t layers, const Size& size) {
  if (segment.size() < at.precincts) return {};
  const size_t levels = segment[at.levels];
  const bool hasPrecincts = (segment[at.style] & 1) != 0;
  if (levels > 32 || (hasPrecincts && segment.size() < at.precincts + levels + 1)) return {};
  uint64_t precincts = 0;
  for (size_t r = 0; r <= levels; ++r) {
    const unsigned exponents = hasPrecincts ? segment[at.precincts + r] : 0xFF;
    const auto along = [&](uint64_t length, unsigned exponent) {
      const auto down = static_cast<unsigned>(levels - r);
      const uint64_t atLevel = (length + (uint64_t{1} << down) - 1) >> down;
      return (atLevel + (uint64_t{1} << exponent) - 1) >> exponent;
    };
    precincts += along(size.columns.length(), exponents & 15) * along(size.rows.length(), exponents >> 4);
  }
  return layers * std::max(precincts, size.tiles() * (levels + 1));
}

// What is wrong with the codestream as a whole, or nothing. OpenJPEG would fill what is missing with grey, and would
// make room for every packet that is promised, though each takes at least one byte.
class CodestreamCheck {
 public:
  CodestreamCheck(Bytes bytes, const Size& size) : m_bytes(bytes), m_size(size) {}

  std::string problem() {
    constexpr uint64_t kMaxTiles = 4096;  // OpenJPEG keeps several KiB for each
    if (m_size.tiles() > kMaxTiles) return fmt::format("{} tiles", m_size.tiles());
    size_t at = segmentsUntil(2, m_bytes.size(), kSot);
    if (at == 0) return "no tile";
    // The end marker may be missing, and one byte make the length even.
    while (m_problem.empty() && at + 1 < m_bytes.size() && number(m_bytes, at, 2) != kEoc) at = tilePart(at);
    m_end = at;
    return m_problem;
  }
  /// Where the last tile ends, and the end marker should be.
  size_t end() const { return m_end; }
  /// Has some tile no sample at the lowest resolution?
  bool losesATile() const { return m_losesATile; }

 private:
  static constexpr size_t kSotBytes = 12;

  // From one segment to the next until `last`; where that lies, or 0.
  size_t segmentsUntil(size_t at, size_t end, uint16_t last) {
    while (at + 4 <= end) {
      const uint32_t marker = number(m_bytes, at, 2);
      if (marker == last) return at;
      const size_t length = number(m_bytes, at + 2, 2);
      if (marker < 0xFF00 || length < 2 || length > end - at - 2) break;
      checkPackets(marker, m_bytes.subspan(at, length + 2));
      at += length + 2;
    }
    return at + 2 <= end && number(m_bytes, at, 2) == last ? at : 0;
  }

  void checkPackets(uint32_t marker, Bytes segment) {
    if (marker != kCod && marker != kCoc) return;
    if (marker == kCod && segment.size() >= 8) m_layers = number(segment, 6, 2);
    const auto packets = packetsOf(segment, marker == kCod ? kInCod : kInCoc, m_layers, m_size);
    if (!packets) m_problem = "a coding style that ends early";
    if (packets && *packets > m_bytes.size()) {
      m_problem = fmt::format("{} packets in {} bytes", *packets, m_bytes.size());
    }
    const size_t levels = packets ? segment[(marker == kCod ? kInCod : kInCoc).levels] : 0;
    m_losesATile = m_losesATile || m_size.columns.losesATile(levels) || m_size.rows.losesATile(levels);
  }

  // Returns where the next one begins (annex A.4.2).
  size_t tilePart(size_t at) {
    if (m_bytes.size() - at < kSotBytes || number(m_bytes, at, 2) != kSot || number(m_bytes, at + 2, 2) != 10) {
      m_problem = fmt::format("no tile part at byte {}", at);
      return at;
    }
    const size_t length = number(m_bytes, at + 6, 4);
    const size_t end = length == 0 ? m_bytes.size() : at + length;  // 0: to the end
    if (end > m_bytes.size()) {
      m_problem = fmt::format("cut off: a tile needs {} bytes and {} are there", length, m_bytes.size() - at);
    } else if (segmentsUntil(at + kSotBytes, end, kSod) == 0) {
      m_problem = fmt::format("a tile part at byte {} without data", at);
    }
    return end;
  }

  Bytes m_bytes;
  Size m_size;
  uint64_t m_layers = 1;
  std::string m_problem;
  size_t m_end = 0;
  bool m_losesATile = false;
};

// The codestream as OpenJPEG reads it.
struct Source {
  Bytes bytes;
  size_t at = 0;
};

OPJ_SIZE_T readSource(void* into, OPJ_SIZE_T count, void* user) {
  auto& source = *static_cast<Source*>(user);
  const size_t n = std::min<size_t>(count, source.bytes.size() - source.at);
  if (n == 0) return static_cast<OPJ_SIZE_T>(-1);
  std::memcpy(into, source.bytes.data() + source.at, n);
  source.at += n;
  return n;
}

OPJ_OFF_T skipSource(OPJ_OFF_T count, void* user) {
  auto& source = *static_cast<Source*>(user);
  if (count < 0 || static_cast<size_t>(count) > source.bytes.size() - source.at) return -1;
  source.at += static_cast<size_t>(count);
  return count;
}

OPJ_BOOL seekSource(OPJ_OFF_T to, void* user) {
  auto& source = *static_cast<Source*>(user);
  if (to < 0 || static_cast<size_t>(to) > source.bytes.size()) return OPJ_FALSE;
  source.at = static_cast<size_t>(to);
  return OPJ_TRUE;
}

using Image = std::unique_ptr<opj_image_t, decltype(&opj_image_destroy)>;

// Null where OpenJPEG finds the codestream damaged. Its messages go nowhere unless one asks for them.
Image decode(Bytes codestream) {
  Source source{codestream};
  Image none(nullptr, opj_image_destroy);
  const std::unique_ptr<opj_codec_t, decltype(&opj_destroy_codec)> codec(opj_create_decompress(OPJ_CODEC_J2K),
                                                                         opj_destroy_codec);
  const std::unique_ptr<opj_stream_t, decltype(&opj_stream_destroy)> stream(
      opj_stream_create(OPJ_J2K_STREAM_CHUNK_SIZE, OPJ_TRUE), opj_stream_destroy);
  if (!codec || !stream) return none;
  opj_stream_set_user_data(stream.get(), &source, nullptr);
  opj_stream_set_user_data_length(stream.get(), codestream.size());
  opj_stream_set_read_function(stream.get(), readSource);
  opj_stream_set_skip_function(stream.get(), skipSource);
  opj_stream_set_seek_function(stream.get(), seekSource);
  opj_dparameters_t parameters;
  opj_set_default_decoder_parameters(&parameters);
  if (!opj_setup_decoder(codec.get(), &parameters) || !opj_decoder_set_strict_mode(codec.get(), OPJ_TRUE)) {
    return none;
  }
  opj_image_t* header = nullptr;
  const bool hasHeader = opj_read_header(stream.get(), codec.get(), &header) == OPJ_TRUE;
  Image image(header, opj_image_destroy);
  if (!hasHeader || !opj_decode(codec.get(), stream.get(), image.get()) ||
      !opj_end_decompress(codec.get(), stream.get())) {
    return none;
  }
  return image;
}

}  // namespace

Expected<Samples> decodeJpeg2000(const CodedFrame& frame, std::span<uint16_t> samples) {
  const Bytes codestream = withoutJp2Boxes(frame.bytes);
  const auto size = readSize(codestream);
  if (!size) return damagedPixels(frame, "no image size");
  const auto fits =
      checkCodedSize(frame, size->columns.length(), size->rows.length(), size->components, size->precision);
  if (!fits) return passError(fits);
  CodestreamCheck check(codestream, *size);
  const std::string problem = check.problem();
  if (!problem.empty()) return damagedPixels(frame, problem);
  if (check.losesATile()) {  // OpenJPEG 2.5.0 does not always give back what its own encoder was given
    return makeError(ErrorCode::unsupported,
                     "{}: its {} pixels have tiles of which nothing is left at the lowest resolution, which cannot be "
                     "decoded reliably; convert the series to uncompressed",
                     frame.file, transferSyntaxName(frame.transferSyntaxUid));
  }
  std::vector<uint8_t> ended;
  if (check.end() + 2 > codestream.size()) {  // OpenJPEG asks for the end marker
    ended.assign(codestream.begin(), codestream.begin() + static_cast<std::ptrdiff_t>(check.end()));
    ended.insert(ended.end(), {kEoc >> 8, kEoc & 0xFF});
  }
  const Image image = decode(ended.empty() ? codestream : Bytes(ended));
  if (!image) return damagedPixels(frame, "OpenJPEG cannot decode them");
  const opj_image_comp_t& component = image->comps[0];
  if (image->numcomps != 1 || !component.data || uint64_t{component.w} * component.h != samples.size()) {
    return damagedPixels(frame, fmt::format("{} x {} decoded", component.w, component.h));
  }
  std::transform(component.data, component.data + samples.size(), samples.begin(),
                 [](OPJ_INT32 value) { return static_cast<uint16_t>(value); });
  return Samples{size->precision, size->isSigned};
}

}  // namespace lynceus::io::dicom
