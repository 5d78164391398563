#include "io/dicom/dataset.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>

#include <dcmtk/config/osconfig.h>

#include <dcmtk/dcmdata/dctag.h>
#include <dcmtk/dcmdata/dcuid.h>

namespace lynceus::io::dicom {
namespace {

constexpr uint32_t kItem = 0xFFFEE000, kItemEnd = 0xFFFEE00D, kSequenceEnd = 0xFFFEE0DD;
constexpr uint32_t kTransferSyntax = 0x00020010, kMediaStorageSopClass = 0x00020002;
constexpr uint32_t kSopClass = 0x00080016, kModality = 0x00080060, kPixelDataTag = 0x7FE00010;
constexpr uint64_t kNoEnd = ~uint64_t{0};
constexpr uint64_t kMaxInflatedBytes = 512u << 20;  // of a deflated file that is read whole

constexpr bool isUpper(uint8_t c) { return c >= 'A' && c <= 'Z'; }

bool isOneOf(const char* vr, std::string_view list) {
  for (size_t i = 0; i + 1 < list.size(); i += 3) {
    if (vr[0] == list[i] && vr[1] == list[i + 1]) return true;
  }
  return false;
}

bool hasShortLength(const char* vr) {
  return isOneOf(vr, "AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US");
}

bool isKnownVr(const char* vr) { return hasShortLength(vr) || isOneOf(vr, "OB OD OF OL OV OW SQ SV UC UN UR UT UV"); }

// The representation of the binary values that we read, for files that do not say it.
std::string_view vrOfBinary(uint32_t tag) {
  switch (tag) {
    case 0x00280002:  // Samples per Pixel
    case 0x00280010:  // Rows
    case 0x00280011:  // Columns
    case 0x00280100:  // Bits Allocated
    case 0x00280101:  // Bits Stored
    case 0x00280102:  // High Bit
    case 0x00280103:  // Pixel Representation
    case 0x00280120:  // Pixel Padding Value
    case 0x00280121:  // Pixel Padding Range Limit
    case 0x00209156:  // Frame Acquisition Number
    case 0x00041410:  // Record In-use Flag
      return "US";
    case 0x00209057:  // In-Stack Position Number
    case 0x00209128:  // Temporal Position Index
      return "UL";
    case 0x00209241:  // Nominal Percentage of Cardiac Phase
      return "FL";
    case 0x00209153:  // Nominal Cardiac Trigger Delay Time
      return "FD";
    default: return {};
  }
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.back() == ' ' || text.back() == '\0')) text.remove_suffix(1);
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  return text;
}

std::string_view partOf(std::string_view text, size_t index) {
  for (; index > 0; --index) {
    const size_t slash = text.find('\\');
    if (slash == std::string_view::npos) return {};
    text.remove_prefix(slash + 1);
  }
  return trimmed(text.substr(0, text.find('\\')));
}

std::optional<double> parseDecimal(std::string_view text) {
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) return {};
  return value;
}

}  // namespace

// One pass over the bytes with a stack of its own: sequences and items that are open.
class DataSetParser {
 public:
  DataSetParser(ByteReader& file, Extent extent) : m_file(&file), m_extent(extent) {}

  Expected<std::optional<DataSet>> run() {
    if (!findStart()) return std::optional<DataSet>{};
    if (auto done = parse(); !done) {
      // Bytes that happen to look like an element do not make a file DICOM.
      const bool dicom = m_hasPreamble || m_set.find(kSopClass) || m_set.find(kModality);
      if (!dicom) return std::optional<DataSet>{};
      return passError(done);
    }
    if (!m_hasPreamble && !m_set.find(kSopClass) && !m_set.find(kModality)) return std::optional<DataSet>{};
    return std::optional<DataSet>(std::move(m_set));
  }

 private:
  struct Encoding {
    bool implicit = false, big = false;
  };
  struct Level {
    int element = DataSet::kRoot;  // the sequence or item that is open
    bool sequence = false;         // its children are items
    bool fragments = false;        // its children are items of bytes
    Encoding encoding;
    uint64_t end = kNoEnd;  // kNoEnd: a delimiter ends it
  };
  struct Header {
    uint32_t tag = 0, length = 0;
    char vr[2] = {0, 0};
    uint64_t value = 0;  // offset
  };

  static uint16_t u16(const uint8_t* p, bool big) {
    return static_cast<uint16_t>(big ? p[0] << 8 | p[1] : p[1] << 8 | p[0]);
  }
  static uint32_t u32(const uint8_t* p, bool big) {
    const uint32_t a = u16(p, big), b = u16(p + 2, big);
    return big ? a << 16 | b : b << 16 | a;
  }
  static uint32_t tagAt(const uint8_t* p, bool big) { return uint32_t{u16(p, big)} << 16 | u16(p + 2, big); }

  template <class... Args>
  tl::unexpected<Error> damaged(uint64_t at, fmt::format_string<Args...> text, Args&&... args) const {
    return makeError(ErrorCode::badInput,
                     "{}: the header is damaged at byte {}: {}; copy the file again from the source", m_file->name(),
                     at, fmt::format(text, std::forward<Args>(args)...));
  }
  tl::unexpected<Error> cutOff(uint64_t at) const {
    return makeError(ErrorCode::badInput,
                     "{}: the file is cut off: it ends within its header, at byte {}; copy it again "
                     "from the source",
                     m_file->name(), at);
  }
  static std::string tagText(uint32_t tag) { return fmt::format("({:04X},{:04X})", tag >> 16, tag & 0xFFFF); }

  // "DICM" after the preamble, or what may be the first element of a data set: group 2 or 8, a low element number and
  // a representation or a short length.
  bool findStart() {
    const auto head = m_file->view(0, 140);
    if (head.size() >= 132 && std::memcmp(&head[128], "DICM", 4) == 0) {
      m_hasPreamble = true;
      m_pos = 132;
      return true;
    }
    if (head.size() < 16) return false;
    const bool little = (head[0] == 8 || head[0] == 2) && head[1] == 0 && head[3] == 0;
    const bool big = head[0] == 0 && head[1] == 8 && head[2] == 0;
    const bool explicitVr = isUpper(head[4]) && isUpper(head[5]);
    const bool shortImplicit = head[5] == 0 && head[6] == 0 && head[7] == 0;
    return little ? explicitVr || shortImplicit : big && explicitVr;
  }

  Expected<void> parse() {
    if (auto meta = parseMeta(); !meta) return meta;
    m_set.m_dataSetOffset = m_pos;
    if (m_set.m_transferSyntaxUid == UID_DeflatedExplicitVRLittleEndianTransferSyntax) {
      const uint64_t limit = m_extent == Extent::header ? kMaxHeaderBytes + kMaxValueBytes : kMaxInflatedBytes;
      auto inflated = m_file->inflate(m_pos, limit);
      if (!inflated) return passError(inflated);
      m_inflated = std::move(*inflated);
      m_file = &*m_inflated;
      m_pos = 0;
    }
    sniffEncoding();
    m_set.m_bigEndian = m_encoding.big;
    m_start = m_pos;
    return parseElements();
  }

  // File meta information: explicit little endian whatever follows (PS3.10 section 7.1).
  Expected<void> parseMeta() {
    for (;;) {
      const auto bytes = m_file->view(m_pos, 8);
      if (bytes.size() < 8 || u16(bytes.data(), false) != 2) break;
      const bool implicit = !isUpper(bytes[4]) || !isUpper(bytes[5]);
      const auto header = readHeader({implicit, false});
      if (!header) return passError(header);
      if (header->length > m_file->size() - header->value) return tooLong(*header, m_file->size());
      append(*header);
      m_pos = header->value + header->length;
    }
    m_set.m_transferSyntaxUid = m_set.text(kTransferSyntax);
    m_set.m_mediaStorageSopClassUid = m_set.text(kMediaStorageSopClass);
    return {};
  }

  // What the bytes say counts: some files declare the wrong encoding, some none.
  void sniffEncoding() {
    std::string& uid = m_set.m_transferSyntaxUid;
    const auto head = m_file->view(m_pos, 8);
    if (head.size() < 8) return;
    const char vr[2] = {static_cast<char>(head[4]), static_cast<char>(head[5])};
    m_encoding.implicit = !isKnownVr(vr);
    if (uid == UID_BigEndianExplicitTransferSyntax || uid.empty()) m_encoding.big = head[0] == 0 && head[1] != 0;
    if (uid.empty()) {
      uid = m_encoding.big        ? UID_BigEndianExplicitTransferSyntax
            : m_encoding.implicit ? UID_LittleEndianImplicitTransferSyntax
                                  : UID_LittleEndianExplicitTransferSyntax;
    }
  }

  Expected<Header> readHeader(Encoding encoding) const {
    const auto bytes = m_file->view(m_pos, 12);
    if (bytes.size() < 8) return cutOff(m_file->size());
    Header h;
    h.tag = tagAt(bytes.data(), encoding.big);
    if (encoding.implicit || h.tag >> 16 == 0xFFFE) {
      h.length = u32(&bytes[4], encoding.big);
      h.value = m_pos + 8;
      return h;
    }
    h.vr[0] = static_cast<char>(bytes[4]);
    h.vr[1] = static_cast<char>(bytes[5]);
    if (!isUpper(bytes[4]) || !isUpper(bytes[5])) {
      return damaged(m_pos, "element {} has no value representation", tagText(h.tag));
    }
    if (hasShortLength(h.vr)) {
      h.length = u16(&bytes[6], encoding.big);
      h.value = m_pos + 8;
      return h;
    }
    if (bytes.size() < 12) return cutOff(m_file->size());
    h.length = u32(&bytes[8], encoding.big);
    h.value = m_pos + 12;
    return h;
  }

  tl::unexpected<Error> tooLong(const Header& h, uint64_t end) const {
    return damaged(m_pos, "element {} claims {} bytes and {} are left", tagText(h.tag), h.length,
                   end > h.value ? end - h.value : 0);
  }

  // Keeps the value where it is short and public: nothing else is ever asked for.
  int append(const Header& h) {
    DataSet::Element e;
    e.tag = h.tag;
    e.vr[0] = h.vr[0];
    e.vr[1] = h.vr[1];
    e.parent = m_levels.empty() ? DataSet::kRoot : m_levels.back().element;
    e.length = h.length;
    e.offset = h.value;
    const uint32_t group = h.tag >> 16;
    if (h.length > 0 && h.length <= kMaxValueBytes && group % 2 == 0 && (group < 0x5000 || h.tag == 0x7FE00001)) {
      const auto bytes = m_file->view(h.value, h.length);
      if (bytes.size() == h.length) {
        e.value = m_set.m_values.size();
        m_set.m_values.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      }
    }
    m_set.m_elements.push_back(e);
    const int index = static_cast<int>(m_set.m_elements.size()) - 1;
    m_set.m_elements.back().next = index + 1;
    return index;
  }

  void pop() {
    if (m_levels.back().element >= 0) {
      m_set.m_elements[static_cast<size_t>(m_levels.back().element)].next = static_cast<int>(m_set.m_elements.size());
    }
    m_levels.pop_back();
  }

  Expected<void> parseElements() {
    m_levels.push_back({DataSet::kRoot, false, false, m_encoding, m_file->size()});
    while (!m_done) {
      while (m_levels.size() > 1 && m_pos >= m_levels.back().end) pop();
      if (m_levels.size() == 1 && m_pos >= m_file->size()) break;
      if (m_pos - m_start - m_pixelBytes > kMaxHeaderBytes) {
        return damaged(m_pos, "it is longer than {} MiB", kMaxHeaderBytes >> 20);
      }
      if (m_set.m_elements.size() >= kMaxElements) return damaged(m_pos, "it has more than {} elements", kMaxElements);
      const Level& level = m_levels.back();
      auto header = readHeader(level.encoding);
      if (!header) return passError(header);
      auto done = level.fragments ? takeFragment(*header) : level.sequence ? takeItem(*header) : takeElement(*header);
      if (!done) return done;
    }
    while (!m_levels.empty()) pop();
    indexRoot();
    return {};
  }

  // By tag, the first of equal ones first: files have them in this order, except damaged ones.
  void indexRoot() {
    const auto& elements = m_set.m_elements;
    for (int i = 0; i < static_cast<int>(elements.size()); i = elements[static_cast<size_t>(i)].next) {
      m_set.m_root.push_back(i);
    }
    const auto byTag = [&](int a, int b) {
      return elements[static_cast<size_t>(a)].tag < elements[static_cast<size_t>(b)].tag;
    };
    if (!std::is_sorted(m_set.m_root.begin(), m_set.m_root.end(), byTag)) {
      std::stable_sort(m_set.m_root.begin(), m_set.m_root.end(), byTag);
    }
  }

  // The end of what is open here: nothing in it may reach beyond.
  uint64_t limit() const {
    const auto known =
        std::find_if(m_levels.rbegin(), m_levels.rend(), [](const Level& level) { return level.end != kNoEnd; });
    return known == m_levels.rend() ? m_file->size() : known->end;
  }

  Expected<void> takeFragment(const Header& h) {
    if (h.tag == kSequenceEnd) return closeSequence(h);
    if (h.tag != kItem || h.length == kUndefinedLength) {
      return damaged(m_pos, "{} stands where a fragment of the pixels must begin", tagText(h.tag));
    }
    if (h.length > limit() - h.value) return tooLong(h, limit());
    if (m_levels.size() == 2) m_pixelBytes += h.length;
    m_pos = h.value + h.length;
    return {};
  }

  Expected<void> takeItem(const Header& h) {
    if (h.tag == kSequenceEnd) return closeSequence(h);
    if (h.tag != kItem) return damaged(m_pos, "{} stands where an item of a sequence must begin", tagText(h.tag));
    if (h.length != kUndefinedLength && h.length > limit() - h.value) return tooLong(h, limit());
    Header bare = h;
    bare.length = 0;  // an item has elements, not a value
    const int index = append(bare);
    m_set.m_elements.back().length = h.length;
    const Encoding encoding = m_levels.back().encoding;
    m_levels.push_back({index, false, false, encoding, h.length == kUndefinedLength ? kNoEnd : h.value + h.length});
    m_pos = h.value;
    return {};
  }

  Expected<void> closeSequence(const Header& h) {
    if (m_levels.back().end != kNoEnd) return damaged(m_pos, "a sequence of known length has a delimiter");
    pop();
    m_pos = h.value;
    return {};
  }

  Expected<void> takeElement(const Header& h) {
    if (h.tag == kItemEnd && m_levels.size() > 1 && m_levels.back().end == kNoEnd) {
      pop();
      m_pos = h.value;
      return {};
    }
    if (h.tag >> 16 == 0xFFFE) return damaged(m_pos, "{} stands where an element must begin", tagText(h.tag));
    if (h.tag == kPixelDataTag && m_levels.size() == 1) return takePixelData(h);
    const bool undefined = h.length == kUndefinedLength;
    if (!undefined && h.length > limit() - h.value) return tooLong(h, limit());
    if (undefined && (h.tag == kPixelDataTag || isOneOf(h.vr, "OB OW"))) return openFragments(h);
    if (undefined || isSequence(h)) return openSequence(h);
    append(h);
    m_pos = h.value + h.length;
    return {};
  }

  // Of a sequence of known length implicit VR does not say that it is one.
  bool isSequence(const Header& h) const {
    if (isOneOf(h.vr, "SQ")) return true;
    if ((h.vr[0] != 0 && !isOneOf(h.vr, "UN")) || h.length < 8) return false;
    const auto first = m_file->view(h.value, 4);
    if (first.size() < 4 || tagAt(first.data(), contentOf(h).big) != kItem) return false;
    return DcmTag(static_cast<Uint16>(h.tag >> 16), static_cast<Uint16>(h.tag & 0xFFFF)).getEVR() == EVR_SQ;
  }

  // Unknown sequences are written in implicit little endian, whatever is around them (PS3.5 section 6.2.2, note 2).
  Encoding contentOf(const Header& h) const {
    return isOneOf(h.vr, "UN") ? Encoding{true, false} : m_levels.back().encoding;
  }

  Expected<void> openSequence(const Header& h) {
    const auto depth = std::count_if(m_levels.begin(), m_levels.end(), [](const Level& l) { return l.sequence; });
    if (depth >= kMaxNesting) return damaged(m_pos, "its sequences are nested more than {} deep", kMaxNesting);
    Header bare = h;
    bare.length = 0;
    const int index = append(bare);
    m_set.m_elements.back().length = h.length;
    m_levels.push_back({index, true, false, contentOf(h), h.length == kUndefinedLength ? kNoEnd : h.value + h.length});
    m_pos = h.value;
    return {};
  }

  Expected<void> openFragments(const Header& h) {
    Header bare = h;
    bare.length = 0;
    const int index = append(bare);
    m_set.m_elements.back().length = h.length;
    m_levels.push_back({index, true, true, m_levels.back().encoding, kNoEnd});
    m_pos = h.value;
    return {};
  }

  Expected<void> takePixelData(const Header& h) {
    m_set.m_pixelData = DataSet::PixelData{h.value, h.length};
    if (m_extent == Extent::header) {
      m_done = true;
      return {};
    }
    if (h.length == kUndefinedLength) return openFragments(h);
    if (h.length > limit() - h.value) return tooLong(h, limit());
    Header bare = h;
    bare.length = 0;
    append(bare);
    m_set.m_elements.back().length = h.length;
    m_pixelBytes += h.length;
    m_pos = h.value + h.length;
    return {};
  }

  ByteReader* m_file;
  Extent m_extent;
  std::optional<ByteReader> m_inflated;
  DataSet m_set;
  std::vector<Level> m_levels;
  uint64_t m_pos = 0, m_start = 0, m_pixelBytes = 0;
  Encoding m_encoding;
  bool m_hasPreamble = false, m_done = false;
};

Expected<std::optional<DataSet>> DataSet::read(ByteReader& file, Extent extent) {
  return DataSetParser(file, extent).run();
}

const DataSet::Element* DataSet::find(Tag tag, int parent) const {
  if (parent == kRoot && !m_root.empty()) {
    const auto tagAt = [&](int i) { return m_elements[static_cast<size_t>(i)].tag; };
    const auto at =
        std::lower_bound(m_root.begin(), m_root.end(), tag, [&](int i, Tag wanted) { return tagAt(i) < wanted; });
    return at != m_root.end() && tagAt(*at) == tag ? &m_elements[static_cast<size_t>(*at)] : nullptr;
  }
  const auto end =
      parent == kRoot ? m_elements.size() : static_cast<size_t>(m_elements[static_cast<size_t>(parent)].next);
  for (size_t i = static_cast<size_t>(parent + 1); i < end; i = static_cast<size_t>(m_elements[i].next)) {
    if (m_elements[i].tag == tag) return &m_elements[i];
  }
  return nullptr;
}

int DataSet::item(Tag tag, int parent, size_t number) const {
  const Element* sequence = parent == kNoItem ? nullptr : find(tag, parent);
  if (!sequence) return kNoItem;
  const int end = sequence->next;
  int i = static_cast<int>(sequence - m_elements.data()) + 1;
  for (; i < end && number > 0; --number) i = m_elements[static_cast<size_t>(i)].next;
  return i < end ? i : kNoItem;
}

std::vector<int> DataSet::items(Tag tag, int parent) const {
  std::vector<int> found;
  const Element* sequence = parent == kNoItem ? nullptr : find(tag, parent);
  if (!sequence) return found;
  const int first = static_cast<int>(sequence - m_elements.data()) + 1;
  for (int i = first; i < sequence->next; i = m_elements[static_cast<size_t>(i)].next) found.push_back(i);
  return found;
}

std::string_view DataSet::bytes(Tag tag, int parent) const {
  const Element* e = parent == kNoItem ? nullptr : find(tag, parent);
  if (!e || e->value == kNoValue) return {};
  return std::string_view(m_values).substr(e->value, e->length);
}

std::string DataSet::text(Tag tag, int parent) const { return std::string(trimmed(bytes(tag, parent))); }

std::string DataSet::part(Tag tag, size_t index, int parent) const {
  return std::string(partOf(bytes(tag, parent), index));
}

std::optional<double> DataSet::number(Tag tag, size_t index, int parent) const {
  const std::string_view value = bytes(tag, parent);
  if (value.empty()) return {};
  const Element& e = *find(tag, parent);
  std::string_view vr(e.vr, 2);
  if (vr != "DS" && vr != "IS" && !isOneOf(e.vr, "US SS UL SL FL FD")) vr = vrOfBinary(tag);
  const size_t width = vr == "US" || vr == "SS" ? 2 : vr == "FD" ? 8 : vr == "UL" || vr == "SL" || vr == "FL" ? 4 : 0;
  if (width == 0) return parseDecimal(partOf(value, index));
  if ((index + 1) * width > value.size()) return {};
  std::array<uint8_t, 8> raw{};
  std::memcpy(raw.data(), value.data() + index * width, width);
  if (m_bigEndian && tag >> 16 != 2) std::reverse(raw.begin(), raw.begin() + static_cast<std::ptrdiff_t>(width));
  uint64_t bits = 0;
  for (size_t i = 0; i < width; ++i) bits |= uint64_t{raw[i]} << 8 * i;
  const auto as = [&](auto typed) {
    std::memcpy(&typed, raw.data(), sizeof typed);
    return static_cast<double>(typed);
  };
  double number = static_cast<double>(bits);
  if (vr == "SS") number = as(int16_t{});
  if (vr == "SL") number = as(int32_t{});
  if (vr == "FL") number = as(float{});
  if (vr == "FD") number = as(double{});
  if (!std::isfinite(number)) return {};
  return number;
}

std::optional<int> DataSet::integer(Tag tag, size_t index, int parent) const {
  const auto value = number(tag, index, parent);
  if (!value || std::trunc(*value) != *value || std::abs(*value) > 2147483647.0) return {};
  return static_cast<int>(*value);
}

}  // namespace lynceus::io::dicom
