// A series of five slices of which one file is damaged, and a judge of what the loader makes of it.
#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "io/source.h"
#include "tests/support/ct_files.h"
#include "tests/support/temporary_folder.h"

namespace lynceus::fault {

enum class Outcome {
  refused,        ///< an error, or the file was skipped and the rest is no volume
  right,          ///< the volume without the damage
  noticed,        ///< a volume whose report says what is off
  shorter,        ///< the damaged slice was at an end and is left out; the source says so
  changedValues,  ///< as right, but in the damaged slice other Hounsfield units: nothing in the file can tell
  wrong,          ///< anything else
};

inline const char* nameOf(Outcome o) {
  constexpr const char* kNames[] = {"refused", "right", "noticed", "shorter", "changed values", "wrong"};
  return kNames[static_cast<size_t>(o)];
}

struct Verdict {
  Outcome outcome = Outcome::refused;
  std::string what;  ///< the error, or what is wrong
};

class DamagedSeries {
 public:
  static constexpr int kSlices = 5, kColumns = 40, kRows = 32;
  static constexpr double kSpacingMm = 2.5, kPixelMm = 0.703125;
  static constexpr double kX = -131.25, kY = -122.75, kZ = -412.5;

  explicit DamagedSeries(E_TransferSyntax syntax, int scale = 1) : m_columns(kColumns * scale), m_rows(kRows * scale) {
    test::CtFile f;
    f.columns = m_columns;
    f.rows = m_rows;
    f.bitsStored = 12;
    f.highBit = 11;
    f.isSigned = false;
    f.pixelSpacing = fmt::format("{}\\{}", kPixelMm, kPixelMm);
    f.x = kX;
    f.y = kY;
    f.syntax = syntax;
    uint32_t noise = 1;
    for (int i = 0; i < kSlices; ++i) {
      f.instanceNumber = i + 1;
      f.z = kZ + i * kSpacingMm;
      f.pixels.resize(pixelCount());
      for (size_t p = 0; p < f.pixels.size(); ++p) {  // smooth with noise, as scans are
        noise = noise * 1664525 + 1013904223;
        f.pixels[p] =
            static_cast<uint16_t>(200 + 300 * i + static_cast<int>(p % 97) * 20 + static_cast<int>(noise >> 27));
      }
      m_truth.push_back(f.pixels);
      m_written = m_written && test::writeCt(path(i), f);
    }
  }

  bool written() const { return m_written; }
  std::filesystem::path folder() const { return m_folder.path(); }
  std::filesystem::path path(int slice) const { return m_folder / fmt::format("s{}.dcm", slice + 1); }
  size_t pixelCount() const { return static_cast<size_t>(m_columns) * static_cast<size_t>(m_rows); }

  std::string bytes(int slice) const {
    std::ifstream in(path(slice), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void replace(int slice, const std::string& bytes) const {
    std::ofstream(path(slice), std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }

  /// What the loader makes of the folder now that the file of `damaged` is not what it was.
  Verdict judge(int damaged) const {
    job::Context context;
    const auto source = io::openSource(folder(), context);
    if (!source) return {Outcome::refused, source.error().message};
    Verdict verdict;
    for (size_t i = 0; i < source->series.size(); ++i) {
      const auto loaded = io::loadSeries(*source, i, context);
      if (!loaded) {
        if (verdict.what.empty()) verdict.what = loaded.error().message;
        continue;
      }
      const Verdict found = judge(*source, i, *loaded, damaged);
      if (found.outcome > verdict.outcome) verdict = found;
    }
    return verdict;
  }

 private:
  // Below this the geometry gate keeps quiet: kNoNoticeMm, kNoticeFraction of the distance.
  static constexpr double kUnnoticedMm = kSpacingMm / 100;

  Verdict judge(const io::Source& source, size_t index, const io::LoadedSeries& loaded, int damaged) const {
    const image::Geometry& g = loaded.volume.geometry();
    if (g.size.x != m_columns || g.size.y != m_rows || g.size.z > kSlices || g.size.z < 2)
      return {Outcome::wrong, fmt::format("the volume has {} x {} x {} voxels", g.size.x, g.size.y, g.size.z)};
    const int first = static_cast<int>(std::lround((g.toPatient({0, 0, 0}).z - kZ) / kSpacingMm));
    if (first < 0 || first + g.size.z > kSlices) return {Outcome::wrong, fmt::format("it begins at slice {}", first)};
    const double offMm = largestDeviationMm(g, first);
    const bool says = !source.series[index].report.problems.empty() || !loaded.remarks.empty();
    if (offMm > kUnnoticedMm && !says) return {Outcome::wrong, fmt::format("it is off by {:.3f} mm", offMm)};
    bool changed = false;
    for (int z = 0; z < g.size.z; ++z) {
      if (sameValues(loaded.volume, z, first + z)) continue;
      if (first + z != damaged) return {Outcome::wrong, fmt::format("slice {} has values of another", first + z + 1)};
      changed = true;
    }
    if (changed) return {Outcome::changedValues, ""};
    if (g.size.z < kSlices) return judgeShorter(source, first, g.size.z, damaged);
    return {offMm > kUnnoticedMm ? Outcome::noticed : Outcome::right, ""};
  }

  Verdict judgeShorter(const io::Source& source, int first, int count, int damaged) const {
    const bool onlyTheDamaged = count == kSlices - 1 && (damaged < first || damaged >= first + count);
    const auto& skipped = source.skipped;
    const bool says =
        source.series.size() > 1 || !skipped.damaged.empty() || !skipped.notCtImages.empty() || skipped.notDicom > 0;
    if (onlyTheDamaged && says) return {Outcome::shorter, ""};
    return {Outcome::wrong, fmt::format("slices {} to {} alone, and nothing says why", first + 1, first + count)};
  }

  // Of any corner of any slice from where it is in the patient.
  double largestDeviationMm(const image::Geometry& g, int first) const {
    double largest = 0;
    for (int z = 0; z < g.size.z; ++z) {
      for (const int x : {0, m_columns - 1}) {
        for (const int y : {0, m_rows - 1}) {
          const image::Point3 truth{kX + x * kPixelMm, kY + y * kPixelMm, kZ + (first + z) * kSpacingMm};
          largest = std::max(largest, norm(g.toPatient({double(x), double(y), double(z)}) - truth));
        }
      }
    }
    return largest;
  }

  bool sameValues(const image::Volume& volume, int z, int slice) const {
    const auto hu = volume.hu().subspan(static_cast<size_t>(z) * pixelCount(), pixelCount());
    const auto& truth = m_truth[static_cast<size_t>(slice)];
    return std::equal(hu.begin(), hu.end(), truth.begin(), [](int16_t a, uint16_t b) { return a == b - 1024; });
  }

  test::TemporaryFolder m_folder;
  int m_columns, m_rows;
  std::vector<std::vector<uint16_t>> m_truth;
  bool m_written = true;
};

/// Counts outcomes for a line of a table.
struct Tally {
  std::map<Outcome, int> counts;
  std::vector<std::string> wrong;
  void add(const Verdict& verdict, const std::string& where) {
    ++counts[verdict.outcome];
    if (verdict.outcome == Outcome::wrong && wrong.size() < 20) wrong.push_back(where + ": " + verdict.what);
  }
  std::string text() const {
    std::string line;
    for (const auto& [outcome, n] : counts)
      line += fmt::format("{}{} {}", line.empty() ? "" : ", ", n, nameOf(outcome));
    return line;
  }
};

}  // namespace lynceus::fault
