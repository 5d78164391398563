// Small CT slices as DICOM files, written attribute by attribute so that a test can make each of them wrong.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <dcmtk/config/osconfig.h>

#include <dcmtk/dcmdata/dcpixel.h>
#include <dcmtk/dcmdata/dcpixseq.h>
#include <dcmtk/dcmdata/dcpxitem.h>
#include <dcmtk/dcmdata/dcrleerg.h>
#include <dcmtk/dcmdata/dctk.h>
#include <dcmtk/dcmjpeg/djencode.h>
#include <dcmtk/dcmjpls/djencode.h>
#include <fmt/format.h>

namespace lynceus::test {

/// One slice. Pixels are stored bits, row by row.
struct CtFile {
  int columns = 8, rows = 6;
  std::vector<uint16_t> pixels;  ///< empty: a pattern of `instanceNumber`
  double x = -100, y = -50, z = 0;
  std::string orientation = "1\\0\\0\\0\\1\\0";
  std::string pixelSpacing = "0.5\\0.5";
  int instanceNumber = 1;
  std::string studyUid = "1.2.3", seriesUid = "1.2.3.4";
  std::string description = "CHEST 1mm";
  std::string slope = "1", intercept = "-1024";
  int bitsAllocated = 16, bitsStored = 16, highBit = 15;
  bool isSigned = true;
  std::optional<int> padding;
  E_TransferSyntax syntax = EXS_LittleEndianExplicit;
  std::vector<std::vector<uint8_t>> fragments;  ///< where there are any: the pixels, compressed in `syntax`
  std::function<void(DcmDataset&)> change;      ///< last word on the data set

  uint16_t pixelAt(size_t i) const {
    return pixels.empty() ? static_cast<uint16_t>((i * 7 + static_cast<size_t>(instanceNumber) * 13) % 2000)
                          : pixels[i];
  }
};

inline void registerEncoders() {
  static const bool done = [] {
    DJLSEncoderRegistration::registerCodecs();
    DJEncoderRegistration::registerCodecs();
    DcmRLEEncoderRegistration::registerCodecs();
    return true;
  }();
  static_cast<void>(done);
}

inline void fillCtDataset(DcmDataset& d, const CtFile& f) {
  const auto text = [&](const DcmTag& tag, const std::string& value) { d.putAndInsertString(tag, value.c_str()); };
  const auto number = [&](const DcmTag& tag, int value) { d.putAndInsertUint16(tag, static_cast<Uint16>(value)); };
  text(DCM_SOPClassUID, UID_CTImageStorage);
  text(DCM_SOPInstanceUID, fmt::format("{}.{}", f.seriesUid, f.instanceNumber));
  text(DCM_StudyInstanceUID, f.studyUid);
  text(DCM_SeriesInstanceUID, f.seriesUid);
  text(DCM_SeriesDescription, f.description);
  text(DCM_SeriesNumber, "3");
  text(DCM_PatientID, "P1");
  text(DCM_PatientName, "Doe^Jane");
  text(DCM_StudyDate, "20240131");
  text(DCM_Modality, "CT");
  text(DCM_ImageType, "ORIGINAL\\PRIMARY\\AXIAL");
  text(DCM_InstanceNumber, std::to_string(f.instanceNumber));
  text(DCM_ImagePositionPatient, fmt::format("{:.10g}\\{:.10g}\\{:.10g}", f.x, f.y, f.z));
  text(DCM_ImageOrientationPatient, f.orientation);
  text(DCM_PixelSpacing, f.pixelSpacing);
  text(DCM_RescaleSlope, f.slope);
  text(DCM_RescaleIntercept, f.intercept);
  text(DCM_PhotometricInterpretation, "MONOCHROME2");
  number(DCM_SamplesPerPixel, 1);
  number(DCM_Rows, f.rows);
  number(DCM_Columns, f.columns);
  number(DCM_BitsAllocated, f.bitsAllocated);
  number(DCM_BitsStored, f.bitsStored);
  number(DCM_HighBit, f.highBit);
  number(DCM_PixelRepresentation, f.isSigned ? 1 : 0);
  if (f.padding) {
    f.isSigned ? d.putAndInsertSint16(DcmTag(DCM_PixelPaddingValue, EVR_SS), static_cast<Sint16>(*f.padding))
               : d.putAndInsertUint16(DcmTag(DCM_PixelPaddingValue, EVR_US), static_cast<Uint16>(*f.padding));
  }
  const size_t count = static_cast<size_t>(f.columns) * static_cast<size_t>(f.rows);
  std::vector<Uint16> words(count);
  std::vector<Uint8> bytes(count);
  for (size_t i = 0; i < count; ++i) bytes[i] = static_cast<Uint8>(words[i] = f.pixelAt(i));
  if (f.bitsAllocated == 8) {
    d.putAndInsertUint8Array(DCM_PixelData, bytes.data(), static_cast<unsigned long>(count));
  } else {
    d.putAndInsertUint16Array(DCM_PixelData, words.data(), static_cast<unsigned long>(count));
  }
  if (f.change) f.change(d);
}

/// Puts the compressed pixels, of even lengths, into the data set as they are.
inline void putFragments(DcmDataset& d, const CtFile& f) {
  auto* sequence = new DcmPixelSequence(DcmTag(DCM_PixelData, EVR_OB));
  sequence->insert(new DcmPixelItem(DcmTag(DCM_Item, EVR_OB)));
  for (const auto& bytes : f.fragments) {
    auto* item = new DcmPixelItem(DcmTag(DCM_Item, EVR_OB));
    item->putUint8Array(bytes.data(), static_cast<unsigned long>(bytes.size()));
    sequence->insert(item);
  }
  auto* pixels = new DcmPixelData(DCM_PixelData);
  pixels->putOriginalRepresentation(f.syntax, nullptr, sequence);
  d.insert(pixels, OFTrue);
}

/// @return false where DCMTK could not write it.
inline bool writeCt(const std::filesystem::path& path, const CtFile& f) {
  registerEncoders();
  DcmFileFormat format;
  DcmDataset& d = *format.getDataset();
  fillCtDataset(d, f);
  if (!f.fragments.empty()) {
    putFragments(d, f);
  } else if (d.chooseRepresentation(f.syntax, nullptr).bad()) {
    return false;
  }
  return format.saveFile(OFFilename(path.c_str()), f.syntax).good();
}

/// `count` slices named s1.dcm, s2.dcm …, from z = 0 upward.
inline void writeSeries(const std::filesystem::path& folder, CtFile f, int count, double spacingMm = 2.5) {
  std::filesystem::create_directories(folder);
  for (int i = 0; i < count; ++i) {
    f.instanceNumber = i + 1;
    f.z = i * spacingMm;
    writeCt(folder / fmt::format("s{}.dcm", i + 1), f);
  }
}

}  // namespace lynceus::test
