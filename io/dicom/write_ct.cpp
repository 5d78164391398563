#include "io/dicom/write_ct.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>
#include <optional>

#include <dcmtk/config/osconfig.h>

#include <dcmtk/dcmdata/dcostrmb.h>
#include <dcmtk/dcmdata/dctk.h>
#include <dcmtk/dcmjpls/djencode.h>
#include <omp.h>

#include "core/atomic_file.h"
#include "core/parallel.h"
#include "core/sha256.h"
#include "io/dicom/library.h"

namespace lynceus::io::dicom {
namespace {

namespace fs = std::filesystem;
using image::Vec3;

void prepareEncoder() {
  static std::once_flag once;
  std::call_once(once, [] { DJLSEncoderRegistration::registerCodecs(); });
}

/// Decimal string: at most 16 characters.
std::string decimal(double value) { return fmt::format("{:.10g}", value == 0 ? 0.0 : value); }
std::string decimals(const Vec3& v) { return fmt::format("{}\\{}\\{}", decimal(v.x), decimal(v.y), decimal(v.z)); }

// How HU are stored: twelve bits where they fit, as scanners do.
struct Storage {
  bool isSigned = false;
  int bits = 12;
  int intercept = -1024;
};

Storage storageFor(const image::Volume& volume) {
  const auto [low, high] = std::minmax_element(volume.hu().begin(), volume.hu().end());
  if (*low >= -1024 && *high <= 3071) return {};
  return {true, 16, 0};
}

struct Uids {
  std::string study, series, frame;
};

class SliceWriter {
 public:
  SliceWriter(const image::Volume& volume, const CtDescription& description, const Uids& uids)
      : m_volume(volume), m_d(description), m_uids(uids), m_storage(storageFor(volume)) {}

  Expected<void> write(int z, const fs::path& path) const {
    DcmFileFormat file;
    DcmDataset& set = *file.getDataset();
    putIdentity(set, z);
    putAcquisition(set);
    putPlane(set, z);
    putPixels(set, z);
    const E_TransferSyntax syntax = m_d.jpegLs ? EXS_JPEGLSLossless : EXS_LittleEndianExplicit;
    if (set.chooseRepresentation(syntax, nullptr).bad()) {
      return makeError(ErrorCode::internal, "slice {} could not be compressed with JPEG-LS", z + 1);
    }
    return save(file, syntax, path);
  }

 private:
  static void put(DcmDataset& set, const DcmTagKey& tag, const std::string& value) {
    set.putAndInsertOFStringArray(tag, OFString(value.c_str(), value.size()));
  }

  void putIdentity(DcmDataset& set, int z) const {
    put(set, DCM_SpecificCharacterSet, "ISO_IR 192");
    put(set, DCM_ImageType, "ORIGINAL\\PRIMARY\\AXIAL");
    put(set, DCM_SOPClassUID, UID_CTImageStorage);
    put(set, DCM_SOPInstanceUID, uidOf(fmt::format("{} instance {}", m_d.identity, z)));
    for (const DcmTagKey& tag : {DCM_StudyDate, DCM_SeriesDate, DCM_AcquisitionDate, DCM_ContentDate}) {
      put(set, tag, m_d.studyDate);
    }
    for (const DcmTagKey& tag : {DCM_StudyTime, DCM_SeriesTime, DCM_AcquisitionTime, DCM_ContentTime}) {
      put(set, tag, m_d.studyTime);
    }
    put(set, DCM_AccessionNumber, "");
    put(set, DCM_Modality, "CT");
    put(set, DCM_Manufacturer, m_d.manufacturer);
    put(set, DCM_ManufacturerModelName, m_d.modelName);
    put(set, DCM_SoftwareVersions, m_d.softwareVersion);
    put(set, DCM_ReferringPhysicianName, "");
    put(set, DCM_StudyDescription, m_d.studyDescription);
    put(set, DCM_SeriesDescription, m_d.seriesDescription);
    put(set, DCM_PatientName, m_d.patientName);
    put(set, DCM_PatientID, m_d.patientId);
    put(set, DCM_PatientBirthDate, m_d.patientBirthDate);
    put(set, DCM_PatientSex, m_d.patientSex);
    if (!m_d.patientComments.empty()) put(set, DCM_PatientComments, m_d.patientComments);
    put(set, DCM_StudyInstanceUID, m_uids.study);
    put(set, DCM_SeriesInstanceUID, m_uids.series);
    put(set, DCM_StudyID, "1");
    put(set, DCM_SeriesNumber, "1");
    put(set, DCM_AcquisitionNumber, "1");
    put(set, DCM_InstanceNumber, std::to_string(z + 1));
  }

  void putAcquisition(DcmDataset& set) const {
    const image::Geometry& g = m_volume.geometry();
    put(set, DCM_BodyPartExamined, m_d.bodyPart);
    if (!m_d.contrastAgent.empty()) put(set, DCM_ContrastBolusAgent, m_d.contrastAgent);
    put(set, DCM_SliceThickness, decimal(m_d.sliceThicknessMm > 0 ? m_d.sliceThicknessMm : g.spacingMm.z));
    put(set, DCM_KVP, decimal(m_d.kvp));
    put(set, DCM_SpacingBetweenSlices, decimal(g.spacingMm.z));
    put(set, DCM_ReconstructionDiameter, decimal(g.size.x * g.spacingMm.x));
    put(set, DCM_GantryDetectorTilt, "0");
    put(set, DCM_ConvolutionKernel, m_d.convolutionKernel);
    put(set, DCM_PatientPosition, "HFS");
  }

  void putPlane(DcmDataset& set, int z) const {
    const image::Geometry& g = m_volume.geometry();
    put(set, DCM_ImagePositionPatient, decimals(g.toPatient({0, 0, double(z)})));
    put(set, DCM_ImageOrientationPatient, decimals(g.direction[0]) + "\\" + decimals(g.direction[1]));
    put(set, DCM_FrameOfReferenceUID, m_uids.frame);
    put(set, DCM_PositionReferenceIndicator, "");
    put(set, DCM_SliceLocation, decimal(dot(g.direction[2], g.toPatient({0, 0, double(z)}))));
    set.putAndInsertUint16(DCM_SamplesPerPixel, 1);
    put(set, DCM_PhotometricInterpretation, "MONOCHROME2");
    set.putAndInsertUint16(DCM_Rows, static_cast<Uint16>(g.size.y));
    set.putAndInsertUint16(DCM_Columns, static_cast<Uint16>(g.size.x));
    put(set, DCM_PixelSpacing, decimal(g.spacingMm.y) + "\\" + decimal(g.spacingMm.x));
    set.putAndInsertUint16(DCM_BitsAllocated, 16);
    set.putAndInsertUint16(DCM_BitsStored, static_cast<Uint16>(m_storage.bits));
    set.putAndInsertUint16(DCM_HighBit, static_cast<Uint16>(m_storage.bits - 1));
    set.putAndInsertUint16(DCM_PixelRepresentation, m_storage.isSigned ? 1 : 0);
    put(set, DCM_WindowCenter, "-600\\40");
    put(set, DCM_WindowWidth, "1500\\400");
    put(set, DCM_RescaleIntercept, std::to_string(m_storage.intercept));
    put(set, DCM_RescaleSlope, "1");
    put(set, DCM_RescaleType, "HU");
  }

  void putPixels(DcmDataset& set, int z) const {
    const image::Geometry& g = m_volume.geometry();
    const size_t count = static_cast<size_t>(g.size.x) * static_cast<size_t>(g.size.y);
    const auto hu = m_volume.hu().subspan(static_cast<size_t>(z) * count, count);
    std::vector<Uint16> pixels(count);
    std::transform(hu.begin(), hu.end(), pixels.begin(),
                   [&](int16_t value) { return static_cast<Uint16>(value - m_storage.intercept); });
    set.putAndInsertUint16Array(DCM_PixelData, pixels.data(), static_cast<unsigned long>(count));
  }

  // In memory first: a stream to disk would not say when its last block found no room.
  static Expected<void> save(DcmFileFormat& file, E_TransferSyntax syntax, const fs::path& path) {
    if (file.validateMetaInfo(syntax).bad())
      return makeError(ErrorCode::internal, "{}: incomplete header", path.string());
    std::vector<char> bytes(file.calcElementLength(syntax, EET_ExplicitLength) + 4096);
    DcmOutputBufferStream stream(bytes.data(), static_cast<offile_off_t>(bytes.size()));
    file.transferInit();
    const OFCondition written = file.write(stream, syntax, EET_ExplicitLength, nullptr);
    file.transferEnd();
    if (written.bad()) return makeError(ErrorCode::internal, "{}: {}", path.string(), written.text());
    void* data = nullptr;
    offile_off_t length = 0;
    stream.flushBuffer(data, length);
    return writeFileAtomically(path, {static_cast<const char*>(data), static_cast<size_t>(length)});
  }

  const image::Volume& m_volume;
  const CtDescription& m_d;
  const Uids& m_uids;
  Storage m_storage;
};

Expected<void> makeFolder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error)
    return makeError(ErrorCode::resource, "{}: the folder cannot be made: {}", folder.string(), error.message());
  return {};
}

}  // namespace

std::string uidOf(const std::string& text) {
  const std::string hash = sha256(text);
  std::array<unsigned, 16> number;
  for (size_t i = 0; i < number.size(); ++i)
    number[i] = static_cast<unsigned>(std::stoul(hash.substr(2 * i, 2), nullptr, 16));
  number[6] = (number[6] & 0x0F) | 0x80;  // version and variant of a name-based UUID (RFC 9562)
  number[8] = (number[8] & 0x3F) | 0x80;
  std::string digits;
  while (std::any_of(number.begin(), number.end(), [](unsigned b) { return b != 0; })) {  // divide by ten
    unsigned rest = 0;
    for (unsigned& byte : number) {
      const unsigned value = rest * 256 + byte;
      byte = value / 10;
      rest = value % 10;
    }
    digits.insert(digits.begin(), static_cast<char>('0' + rest));
  }
  return "2.25." + digits;
}

Expected<WrittenSeries> writeCtSeries(const image::Volume& volume, const CtDescription& description,
                                      const fs::path& folder, job::Context& context) {
  prepareLibrary();
  if (description.jpegLs) prepareEncoder();
  const image::Geometry& g = volume.geometry();
  if (g.size.x > 65535 || g.size.y > 65535) {
    return makeError(ErrorCode::wrongUse, "slices of {} x {} voxels do not fit into DICOM: at most 65535 each way",
                     g.size.x, g.size.y);
  }
  if (auto made = makeFolder(folder); !made) return passError(made);
  const Uids uids{uidOf(description.identity + " study"), uidOf(description.identity + " series"),
                  uidOf(description.identity + " frame of reference")};
  WrittenSeries result{uids.study, uids.series, {}};
  for (int z = 0; z < g.size.z; ++z) result.files.push_back(folder / fmt::format("slice_{:04}.dcm", z + 1));

  const SliceWriter writer(volume, description, uids);
  std::vector<std::optional<Error>> errors(static_cast<size_t>(g.size.z));
  std::atomic<bool> stop = false;
  std::atomic<int> done = 0;
  parallelFor(g.size.z, [&](int64_t z) {
    if (stop || context.cancelled()) return;
    const auto i = static_cast<size_t>(z);
    if (auto written = writer.write(static_cast<int>(z), result.files[i]); !written) {
      errors[i] = written.error();
      stop = true;
    }
    const int finished = ++done;
    if (omp_get_thread_num() == 0) context.progress(double(finished) / g.size.z, "writing DICOM");
  });
  const auto failed = std::find_if(errors.begin(), errors.end(), [](const auto& e) { return e.has_value(); });
  if (failed == errors.end() && !context.cancelled()) return result;
  std::error_code ignored;
  for (const fs::path& file : result.files) fs::remove(file, ignored);
  if (failed != errors.end()) return tl::make_unexpected(**failed);
  return makeError(ErrorCode::cancelled, "{}: writing was stopped; no slice was left behind", folder.string());
}

}  // namespace lynceus::io::dicom
