// Every file of the conformance folder: loaded with the Hounsfield units that other decoders give, or refused with a
// sentence; and every series of it with the verdict of the gate. Prints the tables and writes them
// to conformance/loader_files.md and loader_series.md in the build folder.
#include <cmath>
#include <fstream>
#include <iostream>
#include <map>
#include <set>
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
  double toDecoder = -1;  ///< largest |HU difference| to another decoder of the same file, after its rounding; -1: none
  double toOriginal = -1;  ///< to the file that it was compressed from
  std::string decoder;
};

/// Files whose path has this in it are refused with these words; the first that fits counts. All others load.
struct Refusal {
  const char* path;
  const char* words;
};
constexpr Refusal kRefused[] = {
    {".nii.gz", "not DICOM"},
    {".dat", "not DICOM"},
    {".zst", "not DICOM"},
    {"minimumdict.xml", "not DICOM"},
    {"TestPattern_", "OT secondary capture"},
    {"US-YBR_FULL_422-EVRLE.dcm", "US image"},
    {"no-pixel-spacing.dcm", "US image"},
    {"d2n_generic/rgb/", "MR secondary capture"},
    {"d2n_generic/", "MR image"},
    {"d2n_failing/slicecount/", "MR image"},
    {"d2n_failing/sliceorientation/", "MR image"},
    {"CT-MONO2-16-ankle", "CT secondary capture"},
    {"fo-dicom/DICOMDIR", "DICOMDIR"},
    {"philips_tilt/DIRFILE", "DICOMDIR"},
    {"fo-dicom/Deflated.dcm", "object of unknown kind"},
    {"fo-dicom/Issue1097", "object of unknown kind"},
    {"fo-dicom/GH1261.dcm", "MR image"},
    {"fo-dicom/GH355.dcm", "CT object"},
    {"fo-dicom/GH364.dcm", "the header is damaged at byte 1136"},  // dcmdump refuses it as well
    {"fo-dicom/HasFragmentSequence.dcm", "XA image"},
    {"pydicom-data/JPEG-LL.dcm", "NM secondary capture"},
    {"pydicom-data/JPEG2000_UNC.dcm", "NM secondary capture"},
    {"pydicom-data/emri_", "MR image"},
    {"pydicom-data/liver", "Segmentation"},
    {"pydicom-data/parametric_map_", "ParametricMap"},
};

/// Lossy files and how far they are from the original at most, in HU, as measured; GDCM's decoder gives the same. All
/// others equal it.
struct Lossy {
  const char* path;
  double boundHu;
};
constexpr Lossy kLossy[] = {
    {"JPEG2000TransferSyntax_", 5},
    {"JPEGLSLossyTransferSyntax_", 1},
    {"JPEGProcess10_12TransferSyntax_", 36},
    {"JPEGProcess1TransferSyntax_", 64},
    {"JPEGProcess2_4TransferSyntax_", 36},
    {"JPEGProcess6_8TransferSyntax_", 36},
    {"CT1_J2KI", 352},
    {"CT2_J2KI", 402},
    {"_JLSN", 4},
};

/// Folders with CT series, and for each: slices, verdict of the gate, and whether it loads. All others have no CT.
struct ExpectedSeries {
  const char* folder;
  std::vector<std::string> series;
};
const std::vector<ExpectedSeries>& expectedSeries() {
  static const std::string one = "1 not a volume";
  static const std::vector<ExpectedSeries> table = {
      {"cornerstone3D_ts", {"16 duplicate", one, one, "2 regular, loaded"}},
      {"d2n_failing/gantrytilting/001", {"4 tilted, loaded"}},
      {"d2n_failing/notavolume/001", {"4 duplicate"}},
      {"d2n_failing/sliceincrement", {"4 gap", "4 gap"}},
      {"d2n_failing/sliceincrement/001", {"4 gap"}},
      {"d2n_failing/sliceincrement/002", {"4 gap"}},
      {"dcmqi_ct", {"3 regular, loaded"}},
      {"fo-dicom", {one, "3 duplicate", one}},
      {"ge_tilt", {"14 tilted, loaded", "14 tilted, loaded"}},
      {"philips_tilt", {"24 tilted, loaded"}},
      {"pydicom-data", {"3 duplicate", "2 regular, loaded", one, one}},
      {"slicer_head", {"93 regular, loaded"}},
      {"topogram", {"1 localizer"}},
      {"tsj2k", {"20 regular, loaded"}},
      {"wg04/J2KI", {one, one}},
      {"wg04/J2KR", {one, one}},
      {"wg04/JLSL", {one, one}},
      {"wg04/JLSN", {one, one}},
      {"wg04/JPLL", {one, one}},
      {"wg04/RLE", {one, one}},
  };
  return table;
}

class LoaderConformance : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    g_data = test::testData("loader_conformance");
    if (g_data.empty()) return;
    g_out = std::make_unique<test::TemporaryFolder>();
    const std::string command =
        fmt::format("/usr/bin/python3 '{}/tests/conformance/dicom/reference.py' '{}' '{}' 2>/dev/null",
                    LYNCEUS_SOURCE_DIR, g_data.string(), g_out->path().string());
    g_hasReferences = std::system(command.c_str()) == 0;
    readIndex();
  }
  static void TearDownTestSuite() { g_out.reset(); }

  static void readIndex() {
    std::ifstream index(*g_out / "index.tsv");
    for (std::string line; std::getline(index, line);) {
      std::istringstream in(line);
      std::string path, number;
      std::getline(in, path, '\t');
      std::getline(in, number, '\t');
      Reference r;
      in >> r.decoder >> r.frames >> r.rows >> r.columns;
      r.hu.resize(r.frames * r.rows * r.columns);
      std::ifstream(*g_out / (number + ".f32"), std::ios::binary)
          .read(reinterpret_cast<char*>(r.hu.data()), static_cast<std::streamsize>(r.hu.size() * sizeof(float)));
      g_references[path.starts_with("./") ? path.substr(2) : path] = std::move(r);
    }
  }

  static inline fs::path g_data;
  static inline std::unique_ptr<test::TemporaryFolder> g_out;
  static inline bool g_hasReferences = false;
  static inline std::map<std::string, Reference> g_references;
};

/// The file that this one was compressed from, where it is there.
std::string originalOf(const std::string& path) {
  if (path.starts_with("cornerstone3D_ts/CTImage.dcm")) return "cornerstone3D_ts/CTImage.dcm";
  const size_t name = path.rfind('/') + 1;
  for (const std::string scan : {"CT1", "CT2"}) {
    if (path.find(scan + "_", name) != std::string::npos) return "wg04/REF/" + scan + "_UNC";
  }
  if (path == "pydicom-data/693_J2KR.dcm") return "pydicom-data/693_UNCR.dcm";
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
    if (reference != references.end())
      row.toDecoder = std::max(row.toDecoder, largestDifference(hu, reference->second, i));
    if (original != references.end())
      row.toOriginal = std::max(row.toOriginal, largestDifference(hu, original->second, i));
  }
  row.loaded = true;
  row.result = slices->instances.size() == 1 ? "loaded" : fmt::format("loaded, {} frames", slices->instances.size());
  if (reference != references.end()) row.decoder = reference->second.decoder;
  return row;
}

/// The data lie elsewhere on each machine.
std::string withoutFolder(std::string text) {
  const std::string folder = test::testData("loader_conformance").string();
  for (size_t at = 0; (at = text.find(folder)) != std::string::npos;) text.replace(at, folder.size(), "…");
  return text;
}

void report(const std::string& name, const std::string& table) {
  std::cout << table;
  const fs::path folder = fs::path(LYNCEUS_BINARY_DIR) / "conformance";
  fs::create_directories(folder);
  std::ofstream(folder / name) << table;
}

std::vector<std::string> foldersWithFiles(const fs::path& folder) {
  std::set<std::string> folders;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) folders.insert(fs::relative(entry.path().parent_path(), folder).string());
  }
  return {folders.begin(), folders.end()};
}

std::vector<std::string> filesBelow(const fs::path& folder) {
  std::vector<std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) files.push_back(fs::relative(entry.path(), folder).string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

template <class Entry, size_t count>
const Entry* entryFor(const Entry (&table)[count], const std::string& file) {
  const auto* found = std::find_if(std::begin(table), std::end(table),
                                   [&](const Entry& e) { return file.find(e.path) != std::string::npos; });
  return found == std::end(table) ? nullptr : found;
}

std::string differenceText(double hu) { return hu < 0 ? "" : fmt::format("{:g}", hu); }

void check(const std::string& file, const Row& row, bool hasReferences) {
  SCOPED_TRACE(file);
  const Refusal* refusal = entryFor(kRefused, file);
  EXPECT_EQ(row.loaded, refusal == nullptr) << row.result;
  if (!row.loaded) {
    EXPECT_THAT(row.result, testing::HasSubstr(refusal ? refusal->words : ""));
    return;
  }
  if (!hasReferences) return;
  // pydicom cannot read the one; its original is there.
  if (file.find("GH177_D_CLUNIE_CT1_IVRLE_BigEndian_undefined_length") == std::string::npos) {
    EXPECT_EQ(row.toDecoder, 0) << "against " << row.decoder;
  }
  const Lossy* lossy = entryFor(kLossy, file);
  EXPECT_LE(row.toOriginal, lossy ? lossy->boundHu : 0);
}

TEST_F(LoaderConformance, GivesTheValuesOfOtherDecodersOrSaysWhyNot) {
  if (g_data.empty()) GTEST_SKIP() << test::kNoTestData;
  std::string table =
      "| file | transfer syntax | result | max difference to another decoder, HU | to the original, HU "
      "|\n|---|---|---|---|---|\n";
  for (const std::string& file : filesBelow(g_data)) {
    const Row row = readAll(g_data / file, file, g_references);
    check(file, row, g_hasReferences);
    table += fmt::format("| {} | {} | {}{} | {}{} | {} |\n", file, row.syntax,
                         row.loaded ? "" : "refused: ", row.loaded ? row.result : withoutFolder(row.result),
                         differenceText(row.toDecoder), row.decoder.empty() ? "" : " (" + row.decoder + ")",
                         differenceText(row.toOriginal));
  }
  report("loader_files.md", table);
  if (!g_hasReferences) GTEST_SKIP() << "python3-pydicom is not installed: loaded, but compared with nothing";
}

TEST_F(LoaderConformance, EqualsTheRawFileBitForBitWhereTheSyntaxIsLossless) {
  if (g_data.empty()) GTEST_SKIP() << test::kNoTestData;
  if (!g_hasReferences) GTEST_SKIP() << "python3-pydicom is not installed";
  int same = 0;
  for (const std::string& file : filesBelow(g_data / "cornerstone3D_ts")) {
    const std::string shown = "cornerstone3D_ts/" + file;
    if (!originalOf(shown).empty() && !entryFor(kLossy, shown) && !entryFor(kRefused, shown) &&
        readAll(g_data / shown, shown, g_references).toOriginal == 0)
      ++same;
  }
  EXPECT_EQ(same, 12) << "CTImage in 10 lossless syntaxes, CT1 and CT2 in JPEG 2000";
}

TEST_F(LoaderConformance, GivesEverySeriesItsVerdict) {
  if (g_data.empty()) GTEST_SKIP() << test::kNoTestData;
  std::string table = "| folder | series | slices | gate | result |\n|---|---|---|---|---|\n";
  for (const std::string& folder : foldersWithFiles(g_data)) {
    job::Context context;
    const auto source = openSource(g_data / folder, context);
    const auto& all = expectedSeries();
    const auto expected =
        std::find_if(all.begin(), all.end(), [&](const ExpectedSeries& e) { return e.folder == folder; });
    EXPECT_EQ(source.has_value(), expected != all.end()) << folder;
    std::vector<std::string> found;
    if (!source) {
      table += fmt::format("| {} | | | | refused: {} |\n", folder, withoutFolder(source.error().message));
      continue;
    }
    for (size_t i = 0; i < source->series.size(); ++i) {
      const dicom::Series& series = source->series[i];
      const auto loaded = loadSeries(*source, i, context);
      found.push_back(fmt::format("{} {}{}", series.instances.size(), geometryClassName(series.report.geometryClass),
                                  loaded ? ", loaded" : ""));
      table += fmt::format("| {} | {} | {} | {} | {} |\n", folder, series.name(), series.instances.size(),
                           geometryClassName(series.report.geometryClass),
                           loaded ? "loaded" : "refused: " + withoutFolder(loaded.error().message));
    }
    if (expected != all.end()) {
      EXPECT_THAT(found, testing::ElementsAreArray(expected->series)) << folder;
    }
  }
  report("loader_series.md", table);
}

}  // namespace
}  // namespace lynceus::io
