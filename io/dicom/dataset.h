// The pre-scan: the elements of a DICOM file found without recursion and within fixed bounds, whatever its bytes are.
// Everything that reads DICOM here begins with it; no library parses a file that it did not pass.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "io/byte_reader.h"

namespace lynceus::io::dicom {

inline constexpr int kMaxNesting = 64;                  ///< sequences within sequences
inline constexpr uint64_t kMaxHeaderBytes = 16u << 20;  ///< before the pixel data
inline constexpr size_t kMaxElements = 500'000;
inline constexpr uint32_t kMaxValueBytes = 1u << 16;      ///< longer values are passed over, except the pixel data
inline constexpr uint32_t kUndefinedLength = 0xFFFFFFFF;  ///< of sequences, items, compressed pixel data

/// How far a file is read.
enum class Extent {
  header,  ///< up to the pixel data
  whole,   ///< to its end, fragments and what follows the pixels included: for handing the file to another parser
};

/// A parsed file: its elements in the order of the file, with the values that are short. Immutable. Any thread.
class DataSet {
 public:
  using Tag = uint32_t;             ///< group << 16 | element
  static constexpr int kRoot = -1;  ///< the data set itself, as the item that an element lies in

  struct Element {
    Tag tag = 0;                ///< 0xFFFEE000 is an item of the sequence that it lies in
    char vr[2] = {0, 0};        ///< zeros in implicit VR
    int parent = kRoot;         ///< index of the item (for an item: of the sequence) that it lies in
    int next = 0;               ///< index of the element after it and all that lies in it
    uint32_t length = 0;        ///< bytes, or kUndefinedLength
    uint64_t offset = 0;        ///< of the value; in the unpacked stream where the file is deflated
    uint64_t value = kNoValue;  ///< of the value in the set's memory
  };
  static constexpr uint64_t kNoValue = ~uint64_t{0};

  /// (7FE0,0010), where the header ends.
  struct PixelData {
    uint64_t offset = 0;
    uint32_t length = 0;  ///< kUndefinedLength: fragments
  };

  /// @return nothing where the file is not DICOM; an error that names the file and the byte where its structure breaks
  /// one of the bounds or runs out of bytes.
  static Expected<std::optional<DataSet>> read(ByteReader& file, Extent extent = Extent::header);

  const std::string& transferSyntaxUid() const { return m_transferSyntaxUid; }
  const std::string& mediaStorageSopClassUid() const { return m_mediaStorageSopClassUid; }
  bool bigEndian() const { return m_bigEndian; }
  /// Where the data set begins: after the file meta information. Of a deflated file: where the stream begins.
  uint64_t dataSetOffset() const { return m_dataSetOffset; }
  const std::vector<Element>& elements() const { return m_elements; }
  const std::optional<PixelData>& pixelData() const { return m_pixelData; }

  /// Elements in the item `parent`, or in the data set; null where there is none.
  const Element* find(Tag tag, int parent = kRoot) const;
  /// Item `number` (from 0) of sequence `tag` in `parent`, or kNoItem.
  static constexpr int kNoItem = -2;
  int item(Tag tag, int parent = kRoot, size_t number = 0) const;
  std::vector<int> items(Tag tag, int parent = kRoot) const;

  /// Values: nothing where the element is absent, empty, too long or malformed. `parent` may be kNoItem.
  std::string_view bytes(Tag tag, int parent = kRoot) const;
  /// Text as its bytes are, padding cut off; `text` all of it, `part` the value at `index` between backslashes.
  std::string text(Tag tag, int parent = kRoot) const;
  std::string part(Tag tag, size_t index, int parent = kRoot) const;
  std::optional<double> number(Tag tag, size_t index = 0,
                               int parent = kRoot) const;  ///< DS, IS, FD, FL, US, SS, UL, SL
  std::optional<int> integer(Tag tag, size_t index = 0, int parent = kRoot) const;

 private:
  friend class DataSetParser;
  std::string m_transferSyntaxUid, m_mediaStorageSopClassUid;
  bool m_bigEndian = false;
  uint64_t m_dataSetOffset = 0;
  std::vector<Element> m_elements;
  std::vector<int> m_root;  // elements of the data set itself, by tag
  std::string m_values;
  std::optional<PixelData> m_pixelData;
};

}  // namespace lynceus::io::dicom
