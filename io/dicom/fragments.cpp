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
uint32_t littleEndian(std::span<const uint8_t> b) {
  return uint32_t{b[0]} | uint32_t{b[1]} << 8 | uint32_t{b[2]} << 16 | uint32_t{b[3]} << 24;
}

ItemHeader itemHeader(std::span<const uint8_t> b) {
  const uint32_t tag = littleEndian(b);
  return {tag << 16 | tag >> 16, littleEndian(b.subspan(4))};
}

// The items that hold the pixels: the offset table first, then the fragments.
Expected<Fragments> listItems(ByteReader& file, uint64_t offset) {
  Fragments found;
  while (offset != file.size()) {
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
    found.push_back({offset, item.length});
    offset += item.length;
    if (found.size() > kMaxElements) {
      return makeError(ErrorCode::badInput, "{}: its pixels are in more than {} fragments", file.name(), kMaxElements);
    }
  }
  return found;
}

// Where each frame's first fragment lies by the offset table, whose entries count from the first item after it to an
// item; empty where there is no whole table.
std::vector<uint64_t> startsByTable(ByteReader& file, const PixelLayout::Fragment& table, size_t frames) {
  std::vector<uint8_t> entries(frames * 4);
  if (table.length != entries.size() || !file.read(table.offset, entries)) return {};
  std::vector<uint64_t> starts;
  for (size_t f = 0; f < frames; ++f) {
    const uint64_t item = table.offset + table.length + littleEndian(std::span(entries).subspan(f * 4, 4));
    starts.push_back(item + kItemHeaderBytes);
  }
  return starts;
}

std::vector<uint64_t> startsByMarker(ByteReader& file, const Fragments& items) {
  std::vector<uint64_t> starts;
  for (size_t k = 1; k < items.size(); ++k) {
    const auto head = items[k].length < 2 ? std::span<const uint8_t>{} : file.view(items[k].offset, 2);
    if (head.size() == 2 && head[0] == 0xFF && (head[1] == 0xD8 || head[1] == 0x4F)) starts.push_back(items[k].offset);
  }
  return starts;
}

}  // namespace

Expected<std::vector<Fragments>> fragmentsOfFrames(ByteReader& file, uint64_t offset, size_t frames) {
  const auto items = listItems(file, offset);
  if (!items) return passError(items);
  std::vector<Fragments> result(frames);
  if (items->size() == frames + 1) {
    for (size_t f = 0; f < frames; ++f) result[f].push_back((*items)[f + 1]);
    return result;
  }
  std::vector<uint64_t> starts;
  if (items->size() > frames) starts = startsByTable(file, items->front(), frames);
  if (starts.empty() && items->size() > frames) starts = startsByMarker(file, *items);
  if (starts.size() != frames) {
    return makeError(ErrorCode::badInput,
                     "{}: its {} frames lie in {} fragments and nothing says which belong together; export the study "
                     "again, uncompressed",
                     file.name(), frames, items->empty() ? 0 : items->size() - 1);
  }
  size_t frame = 0;
  for (size_t k = 1; k < items->size(); ++k) {
    while (frame + 1 < frames && (*items)[k].offset >= starts[frame + 1]) ++frame;
    result[frame].push_back((*items)[k]);
  }
  return result;
}

Expected<std::vector<uint8_t>> readFragments(ByteReader& file, const PixelLayout& layout) {
  Fragments found;
  if (layout.fragments.empty()) {
    auto items = listItems(file, layout.offset);
    if (!items) return passError(items);
    if (!items->empty()) items->erase(items->begin());  // one frame needs no table
    found = std::move(*items);
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
