#include "io/dicom/deidentify_files.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cctype>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include <dcmtk/config/osconfig.h>

#include <dcmtk/dcmdata/dcostrmb.h>
#include <dcmtk/dcmdata/dctk.h>
#include <omp.h>

#include "core/atomic_file.h"
#include "core/parallel.h"
#include "core/version.h"
#include "io/byte_reader.h"
#include "io/dicom/dataset.h"
#include "io/dicom/library.h"
#include "io/dicom/write_ct.h"
#include "io/list_files.h"

namespace lynceus::io::dicom {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kLargestFileBytes = uint64_t{2} << 30;  // the library counts bytes in 32 bits

/// What the header of one file says about where its copy goes, or why there is none.
struct Plan {
  std::optional<LeftOutFile> leftOut;
  bool mayBeBurnedIn = false;
  std::string patient, studyUid, seriesUid, sopInstanceUid;  // the original ones
  int seriesNumber = 0;
  fs::path target;
};

bool startsWith(std::string_view text, std::string_view beginning) {
  return text.substr(0, beginning.size()) == beginning;
}

std::string upper(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

/// @return empty for an image, else what it is.
std::string whyNotImage(const DataSet& set) {
  const std::string sopClass = set.text(0x00080016);
  struct Family {
    const char* prefix;
    const char* what;
  };
  static constexpr Family kFamilies[] = {{"1.2.840.10008.1.3.10", "a DICOMDIR"},
                                         {"1.2.840.10008.5.1.4.1.1.88.", "a structured report"},
                                         {"1.2.840.10008.5.1.4.1.1.104.", "an encapsulated document"},
                                         {"1.2.840.10008.5.1.4.1.1.11.", "a presentation state"},
                                         {"1.2.840.10008.5.1.4.1.1.9.", "a waveform"},
                                         {"1.2.840.10008.5.1.4.1.1.481.", "a radiotherapy object"}};
  const std::string any = sopClass.empty() ? set.mediaStorageSopClassUid() : sopClass;
  for (const Family& family : kFamilies) {
    if (startsWith(any, family.prefix)) return family.what;
  }
  if (any == "1.2.840.10008.5.1.4.1.1.66") return "raw data";
  const bool hasPixels = set.pixelData() || set.find(0x7FE00008) || set.find(0x7FE00009);
  if (!hasPixels) return "an object without pixels";
  return startsWith(any, "1.2.840.10008.") ? "" : "an object of a class that is not in the standard";
}

/// An overlay that is described and has no data of its own lies in bits of the pixel words (PS3.5 section 8.1.2).
bool overlayInPixelWords(const DataSet& set) {
  const auto& elements = set.elements();
  return std::any_of(elements.begin(), elements.end(), [&](const DataSet::Element& e) {
    const uint32_t element = e.tag & 0xFFFF;
    const bool describes = element == 0x0010 || element == 0x0102;  // Overlay Rows, Overlay Bit Position
    return e.tag >> 24 == 0x60 && describes && !set.find((e.tag & 0xFFFF0000) | 0x3000, e.parent);
  });
}

/// Pages that scanners store as images: they show name, identifier or dates.
bool looksLikePage(const DataSet& set) {
  const std::string text = upper(set.text(0x00080008) + "\\" + set.text(0x0008103E));
  static constexpr std::array<std::string_view, 10> kPages = {
      "SCREEN SAVE", "SCREEN_SAVE",      "SCREENSAVE", "SCREENSHOT", "DOSE REPORT",
      "DOSE_INFO",   "PATIENT PROTOCOL", "CSA REPORT", "CAPTURE",    "EXAM SUMMARY"};
  return std::any_of(kPages.begin(), kPages.end(), [&](auto page) { return text.find(page) != std::string::npos; });
}

/// @return empty where nothing speaks for text in the pixels.
std::string whyBurnedIn(const DataSet& set) {
  if (overlayInPixelWords(set)) return "an overlay lies in the unused bits of its pixels";
  const std::string declared = upper(set.text(0x00280301));
  if (declared == "YES") return "its header says that the pixels show identifying text";
  if (declared == "NO") return "";
  const std::string sopClass = set.text(0x00080016);
  static constexpr std::array<std::string_view, 5> kClasses = {
      "1.2.840.10008.5.1.4.1.1.7",   // secondary capture
      "1.2.840.10008.5.1.4.1.1.6",   // ultrasound
      "1.2.840.10008.5.1.4.1.1.3",   // ultrasound multi-frame
      "1.2.840.10008.5.1.4.1.1.77",  // visible light
      "1.2.840.10008.5.1.4.1.1.12"   // angiography, fluoroscopy
  };
  const auto isIn = [&](std::string_view family) {
    return startsWith(sopClass, family) && (sopClass.size() == family.size() || sopClass[family.size()] == '.');
  };
  if (std::any_of(kClasses.begin(), kClasses.end(), isIn))
    return "images of its kind often show identifying text, and its header does not say that it shows none";
  const std::string modality = set.text(0x00080060);
  static constexpr std::array<std::string_view, 8> kModalities = {"US", "ES", "XC", "SC", "OT", "DOC", "IVUS", "GM"};
  if (set.find(0x00080064) || std::find(kModalities.begin(), kModalities.end(), modality) != kModalities.end())
    return "captured images often show identifying text, and its header does not say that it shows none";
  if (looksLikePage(set) || set.integer(0x00280002).value_or(1) > 1)
    return "it looks like a report page or a screenshot, and its header does not say that it shows no text";
  return "";
}

/// What tells patients apart; a study without any patient data counts as a patient of its own.
std::string patientOf(const DataSet& set) {
  if (std::string id = set.text(0x00100020); !id.empty()) return id;
  const std::string name = set.text(0x00100010);
  if (!name.empty()) return fmt::format("{}\\{}", name, set.text(0x00100030));
  return fmt::format("study {}", set.text(0x0020000D));
}

Plan leaveOut(const fs::path& path, LeftOutBecause because, std::string reason) {
  Plan plan;
  plan.leftOut = LeftOutFile{path, because, std::move(reason)};
  return plan;
}

Expected<std::optional<DataSet>> preScan(const fs::path& path) {
  auto file = ByteReader::open(Location{path, nullptr, 0});
  if (!file) return passError(file);
  if (file->size() > kLargestFileBytes)
    return makeError(ErrorCode::badInput, "{}: the file has more than 2 GiB, which cannot be de-identified",
                     path.string());
  return DataSet::read(*file, Extent::whole);
}

Plan planFile(const fs::path& path, const DeidentifyOptions& options) {
  const auto read = preScan(path);
  if (!read) return leaveOut(path, LeftOutBecause::damaged, read.error().message);
  if (!*read) return leaveOut(path, LeftOutBecause::notDicom, fmt::format("{}: is not a DICOM file", path.string()));
  const DataSet& set = **read;
  if (const std::string what = whyNotImage(set); !what.empty()) {
    return leaveOut(path, LeftOutBecause::notImage,
                    fmt::format("{}: is {}, and only images can be de-identified without a person reading them",
                                path.string(), what));
  }
  Plan plan;
  plan.sopInstanceUid = set.text(0x00080018);
  plan.studyUid = set.text(0x0020000D);
  plan.seriesUid = set.text(0x0020000E);
  const char* missing = plan.sopInstanceUid.empty() ? "SOP Instance UID (0008,0018)"
                        : plan.studyUid.empty()     ? "Study Instance UID (0020,000D)"
                        : plan.seriesUid.empty()    ? "Series Instance UID (0020,000E)"
                                                    : nullptr;
  if (missing) {
    return leaveOut(path, LeftOutBecause::damaged,
                    fmt::format("{}: {} is missing; export the file again from the source", path.string(), missing));
  }
  if (const std::string why = whyBurnedIn(set); !why.empty()) {
    if (!options.includeBurnedIn)
      return leaveOut(path, LeftOutBecause::burnedIn, fmt::format("{}: {}", path.string(), why));
    plan.mayBeBurnedIn = true;
  }
  plan.patient = patientOf(set);
  plan.seriesNumber = std::clamp(set.integer(0x00200011).value_or(0), 0, 999999);
  return plan;
}

/// The file's own header, made anew: nothing of the old one, nor of the 128 bytes before it, is in it.
Expected<void> save(std::unique_ptr<DcmDataset> set, E_TransferSyntax syntax, const fs::path& in, const fs::path& out) {
  DcmFileFormat file(set.release(), OFFalse);
  if (file.validateMetaInfo(syntax).bad())
    return makeError(ErrorCode::badInput, "{}: its SOP Class UID is missing", in.string());
  static const std::string implementation = uidOf("lynceus implementation class");
  DcmMetaInfo& meta = *file.getMetaInfo();
  meta.putAndInsertString(DCM_ImplementationClassUID, implementation.c_str());
  meta.putAndInsertString(DCM_ImplementationVersionName, fmt::format("LYNCEUS_{}", kVersion).substr(0, 16).c_str());
  meta.computeGroupLengthAndPadding(EGL_withGL, EPD_noChange, EXS_LittleEndianExplicit, EET_UndefinedLength);
  std::string bytes(size_t{file.calcElementLength(syntax, EET_ExplicitLength)} + 4096, '\0');
  DcmOutputBufferStream stream(bytes.data(), static_cast<offile_off_t>(bytes.size()));
  file.transferInit();
  const OFCondition written = file.write(stream, syntax, EET_ExplicitLength, nullptr, EGL_withoutGL, EPD_withoutPadding,
                                         0, 0, 0, EWM_dontUpdateMeta);
  file.transferEnd();
  if (written.bad())
    return makeError(ErrorCode::badInput, "{}: cannot be written again: {}", in.string(), written.text());
  void* data = nullptr;
  offile_off_t length = 0;
  stream.flushBuffer(data, length);
  return writeFileAtomically(out, {static_cast<const char*>(data), static_cast<size_t>(length)});
}

Expected<void> deidentifyFile(const fs::path& in, const Plan& plan, const DeidentifyOptions& options,
                              const PseudonymKey& key, const NewIdentity& identity) {
  DcmFileFormat file;
  if (const OFCondition loaded = file.loadFile(OFFilename(in.c_str())); loaded.bad())
    return makeError(ErrorCode::badInput, "{}: cannot be read: {}", in.string(), loaded.text());
  std::unique_ptr<DcmDataset> set(file.getAndRemoveDataset());
  E_TransferSyntax syntax = set->getOriginalXfer();
  if (syntax == EXS_Unknown) return makeError(ErrorCode::badInput, "{}: its transfer syntax is not known", in.string());
  if (syntax == EXS_DeflatedLittleEndianExplicit) syntax = EXS_LittleEndianExplicit;
  deidentify(*set, options, key, identity);
  std::error_code error;
  fs::create_directories(plan.target.parent_path(), error);
  if (error) {
    return makeError(ErrorCode::resource, "{}: the folder cannot be made: {}", plan.target.parent_path().string(),
                     error.message());
  }
  return save(std::move(set), syntax, in, plan.target);
}

bool liesIn(const fs::path& inner, const fs::path& outer) {
  const auto [end, ignored] = std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end());
  return end == outer.end();
}

fs::path resolved(const fs::path& path) {
  std::error_code error;
  fs::path result = fs::weakly_canonical(fs::absolute(path, error), error);
  if (error) result = path;
  return result.has_filename() ? result : result.parent_path();
}

Expected<void> checkFolders(const fs::path& in, const fs::path& out) {
  std::error_code error;
  if (!fs::exists(in, error)) return makeError(ErrorCode::wrongUse, "{}: there is no such file or folder", in.string());
  if (fs::exists(out, error) && !fs::is_directory(out, error))
    return makeError(ErrorCode::wrongUse, "{}: is a file: name a folder with -o", out.string());
  const fs::path from = resolved(in), to = resolved(out);
  if (liesIn(to, from) || liesIn(from, to)) {
    return makeError(ErrorCode::wrongUse,
                     "{}: the folder for the copies and the originals must not lie in one another: choose another one",
                     out.string());
  }
  return {};
}

/// Runs `body(i)` for each file on all threads, with progress and Ctrl+C.
template <class Body>
void forEachFile(size_t count, const job::Context& context, const std::atomic<bool>& stop, std::string_view what,
                 const Body& body) {
  std::atomic<int64_t> done = 0;
  parallelFor(static_cast<int64_t>(count), [&](int64_t i) {
    if (stop || context.cancelled()) return;
    body(static_cast<size_t>(i));
    const int64_t n = ++done;
    if (omp_get_thread_num() == 0) context.progress(static_cast<double>(n) / static_cast<double>(count), what);
  });
}

class Run {
 public:
  Run(std::vector<fs::path> files, const DeidentifyOptions& options, const PseudonymKey& key)
      : m_files(std::move(files)), m_options(options), m_key(key), m_plans(m_files.size()) {}

  void plan(const job::Context& context) {
    forEachFile(m_files.size(), context, m_stop, "reading headers",
                [&](size_t i) { m_plans[i] = planFile(m_files[i], m_options); });
  }

  Expected<void> place(const fs::path& out, DeidentifyReport& report) {
    std::set<std::string> studies, series;
    std::map<fs::path, int> taken;
    for (Plan& p : m_plans) {
      if (p.leftOut) continue;
      NewIdentity& identity = m_identities[p.patient];
      identity.patientId = m_options.patientId.empty() ? m_key.pseudonym(p.patient) : m_options.patientId;
      identity.shiftDays = m_options.shiftDays ? *m_options.shiftDays : m_key.shiftDays(p.patient);
      const fs::path folder = out / identity.patientId / m_key.shortName(p.studyUid) /
                              fmt::format("{:03}-{}", p.seriesNumber, m_key.shortName(p.seriesUid));
      const std::string name = m_key.uid(p.sopInstanceUid);
      const int number = ++taken[folder / name];
      p.target = folder / (number == 1 ? name + ".dcm" : fmt::format("{}-{}.dcm", name, number));
      studies.insert(p.studyUid);
      series.insert(p.seriesUid);
    }
    if (m_identities.size() > 1 && !m_options.patientId.empty()) {
      return makeError(ErrorCode::wrongUse,
                       "--patient-id would make one patient of {}: name the folder of one patient, or leave it out",
                       m_identities.size());
    }
    report.patients = static_cast<int>(m_identities.size());
    report.studies = static_cast<int>(studies.size());
    report.series = static_cast<int>(series.size());
    return {};
  }

  /// Only a disk that takes no more stops it: a file that cannot be read is left out like others before.
  Expected<void> write(const job::Context& context) {
    std::vector<std::optional<Error>> errors(m_files.size());
    forEachFile(m_files.size(), context, m_stop, "de-identifying", [&](size_t i) {
      if (m_plans[i].leftOut) return;
      const auto written =
          deidentifyFile(m_files[i], m_plans[i], m_options, m_key, m_identities.at(m_plans[i].patient));
      if (written) return;
      errors[i] = written.error();
      if (written.error().code == ErrorCode::resource) m_stop = true;
    });
    for (size_t i = 0; i < errors.size(); ++i) {
      if (!errors[i]) continue;
      if (errors[i]->code == ErrorCode::resource) return tl::make_unexpected(*errors[i]);
      m_plans[i].leftOut = LeftOutFile{m_files[i], LeftOutBecause::damaged, errors[i]->message};
    }
    return {};
  }

  void conclude(DeidentifyReport& report) const {
    for (size_t i = 0; i < m_plans.size(); ++i) {
      if (m_plans[i].leftOut) {
        report.leftOut.push_back(*m_plans[i].leftOut);
        continue;
      }
      ++report.written;
      if (m_plans[i].mayBeBurnedIn) report.mayBeBurnedIn.push_back(m_files[i]);
    }
  }

 private:
  const std::vector<fs::path> m_files;
  const DeidentifyOptions& m_options;
  const PseudonymKey& m_key;
  std::vector<Plan> m_plans;                        // one for each file
  std::map<std::string, NewIdentity> m_identities;  // by original patient
  std::atomic<bool> m_stop = false;
};

}  // namespace

int DeidentifyReport::count(LeftOutBecause because) const {
  return static_cast<int>(
      std::count_if(leftOut.begin(), leftOut.end(), [&](const LeftOutFile& f) { return f.because == because; }));
}

Expected<DeidentifyReport> deidentifyFiles(const fs::path& in, const fs::path& out, const DeidentifyOptions& options,
                                           const PseudonymKey& key, job::Context& context) {
  prepareLibrary();
  if (auto fine = checkFolders(in, out); !fine) return passError(fine);
  DeidentifyReport report;
  std::vector<fs::path> files{in};
  if (std::error_code error; fs::is_directory(in, error)) {
    FolderListing listing = listFiles(in, true, context);
    files = std::move(listing.files);
    report.unreadableFolders = listing.unreadableFolders;
  }
  Run run(std::move(files), options, key);
  run.plan(context.part(0, 0.2));
  const auto stopped = [&] {
    return makeError(ErrorCode::cancelled, "{}: stopped; the files written so far are complete", out.string());
  };
  if (context.cancelled()) return stopped();
  if (auto placed = run.place(out, report); !placed) return passError(placed);
  if (auto written = run.write(context.part(0.2, 1)); !written) return passError(written);
  if (context.cancelled()) return stopped();
  run.conclude(report);
  return report;
}

}  // namespace lynceus::io::dicom
