// Enhanced CT: one file with many frames, whose geometry and rescale values lie in functional groups.
#include <gmock/gmock.h>

#include "io/dicom/slice.h"
#include "io/source.h"
#include "tests/support/ct_files.h"
#include "tests/support/temporary_folder.h"

namespace lynceus::io {
namespace {

using testing::HasSubstr;

constexpr int kFrames = 5, kRows = 40, kColumns = 30;

int storedValue(int frame, int i) { return (i * 7 + frame * 131) % 2000; }

struct Enhanced {
  E_TransferSyntax syntax = EXS_LittleEndianExplicit;
  std::function<void(DcmDataset&)> change;

  // Frames from above downwards, each with an intercept of its own; orientation and spacing are shared.
  bool write(const std::filesystem::path& path) const {
    test::registerEncoders();
    DcmFileFormat format;
    DcmDataset& d = *format.getDataset();
    test::CtFile base;
    base.columns = kColumns;
    base.rows = kRows;
    base.bitsStored = 12;
    base.highBit = 11;
    base.isSigned = false;
    test::fillCtDataset(d, base);
    for (const DcmTagKey& tag : {DCM_ImagePositionPatient, DCM_ImageOrientationPatient, DCM_PixelSpacing,
                                 DCM_RescaleSlope, DCM_RescaleIntercept, DCM_ImageType}) {
      delete d.remove(tag);
    }
    d.putAndInsertString(DCM_SOPClassUID, UID_EnhancedCTImageStorage);
    d.putAndInsertString(DCM_NumberOfFrames, std::to_string(kFrames).c_str());
    addGroups(d);
    std::vector<Uint16> pixels;
    for (int f = 0; f < kFrames; ++f) {
      for (int i = 0; i < kRows * kColumns; ++i) pixels.push_back(static_cast<Uint16>(storedValue(f, i)));
    }
    d.putAndInsertUint16Array(DCM_PixelData, pixels.data(), static_cast<unsigned long>(pixels.size()));
    if (change) change(d);
    if (d.chooseRepresentation(syntax, nullptr).bad()) return false;
    return format.saveFile(OFFilename(path.c_str()), syntax).good();
  }

  static DcmItem& group(DcmItem& d, const DcmTagKey& macro, const DcmTagKey& sequence, int frame) {
    DcmItem *outer = nullptr, *inner = nullptr;
    d.findOrCreateSequenceItem(sequence, outer, frame);
    outer->findOrCreateSequenceItem(macro, inner, 0);
    return *inner;
  }
  static void addGroups(DcmItem& d) {
    const auto shared = [&](const DcmTagKey& macro) -> DcmItem& {
      return group(d, macro, DCM_SharedFunctionalGroupsSequence, 0);
    };
    shared(DCM_PlaneOrientationSequence).putAndInsertString(DCM_ImageOrientationPatient, "1\\0\\0\\0\\1\\0");
    shared(DCM_PixelMeasuresSequence).putAndInsertString(DCM_PixelSpacing, "0.75\\0.5");
    shared(DCM_CTImageFrameTypeSequence).putAndInsertString(DCM_FrameType, "ORIGINAL\\PRIMARY\\VOLUME\\NONE");
    for (int f = 0; f < kFrames; ++f) {
      const auto own = [&](const DcmTagKey& macro) -> DcmItem& {
        return group(d, macro, DCM_PerFrameFunctionalGroupsSequence, f);
      };
      own(DCM_PlanePositionSequence)
          .putAndInsertString(DCM_ImagePositionPatient, fmt::format("-10\\-20\\{}", 100 - 2 * f).c_str());
      DcmItem& transform = own(DCM_PixelValueTransformationSequence);
      transform.putAndInsertString(DCM_RescaleSlope, "1");
      transform.putAndInsertString(DCM_RescaleIntercept, std::to_string(-1000 - f).c_str());
      transform.putAndInsertString(DCM_RescaleType, "HU");
    }
  }
};

class EnhancedCt : public testing::Test {
 protected:
  test::TemporaryFolder m_folder;
  job::Context m_context;
};

class EnhancedSyntaxes : public EnhancedCt, public testing::WithParamInterface<E_TransferSyntax> {};

TEST_P(EnhancedSyntaxes, LoadsEveryFrameWithItsOwnPlaceAndValues) {
  ASSERT_TRUE((Enhanced{GetParam(), {}}.write(m_folder / "e.dcm")));
  const auto source = openSource(m_folder.path(), m_context);
  ASSERT_TRUE(source) << source.error().message;
  ASSERT_EQ(source->series.size(), 1u);
  EXPECT_EQ(source->series[0].report.geometryClass, dicom::GeometryClass::regular);
  const auto loaded = loadSeries(*source, 0, m_context);
  ASSERT_TRUE(loaded) << loaded.error().message;
  const image::Geometry& g = loaded->volume.geometry();
  EXPECT_EQ(g.size, (image::Int3{kColumns, kRows, kFrames}));
  EXPECT_EQ(g.spacingMm, (image::Vec3{0.5, 0.75, 2}));
  EXPECT_EQ(g.originMm, (image::Point3{-10, -20, 92}));  // the last frame lies lowest
  for (int z = 0; z < kFrames; ++z) {
    const int frame = kFrames - 1 - z;
    for (int i = 0; i < kRows * kColumns; ++i) {
      ASSERT_EQ(loaded->volume.at(i % kColumns, i / kColumns, z), storedValue(frame, i) - 1000 - frame)
          << z << " " << i;
    }
  }
}

std::string syntaxName(const testing::TestParamInfo<E_TransferSyntax>& syntax) {
  std::string name;
  for (const char c : std::string(DcmXfer(syntax.param).getXferName())) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0) name += c;
  }
  return name;
}

INSTANTIATE_TEST_SUITE_P(Lossless, EnhancedSyntaxes,
                         testing::Values(EXS_LittleEndianImplicit, EXS_LittleEndianExplicit, EXS_BigEndianExplicit,
                                         EXS_DeflatedLittleEndianExplicit, EXS_JPEGLSLossless, EXS_JPEGProcess14SV1,
                                         EXS_RLELossless),
                         syntaxName);

TEST_F(EnhancedCt, SaysThatFramesAreNotDescribed) {
  Enhanced e;
  e.change = [](DcmDataset& d) { d.putAndInsertString(DCM_NumberOfFrames, "2147483647"); };
  ASSERT_TRUE(e.write(m_folder / "e.dcm"));
  const auto header = dicom::readSliceHeaders({m_folder / "e.dcm", nullptr, 0});
  ASSERT_FALSE(header);
  EXPECT_THAT(header.error().message,
              HasSubstr("e.dcm: Number of Frames (0028,0008) is 2147483647 and 5 frames are described"));
}

TEST_F(EnhancedCt, SaysHowManyBytesOfTheFramesAreMissing) {
  ASSERT_TRUE(Enhanced{}.write(m_folder / "e.dcm"));
  std::filesystem::resize_file(m_folder / "e.dcm", std::filesystem::file_size(m_folder / "e.dcm") - 100);
  const auto source = openSource(m_folder.path(), m_context);
  ASSERT_TRUE(source) << source.error().message;
  const auto loaded = loadSeries(*source, 0, m_context);
  ASSERT_FALSE(loaded);
  EXPECT_THAT(loaded.error().message,
              HasSubstr("e.dcm: the file is cut off: its pixels need 12000 bytes and 11900 are"));
}

}  // namespace
}  // namespace lynceus::io
