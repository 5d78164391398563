#include "io/dicom/fragments.h"

#include <span>

#include "io/dicom/dataset.h"

namespace lynceus::io::dicom {
namespace {

constexpr uint32_t kItem = 0xFFFEE000, kSequenceEnd = 0xFFFEE0DD;
constexpr uint64_t kItemHeaderBytes = 8;

struct ItemHeader {
  uint32_t tag = 0, length = 0;
};

// Compressed files are little endian.
ItemHeader itemHeader(std::span<const uint8_t> b) {
  const auto word = [&](size_t i) { return static_cast<uint32_t>(b[i] | b[i + 1] << 8); };
  return {word(0) << 16 | word(2), word(4) | word(6) << 16};
}

// The first item is the offset table, which a file with one frame does not need.
Expected<std::vector<PixelLayout::Fragment>> findFragments(ByteReader& file, uint64_t offset) {
  std::vector<PixelLayout::Fragment> found;
  for (bool isTable = true; offset != file.size(); isTable = false) {
    const auto header = file.view(offset, kItemHeaderBytes);
    if (header.size() < kItemHeaderBytes) {
      return makeError(ErrorCode::badInput,
                       "{}: the file is cut off within its compressed pixels at byte {}; copy it again from the source",
                       file.name(), offset);
    }
    const ItemHeader item = itemHeader(header);
    if (item.tag == kSequenceEnd) break;
    if (item.tag != kItem || item.length == kUndefinedLength) {
      return makeError(ErrorCode::badInput,
                       "{}: its compressed pixels are damaged at byte {}, where a fragment should begin; copy it again "
                       "from the source",
                       file.name(), offset);
    }
    offset += kItemHeaderBytes;
    if (item.length > file.size() - offset) {
      return makeError(
          ErrorCode::badInput,
          "{}: the file is cut off: its compressed pixels from byte {} need {} bytes and {} are there; copy "
          "it again from the source",
          file.name(), offset, item.length, file.size() - offset);
    }
    if (!isTable && item.length > 0) found.push_back({offset, item.length});
    offset += item.length;
  }
  return found;
}

}  // namespace

Expected<std::vector<uint8_t>> readFragments(ByteReader& file, const PixelLayout& layout) {
  std::vector<PixelLayout::Fragment> found;
  if (layout.fragments.empty()) {
    auto walked = findFragments(file, layout.offset);
    if (!walked) return passError(walked);
    found = std::move(*walked);
  }
  const auto& fragments = layout.fragments.empty() ? found : layout.fragments;
  uint64_t total = 0;
  for (const auto& fragment : fragments) total += fragment.length;
  if (total == 0 || total > file.size()) {
    return makeError(ErrorCode::badInput,
                     "{}: its compressed pixels have {} bytes in a file of {} bytes; copy it again from the source",
                     file.name(), total, file.size());
  }
  std::vector<uint8_t> bytes(static_cast<size_t>(total));
  size_t done = 0;
  for (const auto& fragment : fragments) {
    if (!file.read(fragment.offset, std::span(bytes).subspan(done, fragment.length))) {
      return makeError(
          ErrorCode::badInput,
          "{}: its {} bytes of compressed pixels from byte {} cannot be read; copy it again from the source",
          file.name(), fragment.length, fragment.offset);
    }
    done += fragment.length;
  }
  return bytes;
}

}  // namespace lynceus::io::dicom
