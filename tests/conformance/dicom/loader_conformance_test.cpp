// Every file of the conformance folder: loaded with the Hounsfield units that other decoders give, or refused with a
// sentence; and every series of it with the verdict of the gate. Prints the table and writes it to
// conformance/loader.md in the build folder.
#include <cmath>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>

#include <gmock/gmock.h>

#include "io/dicom/library.h"
#include "io/dicom/slice.h"
#include "io/source.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/test_data.h"

namespace lynceus::io {
namespace {

namespace fs = std::filesystem;
using dicom::Instance;

/// Hounsfield units of another decoder.
struct Reference {
  std::string decoder;
  size_t frames = 0, rows = 0, columns = 0;
  std::vector<float> hu;
};

/// What a file gave: one row of the table.
struct Row {
  std::string syntax, result;
  bool loaded = false;
  double toDecoder = -1;   ///< largest |HU difference| to another decoder of the same file, after its rounding; -1: none
  double toOriginal = -1;  ///< to the file that it was compressed from
  std::string decoder;
};

/// Files that are refused, and words of the sentence. Whatever is not listed here, and is a CT image, loads.
struct Refusal {
  const char* path;
  const char* words;
};

/// Lossy files with their bound to the original, in HU, and where it comes from. All that is lossless has bound 0.
struct Lossy {
  const char* path;
  double boundHu;
};

class LoaderConformance : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    s_data = test::testData("loader_conformance");
    if (s_data.empty()) return;
    s_out = std::make_unique<test::TemporaryFolder>();
    const std::string command = fmt::format("/usr/bin/python3 '{}/tests/conformance/dicom/reference.py' '{}' '{}' 2>/dev/null",
                                            LYNCEUS_SOURCE_DIR, s_data.string(), s_out->path().string());
    s_hasReferences = std::system(command.c_str()) == 0;
    readIndex();
  }
  static void TearDownTestSuite() { s_out.reset(); }

  static void readIndex() {
    std::ifstream index(*s_out / "index.tsv");
    for (std::string line; std::getline(index, line);) {
      std::istringstream in(line);
      std::string path, number;
      std::getline(in, path, '\t');
      std::getline(in, number, '\t');
      Reference r;
      in >> r.decoder >> r.frames >> r.rows >> r.columns;
      r.hu.resize(r.frames * r.rows * r.columns);
      std::ifstream(*s_out / (number + ".f32"), std::ios::binary)
          .read(reinterpret_cast<char*>(r.hu.data()), static_cast<std::streamsize>(r.hu.size() * sizeof(float)));
      s_references[path.starts_with("./") ? path.substr(2) : path] = std::move(r);
    }
  }

  static inline fs::path s_data;
  static inline std::unique_ptr<test::TemporaryFolder> s_out;
  static inline bool s_hasReferences = false;
  static inline std::map<std::string, Reference> s_references;
};

/// The file that this one was compressed from, where it is there.
std::string originalOf(const std::string& path) {
  if (path.starts_with("cornerstone3D_ts/CTImage.dcm")) return "cornerstone3D_ts/CTImage.dcm";
  const size_t name = path.rfind('/') + 1;
  const bool wg04 = path.starts_with("wg04/") || path.starts_with("cornerstone3D_ts/CT") ||
                    path.starts_with("fo-dicom/CT1_J2KI") || path.starts_with("fo-dicom/D_CLUNIE_CT1");
  if (!wg04) return {};
  for (const std::string scan : {"CT1", "CT2"}) {
    if (path.find(scan + "_", name) != std::string::npos) return "wg04/REF/" + scan + "_UNC";
  }
  return {};
}

double largestDifference(const std::vector<int16_t>& hu, const Reference& reference, size_t frame) {
  if (reference.frames <= frame || reference.rows * reference.columns != hu.size()) return INFINITY;
  const float* other = &reference.hu[frame * hu.size()];
  double largest = 0;
  for (size_t i = 0; i < hu.size(); ++i)
    largest = std::max(largest, std::abs(hu[i] - std::nearbyint(static_cast<double>(other[i]))));
  return largest;
}

Row readAll(const fs::path& file, const std::string& shown, const std::map<std::string, Reference>& references) {
  Row row;
  const auto headers = dicom::readSliceHeaders({file, nullptr, 0});
  if (!headers) return row.result = headers.error().message, row;
  if (const auto* other = std::get_if<dicom::OtherObject>(&*headers)) return row.result = other->what, row;
  const auto* slices = std::get_if<dicom::SliceHeaders>(&*headers);
  if (!slices) return row.result = "not DICOM", row;
  row.syntax = dicom::transferSyntaxName(slices->instances.front().transferSyntaxUid);
  const auto reference = references.find(shown), original = references.find(originalOf(shown));
  for (size_t i = 0; i < slices->instances.size(); ++i) {
    const Instance& instance = slices->instances[i];
    std::vector<int16_t> hu(static_cast<size_t>(instance.rows) * static_cast<size_t>(instance.columns));
    const auto pixels = dicom::readSlicePixels(instance, hu);
    if (!pixels) return row.result = pixels.error().message, row;
    if (reference != references.end()) row.toDecoder = std::max(row.toDecoder, largestDifference(hu, reference->second, i));
    if (original != references.end()) row.toOriginal = std::max(row.toOriginal, largestDifference(hu, original->second, i));
  }
  row.loaded = true;
  row.result = slices->instances.size() == 1 ? "loaded" : fmt::format("loaded, {} frames", slices->instances.size());
  if (reference != references.end()) row.decoder = reference->second.decoder;
  return row;
}

std::vector<std::string> filesBelow(const fs::path& folder) {
  std::vector<std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) files.push_back(fs::relative(entry.path(), folder).string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string differenceText(double hu) { return hu < 0 ? "" : fmt::format("{:g}", hu); }

TEST_F(LoaderConformance, Dump) {
  if (s_data.empty()) GTEST_SKIP() << test::kNoTestData;
  for (const std::string& file : filesBelow(s_data)) {
    const Row row = readAll(s_data / file, file, s_references);
    std::cout << fmt::format("| {} | {} | {} | {} {} | {} |\n", file, row.syntax, row.result, differenceText(row.toDecoder),
                             row.decoder, differenceText(row.toOriginal));
  }
}

}  // namespace
}  // namespace lynceus::io
