// Files that claim what they are not: huge, endless, bottomless, or no DICOM at all. Each stands for one slice of a
// series, then for every slice.
#include <functional>

#include <gtest/gtest.h>
#include <zlib.h>

#include "tests/fault/loader/damaged_series.h"
#include "tests/fault/loader/peak_memory.h"

namespace lynceus::fault {
namespace {

namespace fs = std::filesystem;

constexpr double kMaxExtraMib = 100;
constexpr uint64_t kSparseBytes = uint64_t{3} << 30;

struct Hostile {
  const char* name;
  E_TransferSyntax syntax;
  std::function<std::string(std::string good)> make;
  uint64_t fileBytes = 0;  ///< 0: as many as there are; else zeros follow that take no room on the disk
};

std::ostream& operator<<(std::ostream& out, const Hostile& h) { return out << h.name; }

// --- bytes of elements in explicit little endian

std::string little(uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i));
  return text;
}

std::string tagBytes(unsigned group, unsigned element) { return little(group, 2) + little(element, 2); }

size_t mustFind(const std::string& bytes, const std::string& what, size_t from = 0) {
  const size_t at = bytes.find(what, from);
  EXPECT_NE(at, std::string::npos) << "the test looks for bytes that are not in the file";
  return at == std::string::npos ? 0 : at;
}

/// Another value for an element of VR US.
std::function<std::string(std::string)> number(const DcmTagKey& tag, unsigned value) {
  return [=](std::string bytes) {
    const size_t at = mustFind(bytes, tagBytes(tag.getGroup(), tag.getElement()) + "US" + little(2, 2));
    return bytes.replace(at + 8, 2, little(value, 2));
  };
}

/// Another value for a text element; the file says its length anew.
std::function<std::string(std::string)> text(const DcmTagKey& tag, const char* vr, std::string value) {
  if (value.size() % 2 != 0) value += ' ';
  return [=](std::string bytes) {
    const size_t at = mustFind(bytes, tagBytes(tag.getGroup(), tag.getElement()) + vr);
    const size_t length = static_cast<unsigned char>(bytes[at + 6]) | static_cast<unsigned char>(bytes[at + 7]) << 8;
    return bytes.replace(at + 6, 2 + length, little(value.size(), 2) + value);
  };
}

/// Puts elements before the pixel data.
std::string insertBeforePixels(std::string bytes, const std::string& elements) {
  const size_t at = mustFind(bytes, tagBytes(0x7FE0, 0x0010));
  return bytes.insert(at, elements);
}

std::function<std::string(std::string)> nested(size_t depth, bool undefined) {
  return [=](std::string bytes) {
    constexpr size_t kLevelBytes = 20;  // a sequence's header of 12 and an item's of 8
    std::string elements;
    for (size_t i = 0; i < depth; ++i) {
      const size_t left = (depth - i) * kLevelBytes;
      elements += tagBytes(0x0040, 0x0555) + "SQ" + little(0, 2) + little(undefined ? 0xFFFFFFFF : left - 12, 4);
      elements += tagBytes(0xFFFE, 0xE000) + little(undefined ? 0xFFFFFFFF : left - kLevelBytes, 4);
    }
    return insertBeforePixels(std::move(bytes), elements);
  };
}

std::string withoutPreamble(const std::string& bytes) {
  return bytes.substr(mustFind(bytes, tagBytes(0x0008, 0x0008)));
}

std::string pixelLengthOf(std::string bytes, uint32_t length) {
  const size_t at = mustFind(bytes, tagBytes(0x7FE0, 0x0010) + "OW");
  return bytes.replace(at + 8, 4, little(length, 4));
}

/// Changes 4 bytes of the header of an RLE frame: the number of segments, then where each begins.
std::function<std::string(std::string)> rleWord(size_t index, uint32_t value) {
  return [=](std::string bytes) {
    const std::string item = tagBytes(0xFFFE, 0xE000);
    const size_t table = mustFind(bytes, item, mustFind(bytes, tagBytes(0x7FE0, 0x0010)));
    const size_t frame = mustFind(bytes, item, table + 4) + 8;
    return bytes.replace(frame + 4 * index, 4, little(value, 4));
  };
}

/// The codec's own header claims 65535 x 65535.
std::function<std::string(std::string)> hugeFrame(unsigned char marker) {
  return [=](std::string bytes) {
    const size_t pixels = mustFind(bytes, tagBytes(0x7FE0, 0x0010));
    const size_t at = mustFind(bytes, std::string("\xFF") + static_cast<char>(marker), pixels);
    return bytes.replace(at + 5, 4, "\xFF\xFF\xFF\xFF");
  };
}

/// A deflated file whose stream is a header and `mib` of zeros.
std::function<std::string(std::string)> deflateBomb(unsigned mib, bool inPixels) {
  return [=](const std::string& bytes) {
    const std::string uid = "1.2.840.10008.1.2.1.99";
    std::string meta = bytes.substr(0, 132) + tagBytes(2, 0x10) + "UI" + little(uid.size(), 2) + uid;
    const size_t start = mustFind(bytes, tagBytes(0x0008, 0x0008));
    const size_t pixels = mustFind(bytes, tagBytes(0x7FE0, 0x0010));
    std::string head = bytes.substr(start, pixels - start);
    head += inPixels ? tagBytes(0x7FE0, 0x0010) + "OW" : tagBytes(0x6FFF, 0x1010) + "OB";
    head += little(0, 2) + little(uint64_t{mib} << 20, 4);
    z_stream stream{};
    EXPECT_EQ(deflateInit2(&stream, 1, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
    std::string out((size_t{mib} << 13) + head.size() + 1024, '\0');
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    const auto put = [&](std::string& data, int flush) {
      stream.next_in = reinterpret_cast<Bytef*>(data.data());
      stream.avail_in = static_cast<uInt>(data.size());
      deflate(&stream, flush);
    };
    put(head, Z_NO_FLUSH);
    std::string zeros(1 << 20, '\0');
    for (unsigned i = 0; i < mib; ++i) put(zeros, i + 1 == mib ? Z_FINISH : Z_NO_FLUSH);
    out.resize(out.size() - stream.avail_out);
    deflateEnd(&stream);
    return meta + out;
  };
}

std::string program(const std::string&) {
  std::ifstream self("/proc/self/exe", std::ios::binary);
  std::string bytes(1 << 20, '\0');
  self.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<size_t>(self.gcount()));
  return bytes;
}

std::string nothing(const std::string&) { return {}; }
std::string asItIs(std::string good) { return good; }

std::vector<Hostile> hostileFiles() {
  const auto plain = EXS_LittleEndianExplicit;
  return {
      {"Empty", plain, nothing},
      {"AllZeros3GB", plain, nothing, kSparseBytes},
      {"ThenZeros3GB", plain, asItIs, kSparseBytes},
      {"Program", plain, program},
      {"Nested20000", plain, nested(20'000, true)},
      {"Nested200000", plain, nested(200'000, true)},
      {"NestedOfKnownLength20000", plain, nested(20'000, false)},
      {"NestedWithoutPreamble", plain,
       [](std::string b) { return withoutPreamble(nested(20'000, true)(std::move(b))); }},
      {"PixelsClaim4GB", plain, [](std::string b) { return pixelLengthOf(std::move(b), 0xFFFFFFFE); }},
      {"PixelsClaim4GBOf3", plain, [](std::string b) { return pixelLengthOf(std::move(b), 0xFFFFFFFE); }, kSparseBytes},
      {"PixelsClaim2GBOf3", plain, [](std::string b) { return pixelLengthOf(std::move(b), 0x80000000); }, kSparseBytes},
      {"PixelsOfUndefinedLength", plain, [](std::string b) { return pixelLengthOf(std::move(b), 0xFFFFFFFF); }},
      {"HugeRows", plain, number(DCM_Rows, 65535)},
      {"HugeSlice", plain,
       [](std::string b) { return number(DCM_Rows, 65535)(number(DCM_Columns, 65535)(std::move(b))); }},
      {"HugeSliceOf3GB", plain,
       [](std::string b) { return number(DCM_Rows, 65535)(number(DCM_Columns, 65535)(std::move(b))); }, kSparseBytes},
      {"HugeSliceInRle", EXS_RLELossless,
       [](std::string b) { return number(DCM_Rows, 65535)(number(DCM_Columns, 65535)(std::move(b))); }},
      {"HugeSliceInJpegLs", EXS_JPEGLSLossless,
       [](std::string b) {
         return number(DCM_Rows, 65535)(number(DCM_Columns, 65535)(hugeFrame(0xF7)(std::move(b))));
       }},
      {"HugeFrameInJpegLs", EXS_JPEGLSLossless, hugeFrame(0xF7)},
      {"HugeFrameInJpeg", EXS_JPEGProcess14SV1, hugeFrame(0xC3)},
      {"NoRows", plain, number(DCM_Rows, 0)},
      {"FramesWithoutEnd", plain,
       [](std::string b) {
         return insertBeforePixels(std::move(b), tagBytes(0x0028, 0x0008) + "IS" + little(10, 2) + "2147483647");
       }},
      {"EnhancedFramesWithoutEnd", plain,
       [](std::string b) {
         b = text(DCM_SOPClassUID, "UI", UID_EnhancedCTImageStorage)(std::move(b));
         return insertBeforePixels(std::move(b), tagBytes(0x0028, 0x0008) + "IS" + little(10, 2) + "2147483647");
       }},
      {"DeflateBombInHeader", plain, deflateBomb(300, false)},
      {"DeflateBombInPixels", plain, deflateBomb(300, true)},
      {"RleManySegments", EXS_RLELossless, rleWord(0, 0xFFFFFFFF)},
      {"RleNoSegments", EXS_RLELossless, rleWord(0, 0)},
      {"RleSegmentBeyond", EXS_RLELossless, rleWord(2, 0x7FFFFFFF)},
      {"RleSegmentBefore", EXS_RLELossless, rleWord(2, 4)},
      {"RleSegmentsSwapped", EXS_RLELossless, rleWord(1, 0x400)},
      {"BitsAllocated0", plain, number(DCM_BitsAllocated, 0)},
      {"BitsAllocated65535", plain, number(DCM_BitsAllocated, 65535)},
      {"BitsStored0", plain, number(DCM_BitsStored, 0)},
      {"BitsStored65535", plain, number(DCM_BitsStored, 65535)},
      {"HighBit65535", plain, number(DCM_HighBit, 65535)},
      {"SamplesPerPixel65535", plain, number(DCM_SamplesPerPixel, 65535)},
      {"SlopeHuge", plain, text(DCM_RescaleSlope, "DS", "1e308")},
      {"SlopeZero", plain, text(DCM_RescaleSlope, "DS", "0")},
      {"SlopeNan", plain, text(DCM_RescaleSlope, "DS", "nan")},
      {"InterceptInfinite", plain, text(DCM_RescaleIntercept, "DS", "-inf")},
      {"SpacingZero", plain, text(DCM_PixelSpacing, "DS", "0\\0")},
      {"SpacingNegative", plain, text(DCM_PixelSpacing, "DS", "-0.703125\\0.703125")},
      {"SpacingTiny", plain, text(DCM_PixelSpacing, "DS", "1e-300\\1e-300")},
      {"PositionHuge", plain, text(DCM_ImagePositionPatient, "DS", "1e308\\1e308\\1e308")},
      {"PositionNan", plain, text(DCM_ImagePositionPatient, "DS", "nan\\nan\\nan")},
      {"PositionShort", plain, text(DCM_ImagePositionPatient, "DS", "1\\2")},
      {"OrientationZero", plain, text(DCM_ImageOrientationPatient, "DS", "0\\0\\0\\0\\0\\0")},
  };
}

class HostileFiles : public testing::TestWithParam<Hostile> {
 protected:
  // @return false where this disk cannot hold a file with a hole.
  bool replace(const DamagedSeries& series, int slice) {
    series.replace(slice, GetParam().make(series.bytes(slice)));
    std::error_code error;
    if (GetParam().fileBytes > 0) fs::resize_file(series.path(slice), GetParam().fileBytes, error);
    return !error;
  }
};

TEST_P(HostileFiles, AmongGoodOnesHarmNothing) {
  const DamagedSeries series(GetParam().syntax);
  ASSERT_TRUE(series.written());
  if (!replace(series, 2)) GTEST_SKIP() << "this disk has no sparse files";
  const PeakMemory memory;
  const Verdict verdict = series.judge(2);
  if (memoryIsMeasured()) {
    EXPECT_LT(memory.mib(), kMaxExtraMib);
  }
  EXPECT_NE(verdict.outcome, Outcome::wrong) << verdict.what;
  std::cout << fmt::format("{}: {} {}\n", GetParam().name, nameOf(verdict.outcome), verdict.what);
}

TEST_P(HostileFiles, AloneEndInAnErrorOrAVolumeWithinTheMemory) {
  const DamagedSeries series(GetParam().syntax);
  for (int i = 0; i < DamagedSeries::kSlices; ++i) {
    if (!replace(series, i)) GTEST_SKIP() << "this disk has no sparse files";
  }
  const PeakMemory memory;
  const Verdict verdict = series.judge(2);
  if (memoryIsMeasured()) {
    EXPECT_LT(memory.mib(), kMaxExtraMib);
  }
  std::cout << fmt::format("{}: {} {}\n", GetParam().name, nameOf(verdict.outcome), verdict.what);
}

std::string nameOfFile(const testing::TestParamInfo<Hostile>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(Files, HostileFiles, testing::ValuesIn(hostileFiles()), nameOfFile);

}  // namespace
}  // namespace lynceus::fault
