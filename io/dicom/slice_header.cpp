// The header side of slice.h.
#include <algorithm>
#include <cmath>
#include <system_error>

#include <dcmtk/config/osconfig.h>

#include <dcmtk/dcmdata/dcistrmf.h>
#include <dcmtk/dcmdata/dcspchrs.h>
#include <dcmtk/dcmdata/dctk.h>

#include "io/dicom/library.h"
#include "io/dicom/slice.h"

namespace lynceus::io::dicom {
namespace {

namespace fs = std::filesystem;

constexpr int kMaxTextBytes = 1024;         // of what we show
constexpr Uint32 kMaxValueBytes = 1 << 16;  // of any attribute but the pixels

// Well-formed UTF-8 passes; of anything else the ASCII part stays.
std::string cleanText(std::string text) {
  if (text.size() > kMaxTextBytes) text.resize(kMaxTextBytes);
  const bool utf8 = [&] {
    for (size_t i = 0; i < text.size();) {
      const auto c = static_cast<unsigned char>(text[i]);
      const size_t more = c < 0x80                ? 0
                          : c >= 0xC2 && c < 0xE0 ? 1
                          : c >= 0xE0 && c < 0xF0 ? 2
                          : c >= 0xF0 && c < 0xF5 ? 3
                                                  : 9;
      if (more == 9 || i + more >= text.size()) return false;
      for (size_t k = 1; k <= more; ++k) {
        if ((static_cast<unsigned char>(text[i + k]) & 0xC0) != 0x80) return false;
      }
      i += more + 1;
    }
    return true;
  }();
  for (char& c : text) {
    const auto u = static_cast<unsigned char>(c);
    if (u < 0x20 || u == 0x7F || (!utf8 && u >= 0x80)) c = u < 0x20 ? ' ' : '?';
  }
  const auto last = text.find_last_not_of(' ');
  text.erase(last == std::string::npos ? 0 : last + 1);
  text.erase(0, std::min(text.find_first_not_of(' '), text.size()));
  return text;
}

// Typed access to one data set; absent and malformed values look alike: nothing.
class Attributes {
 public:
  explicit Attributes(DcmItem& item) : m_item(item) {
    // Where this fails, cleanText keeps the ASCII part.
    if (present(DCM_SpecificCharacterSet)) m_convert = m_charset.selectCharacterSet(m_item).good();
  }

  std::string text(const DcmTagKey& tag) const {
    OFString value;
    if (!present(tag) || m_item.findAndGetOFStringArray(tag, value).bad()) return "";
    return cleanText(toUtf8(value, tag == DCM_PatientName ? "\\^=" : "\\"));
  }
  std::string first(const DcmTagKey& tag, unsigned long index) const {
    OFString value;
    if (!present(tag) || m_item.findAndGetOFString(tag, value, index).bad()) return "";
    return cleanText({value.c_str(), value.size()});
  }
  std::optional<double> number(const DcmTagKey& tag, unsigned long index = 0) const {
    Float64 value = 0;
    if (!present(tag) || m_item.findAndGetFloat64(tag, value, index).bad() || !std::isfinite(value)) return {};
    return value;
  }
  int integer(const DcmTagKey& tag) const {
    Sint32 value = 0;
    return present(tag) && m_item.findAndGetSint32(tag, value).good() ? value : 0;
  }
  int unsignedShort(const DcmTagKey& tag, int absent = 0) const {
    Uint16 value = 0;
    return present(tag) && m_item.findAndGetUint16(tag, value).good() ? value : absent;
  }
  std::optional<image::Vec3> vector(const DcmTagKey& tag, unsigned long from = 0) const {
    const auto x = number(tag, from), y = number(tag, from + 1), z = number(tag, from + 2);
    if (!x || !y || !z) return {};
    return image::Vec3{*x, *y, *z};
  }

  // Long values stay in the file until they are asked for, and a damaged length may claim gigabytes: do not ask.
  bool present(const DcmTagKey& tag) const {
    DcmElement* element = nullptr;
    return m_item.findAndGetElement(tag, element).good() && element && element->getLengthField() > 0 &&
           element->getLengthField() <= kMaxValueBytes;
  }

 private:
  std::string toUtf8(const OFString& value, const char* delimiters) const {
    OFString utf8;
    const bool done = m_convert && m_charset.convertString(value, utf8, delimiters).good();
    const OFString& text = done ? utf8 : value;
    return {text.c_str(), text.size()};
  }

  DcmItem& m_item;
  mutable DcmSpecificCharacterSet m_charset;  // converting changes its buffers only
  bool m_convert = false;
};

SeriesIdentity readIdentity(const Attributes& a) {
  SeriesIdentity s;
  s.patientId = a.text(DCM_PatientID);
  s.patientName = a.text(DCM_PatientName);
  s.patientBirthDate = a.text(DCM_PatientBirthDate);
  s.patientSex = a.text(DCM_PatientSex);
  s.studyUid = a.text(DCM_StudyInstanceUID);
  s.studyDate = a.text(DCM_StudyDate);
  s.studyTime = a.text(DCM_StudyTime);
  s.studyDescription = a.text(DCM_StudyDescription);
  s.studyId = a.text(DCM_StudyID);
  s.accessionNumber = a.text(DCM_AccessionNumber);
  s.seriesUid = a.text(DCM_SeriesInstanceUID);
  s.seriesDescription = a.text(DCM_SeriesDescription);
  s.seriesDate = a.text(DCM_SeriesDate);
  s.frameOfReferenceUid = a.text(DCM_FrameOfReferenceUID);
  s.modality = a.text(DCM_Modality);
  s.bodyPart = a.text(DCM_BodyPartExamined);
  s.kernel = a.text(DCM_ConvolutionKernel);
  s.contrast = a.text(DCM_ContrastBolusAgent);
  s.manufacturer = a.text(DCM_Manufacturer);
  s.manufacturerModel = a.text(DCM_ManufacturerModelName);
  s.seriesNumber = a.integer(DCM_SeriesNumber);
  s.sliceThicknessMm = a.number(DCM_SliceThickness);
  s.kvp = a.number(DCM_KVP);
  return s;
}

Instance readInstance(const Attributes& a) {
  Instance i;
  i.sopInstanceUid = a.text(DCM_SOPInstanceUID);
  i.instanceNumber = a.integer(DCM_InstanceNumber);
  i.rows = a.unsignedShort(DCM_Rows);
  i.columns = a.unsignedShort(DCM_Columns);
  i.rescaleSlope = a.number(DCM_RescaleSlope).value_or(1);
  i.rescaleIntercept = a.number(DCM_RescaleIntercept).value_or(0);
  i.gantryTiltDegrees = a.number(DCM_GantryDetectorTilt);
  i.plane.positionMm = a.vector(DCM_ImagePositionPatient);
  i.plane.rowDirection = a.vector(DCM_ImageOrientationPatient);
  i.plane.columnDirection = a.vector(DCM_ImageOrientationPatient, 3);
  i.plane.pixelSpacingYMm = a.number(DCM_PixelSpacing).value_or(0);
  i.plane.pixelSpacingXMm = a.number(DCM_PixelSpacing, 1).value_or(0);
  i.plane.rows = i.rows;
  i.plane.columns = i.columns;
  i.plane.instanceNumber = i.instanceNumber;
  i.plane.localizer = a.first(DCM_ImageType, 2) == "LOCALIZER";
  i.positionMm = i.plane.positionMm.value_or(image::Point3{});
  return i;
}

// What a person calls an object that is not a CT slice.
std::string objectName(const std::string& sopClass, const std::string& modality) {
  if (sopClass == UID_MediaStorageDirectoryStorage) return "DICOMDIR";
  if (sopClass == UID_EnhancedCTImageStorage || sopClass == UID_LegacyConvertedEnhancedCTImageStorage) {
    return "enhanced (multi-frame) CT image";
  }
  const char* keyword = dcmFindNameOfUID(sopClass.c_str());
  if (!modality.empty() && keyword && (std::string_view(keyword).find("Image") != std::string_view::npos)) {
    return modality + (sopClass == UID_SecondaryCaptureImageStorage ? " secondary capture" : " image");
  }
  return keyword ? keyword : modality.empty() ? "object of unknown kind" : modality + " object";
}

std::string sentence(const OFCondition& condition) { return condition.text(); }

// A slice whose file ends before its pixels do. Compressed pixels say their length only when they are decoded.
std::string findCutOff(const Attributes& a, const Instance& i, const DcmXfer& xfer, offile_off_t headerEnd,
                       std::uintmax_t fileSize) {
  if (xfer.isEncapsulated() && headerEnd < static_cast<offile_off_t>(fileSize)) return "";
  if (xfer.getXfer() == EXS_DeflatedLittleEndianExplicit) return "";
  const auto needed = static_cast<std::uintmax_t>(i.rows) * static_cast<std::uintmax_t>(i.columns) *
                      static_cast<std::uintmax_t>(a.unsignedShort(DCM_BitsAllocated, 16) / 8);
  const auto start = static_cast<std::uintmax_t>(std::max<offile_off_t>(headerEnd, 0));
  const std::uintmax_t found = fileSize > start ? fileSize - start : 0;
  if (found >= needed) return "";
  return fmt::format(
      "{}: the file is cut off: its pixels need {} bytes and {} are there; copy it again from the source",
      i.path.string(), needed, found);
}

}  // namespace

Expected<std::variant<SliceHeader, OtherObject, NotDicom>> readSliceHeader(const fs::path& file) {
  using Result = std::variant<SliceHeader, OtherObject, NotDicom>;
  prepareLibrary();
  std::error_code sizeError;
  const std::uintmax_t fileSize = fs::file_size(file, sizeError);
  DcmInputFileStream stream(OFFilename(file.c_str()));
  if (sizeError || stream.status().bad()) {
    return makeError(ErrorCode::badInput, "{}: the file cannot be read: {}", file.string(),
                     sizeError ? sizeError.message() : sentence(stream.status()));
  }
  DcmFileFormat format;
  format.transferInit();
  const OFCondition read =
      format.readUntilTag(stream, EXS_Unknown, EGL_noChange, DCM_MaxReadLength, DcmTagKey(0x7FE0, 0x0000));
  format.transferEnd();
  DcmDataset& dataset = *format.getDataset();
  const Attributes a(dataset);
  const bool headless = format.getMetaInfo()->isEmpty();
  if (headless && a.text(DCM_SOPClassUID).empty() && a.text(DCM_Modality).empty()) return Result{NotDicom{}};
  if (read.bad()) {
    return makeError(ErrorCode::badInput, "{}: the header is damaged ({}); copy the file again from the source",
                     file.string(), sentence(read));
  }
  const Attributes meta(*format.getMetaInfo());
  std::string sopClass = a.text(DCM_SOPClassUID);
  if (sopClass.empty()) sopClass = meta.text(DCM_MediaStorageSOPClassUID);
  const std::string modality = a.text(DCM_Modality);
  // Some anonymisers empty the SOP class; then the modality decides.
  if (sopClass != UID_CTImageStorage && !(sopClass.empty() && modality == "CT")) {
    return Result{OtherObject{objectName(sopClass, modality)}};
  }
  const DcmXfer xfer(dataset.getOriginalXfer());
  if (!a.present(DCM_Rows) || !a.present(DCM_Columns)) {
    return makeError(ErrorCode::badInput,
                     "{}: Rows or Columns (0028,0010) is absent: the file is cut off or damaged; copy "
                     "it again from the source",
                     file.string());
  }
  SliceHeader header;
  header.identity = readIdentity(a);
  header.instance = readInstance(a);
  header.instance.path = file;
  header.instance.transferSyntaxUid = xfer.getXferID();
  header.instance.damage = findCutOff(a, header.instance, xfer, stream.tell(), fileSize);
  return Result{std::move(header)};
}

}  // namespace lynceus::io::dicom
