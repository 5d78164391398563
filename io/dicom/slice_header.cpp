// The header side of slice.h.
#include <algorithm>
#include <cmath>

#include <dcmtk/config/osconfig.h>

#include <dcmtk/dcmdata/dcdeftag.h>
#include <dcmtk/dcmdata/dctagkey.h>
#include <dcmtk/dcmdata/dcuid.h>

#include "io/dicom/dataset.h"
#include "io/dicom/fragments.h"
#include "io/dicom/library.h"
#include "io/dicom/slice.h"
#include "io/dicom/text.h"

namespace lynceus::io::dicom {
namespace {

constexpr int kMaxFrames = 20'000;

uint32_t tagOf(const DcmTagKey& key) { return uint32_t{key.getGroup()} << 16 | key.getElement(); }

// Values of one item and, where that has none, of the items that it inherits from: the frame, then what all frames
// share.
class Attributes {
 public:
  Attributes(const DataSet& set, std::vector<int> items) : m_set(set), m_items(std::move(items)) {}
  explicit Attributes(const DataSet& set) : m_set(set), m_items{DataSet::kRoot} {}

  /// The first item of a sequence: a functional group macro.
  Attributes macro(const DcmTagKey& sequence) const {
    std::vector<int> items;
    for (const int item : m_items) {
      const int found = m_set.item(tagOf(sequence), item);
      if (found != DataSet::kNoItem) items.push_back(found);
    }
    return {m_set, std::move(items)};
  }
  std::string text(const DcmTagKey& key) const { return m_set.text(tagOf(key), holder(key)); }
  std::string part(const DcmTagKey& key, size_t index) const { return m_set.part(tagOf(key), index, holder(key)); }
  std::optional<double> number(const DcmTagKey& key, size_t index = 0) const {
    return m_set.number(tagOf(key), index, holder(key));
  }
  int integer(const DcmTagKey& key, int absent = 0) const {
    return m_set.integer(tagOf(key), 0, holder(key)).value_or(absent);
  }
  std::optional<image::Vec3> vector(const DcmTagKey& key, size_t from = 0) const {
    const auto x = number(key, from), y = number(key, from + 1), z = number(key, from + 2);
    if (!x || !y || !z) return {};
    return image::Vec3{*x, *y, *z};
  }

 private:
  int holder(const DcmTagKey& key) const {
    for (const int item : m_items) {
      if (item != DataSet::kNoItem && m_set.find(tagOf(key), item)) return item;
    }
    return DataSet::kNoItem;
  }

  const DataSet& m_set;
  std::vector<int> m_items;
};

SeriesIdentity readIdentity(const DataSet& set) {
  const Attributes a(set);
  const CharacterSet characters(a.text(DCM_SpecificCharacterSet));
  SeriesIdentity s;
  const auto text = [&](const DcmTagKey& key, bool personName = false) {
    auto converted = characters.toUtf8(a.text(key), personName);
    s.textGuessed |= converted.guessed;
    return std::move(converted.utf8);
  };
  s.patientId = text(DCM_PatientID);
  s.patientName = text(DCM_PatientName, true);
  s.patientBirthDate = text(DCM_PatientBirthDate);
  s.patientSex = text(DCM_PatientSex);
  s.studyUid = text(DCM_StudyInstanceUID);
  s.studyDate = text(DCM_StudyDate);
  s.studyTime = text(DCM_StudyTime);
  s.studyDescription = text(DCM_StudyDescription);
  s.studyId = text(DCM_StudyID);
  s.accessionNumber = text(DCM_AccessionNumber);
  s.seriesUid = text(DCM_SeriesInstanceUID);
  s.seriesDescription = text(DCM_SeriesDescription);
  s.seriesDate = text(DCM_SeriesDate);
  s.frameOfReferenceUid = text(DCM_FrameOfReferenceUID);
  s.modality = text(DCM_Modality);
  s.bodyPart = text(DCM_BodyPartExamined);
  s.kernel = text(DCM_ConvolutionKernel);
  s.contrast = text(DCM_ContrastBolusAgent);
  s.manufacturer = text(DCM_Manufacturer);
  s.manufacturerModel = text(DCM_ManufacturerModelName);
  s.seriesNumber = a.integer(DCM_SeriesNumber);
  s.sliceThicknessMm = a.number(DCM_SliceThickness);
  s.kvp = a.number(DCM_KVP);
  return s;
}

// Padding is US or SS, and files get it wrong: only the bits count.
int paddingValue(int value, bool isSigned) {
  const auto bits = static_cast<uint16_t>(value);
  return isSigned ? static_cast<int16_t>(bits) : static_cast<int>(bits);
}

PixelLayout readLayout(const DataSet& set) {
  const Attributes a(set);
  PixelLayout p;
  p.bitsAllocated = a.integer(DCM_BitsAllocated);
  p.bitsStored = a.integer(DCM_BitsStored);
  p.highBit = a.integer(DCM_HighBit, p.bitsStored - 1);
  p.samplesPerPixel = a.integer(DCM_SamplesPerPixel, 1);
  p.isSigned = a.integer(DCM_PixelRepresentation) == 1;
  p.bigEndian = set.bigEndian();
  if (a.number(DCM_PixelPaddingValue)) {
    const int low = a.integer(DCM_PixelPaddingValue);
    const int first = paddingValue(low, p.isSigned);
    const int second = paddingValue(a.integer(DCM_PixelPaddingRangeLimit, low), p.isSigned);
    p.paddingLow = std::min(first, second);
    p.paddingHigh = std::max(first, second);
  }
  if (set.transferSyntaxUid() == UID_DeflatedExplicitVRLittleEndianTransferSyntax) p.deflatedFrom = set.dataSetOffset();
  p.offset = set.pixelData()->offset;
  p.compressed = set.pixelData()->length == kUndefinedLength;
  return p;
}

// What all frames of a file share; for an ordinary slice, everything.
Instance readInstance(const DataSet& set) {
  const Attributes a(set);
  Instance i;
  i.transferSyntaxUid = set.transferSyntaxUid();
  i.sopInstanceUid = a.text(DCM_SOPInstanceUID);
  i.instanceNumber = a.integer(DCM_InstanceNumber);
  i.rows = a.integer(DCM_Rows);
  i.columns = a.integer(DCM_Columns);
  i.rescaleSlope = a.number(DCM_RescaleSlope);
  i.rescaleIntercept = a.number(DCM_RescaleIntercept);
  i.rescaleType = a.text(DCM_RescaleType);
  i.gantryTiltDegrees = a.number(DCM_GantryDetectorTilt);
  i.plane.positionMm = a.vector(DCM_ImagePositionPatient);
  i.plane.rowDirection = a.vector(DCM_ImageOrientationPatient);
  i.plane.columnDirection = a.vector(DCM_ImageOrientationPatient, 3);
  i.plane.pixelSpacingYMm = a.number(DCM_PixelSpacing).value_or(0);
  i.plane.pixelSpacingXMm = a.number(DCM_PixelSpacing, 1).value_or(0);
  i.plane.localizer = a.part(DCM_ImageType, 2) == "LOCALIZER";
  i.pixels = readLayout(set);
  const auto key = [&](StackKey k) -> std::string& { return i.stackKeys[static_cast<size_t>(k)]; };
  key(StackKey::sopClass) = a.text(DCM_SOPClassUID);
  key(StackKey::imageType) = a.text(DCM_ImageType);
  key(StackKey::kernel) = a.text(DCM_ConvolutionKernel);
  key(StackKey::acquisitionNumber) = a.text(DCM_AcquisitionNumber);
  key(StackKey::contrast) = a.text(DCM_ContrastBolusAgent);
  key(StackKey::temporalPosition) = a.text(DCM_TemporalPositionIdentifier);
  key(StackKey::cardiacPhase) = a.text(DCM_TriggerTime);
  key(StackKey::acquisitionTime) = a.text(DCM_AcquisitionDateTime);
  if (key(StackKey::acquisitionTime).empty()) key(StackKey::acquisitionTime) = a.text(DCM_AcquisitionTime);
  key(StackKey::frameOfReference) = a.text(DCM_FrameOfReferenceUID);
  return i;
}

void finishPlane(Instance& i) {
  i.plane.rows = i.rows;
  i.plane.columns = i.columns;
  i.plane.instanceNumber = i.instanceNumber;
  i.plane.frameOfReferenceUid = i.stackKeys[static_cast<size_t>(StackKey::frameOfReference)];
  i.positionMm = i.plane.positionMm.value_or(image::Point3{});
}

std::string numberText(std::optional<double> value) { return value ? fmt::format("{:g}", *value) : ""; }

// The functional groups of one frame of an enhanced CT image (PS3.3 section A.38).
void readFrame(const Attributes& a, int frame, Instance& i) {
  i.frame = frame;
  i.instanceNumber = frame + 1;
  i.plane.positionMm = a.macro(DCM_PlanePositionSequence).vector(DCM_ImagePositionPatient);
  const Attributes orientation = a.macro(DCM_PlaneOrientationSequence);
  i.plane.rowDirection = orientation.vector(DCM_ImageOrientationPatient);
  i.plane.columnDirection = orientation.vector(DCM_ImageOrientationPatient, 3);
  const Attributes measures = a.macro(DCM_PixelMeasuresSequence);
  i.plane.pixelSpacingYMm = measures.number(DCM_PixelSpacing).value_or(0);
  i.plane.pixelSpacingXMm = measures.number(DCM_PixelSpacing, 1).value_or(0);
  const Attributes transform = a.macro(DCM_PixelValueTransformationSequence);
  i.rescaleSlope = transform.number(DCM_RescaleSlope);
  i.rescaleIntercept = transform.number(DCM_RescaleIntercept);
  i.rescaleType = transform.text(DCM_RescaleType);
  i.gantryTiltDegrees = a.macro(DCM_CTGeometrySequence).number(DCM_GantryDetectorTilt);
  const Attributes type = a.macro(DCM_CTImageFrameTypeSequence);
  i.plane.localizer |= type.part(DCM_FrameType, 2) == "LOCALIZER";
  const Attributes content = a.macro(DCM_FrameContentSequence), phase = a.macro(DCM_CardiacSynchronizationSequence);
  const auto key = [&](StackKey k) -> std::string& { return i.stackKeys[static_cast<size_t>(k)]; };
  key(StackKey::imageType) = type.text(DCM_FrameType);
  key(StackKey::kernel) = a.macro(DCM_CTReconstructionSequence).text(DCM_ConvolutionKernel);
  key(StackKey::acquisitionNumber) = numberText(content.number(DCM_FrameAcquisitionNumber));
  key(StackKey::temporalPosition) = numberText(content.number(DCM_TemporalPositionIndex));
  key(StackKey::cardiacPhase) = numberText(phase.number(DCM_NominalPercentageOfCardiacPhase));
  key(StackKey::acquisitionTime) = content.text(DCM_FrameAcquisitionDateTime);
}

// What a person calls an object that is not a CT image.
std::string objectName(const std::string& sopClass, const std::string& modality) {
  if (sopClass == UID_MediaStorageDirectoryStorage) return "DICOMDIR";
  const char* keyword = dcmFindNameOfUID(sopClass.c_str());
  if (!modality.empty() && keyword && (std::string_view(keyword).find("Image") != std::string_view::npos)) {
    return modality + (sopClass == UID_SecondaryCaptureImageStorage ? " secondary capture" : " image");
  }
  return keyword ? keyword : modality.empty() ? "object of unknown kind" : modality + " object";
}

bool isEnhanced(const std::string& sopClass) {
  return sopClass == UID_EnhancedCTImageStorage || sopClass == UID_LegacyConvertedEnhancedCTImageStorage;
}

// Uncompressed frames follow each other; what the file lacks of them is said here, for the pixels are read much later.
void placeFrames(const DataSet& set, const ByteReader& file, std::vector<Instance>& instances) {
  const Instance& first = instances.front();
  const auto bits = static_cast<uint64_t>(first.pixels.bitsAllocated > 0 ? first.pixels.bitsAllocated : 16);
  const uint64_t frameBytes = static_cast<uint64_t>(first.rows) * static_cast<uint64_t>(first.columns) * (bits / 8) *
                              static_cast<uint64_t>(std::max(1, first.pixels.samplesPerPixel));
  const uint64_t start = set.pixelData()->offset;
  const bool sizeKnown = first.pixels.deflatedFrom == 0;
  const uint64_t found =
      sizeKnown && file.size() > start ? std::min<uint64_t>(file.size() - start, set.pixelData()->length) : 0;
  for (Instance& i : instances) {
    i.pixels.offset = start + static_cast<uint64_t>(i.frame) * frameBytes;
    i.pixels.length = frameBytes;
    const uint64_t needed = frameBytes * static_cast<uint64_t>(i.frame + 1);
    if (!sizeKnown || found >= needed) continue;
    i.damage =
        fmt::format("{}: the file is cut off: its pixels need {} bytes and {} are there; copy it again from the source",
                    file.name(), frameBytes * static_cast<uint64_t>(i.frames), found);
  }
}

Expected<std::vector<Instance>> readFrames(const DataSet& set, ByteReader& file, Instance common) {
  const int frames = Attributes(set).integer(DCM_NumberOfFrames, 1);
  const std::vector<int> groups = set.items(tagOf(DCM_PerFrameFunctionalGroupsSequence));
  if (frames < 1 || static_cast<size_t>(frames) != groups.size()) {
    return makeError(ErrorCode::badInput,
                     "{}: Number of Frames (0028,0008) is {} and {} frames are described; export the study again",
                     file.name(), frames, groups.size());
  }
  if (frames > kMaxFrames) {
    return makeError(ErrorCode::unsupported, "{}: the image has {} frames, more than the {} that can be read",
                     file.name(), frames, kMaxFrames);
  }
  common.frames = frames;
  std::vector<Instance> instances(groups.size(), common);
  const int shared = set.item(tagOf(DCM_SharedFunctionalGroupsSequence));
  for (int f = 0; f < frames; ++f) {
    Instance& instance = instances[static_cast<size_t>(f)];
    readFrame(Attributes(set, {groups[static_cast<size_t>(f)], shared}), f, instance);
    finishPlane(instance);
  }
  if (!common.pixels.compressed) return instances;
  auto fragments = fragmentsOfFrames(file, set.pixelData()->offset, groups.size());
  if (!fragments) return passError(fragments);
  for (size_t f = 0; f < groups.size(); ++f) instances[f].pixels.fragments = std::move((*fragments)[f]);
  return instances;
}

Expected<void> checkImage(const DataSet& set, const Instance& i, bool enhanced, const std::string& file) {
  if (i.rows <= 0 || i.columns <= 0) {
    return makeError(
        ErrorCode::badInput,
        "{}: Rows or Columns (0028,0010) is absent: the file is cut off or damaged; copy it again from the "
        "source",
        file);
  }
  if (!Attributes(set).number(DCM_PixelRepresentation)) {
    return makeError(
        ErrorCode::badInput,
        "{}: Pixel Representation (0028,0103) is absent, so nobody knows which values are negative; export "
        "the study again",
        file);
  }
  const int frames = Attributes(set).integer(DCM_NumberOfFrames, 1);
  if (!enhanced && frames != 1) {
    return makeError(
        ErrorCode::unsupported,
        "{}: the image has {} frames, which only an enhanced CT image may have; export it as single slices", file,
        frames);
  }
  return {};
}

}  // namespace

Expected<std::variant<SliceHeaders, OtherObject, NotDicom>> readSliceHeaders(const Location& location) {
  using Result = std::variant<SliceHeaders, OtherObject, NotDicom>;
  prepareLibrary();
  auto file = ByteReader::open(location);
  if (!file) return passError(file);
  const auto parsed = DataSet::read(*file);
  if (!parsed) return passError(parsed);
  if (!*parsed) return Result{NotDicom{}};
  const DataSet& set = **parsed;
  std::string sopClass = set.text(tagOf(DCM_SOPClassUID));
  if (sopClass.empty()) sopClass = set.mediaStorageSopClassUid();
  const std::string modality = set.text(tagOf(DCM_Modality));
  const bool enhanced = isEnhanced(sopClass);
  // Some anonymisers empty the SOP class; then the modality decides.
  if (sopClass != UID_CTImageStorage && !enhanced && !(sopClass.empty() && modality == "CT")) {
    return Result{OtherObject{objectName(sopClass, modality)}};
  }
  if (!set.pixelData()) {
    return makeError(ErrorCode::badInput,
                     "{}: Pixel Data (7FE0,0010) is absent: the file is cut off; copy it again from "
                     "the source",
                     file->name());
  }
  SliceHeaders headers;
  headers.identity = std::make_shared<const SeriesIdentity>(readIdentity(set));
  Instance common = readInstance(set);
  if (auto fine = checkImage(set, common, enhanced, file->name()); !fine) return passError(fine);
  common.file = location;
  common.fileSize = file->size();
  common.fileTimeNs = file->timeNs();
  if (enhanced) {
    auto frames = readFrames(set, *file, std::move(common));
    if (!frames) return passError(frames);
    headers.instances = std::move(*frames);
  } else {
    finishPlane(common);
    headers.instances.push_back(std::move(common));
  }
  if (!headers.instances.front().pixels.compressed) placeFrames(set, *file, headers.instances);
  return Result{std::move(headers)};
}

}  // namespace lynceus::io::dicom
