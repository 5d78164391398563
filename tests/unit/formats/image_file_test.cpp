// Volumes survive the research formats bit for bit, oblique orientation included, and nothing half-written stays.
#include "io/formats/image_file.h"

#include <csignal>
#include <cstring>
#include <fstream>

#include <gmock/gmock.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/support/temporary_folder.h"
#include "tests/support/test_data.h"

namespace lynceus::io {
namespace {

using image::Geometry;
using image::Vec3;
using testing::HasSubstr;

Geometry obliqueGeometry() {
  Geometry g;
  g.size = {7, 5, 4};
  g.spacingMm = {0.564453125, 0.75, 3};
  g.originMm = {-123.456, 45.678, -901.25};
  const double a = 0.3, b = -0.7;
  const Vec3 row{std::cos(a), std::sin(a), 0};
  const Vec3 column{-std::sin(a) * std::cos(b), std::cos(a) * std::cos(b), std::sin(b)};
  g.direction = {row, column, cross(row, column)};
  return g;
}

image::Volume makeVolume(const Geometry& g) {
  std::vector<int16_t> hu(static_cast<size_t>(g.voxelCount()));
  for (size_t i = 0; i < hu.size(); ++i) hu[i] = static_cast<int16_t>(static_cast<int>(i * 479 % 65536) - 32768);
  return image::Volume::create(g, hu).value();
}

void expectNear(const Vec3& a, const Vec3& b, double tolerance) {
  EXPECT_NEAR(a.x, b.x, tolerance);
  EXPECT_NEAR(a.y, b.y, tolerance);
  EXPECT_NEAR(a.z, b.z, tolerance);
}

class RoundTrip : public testing::TestWithParam<const char*> {
 protected:
  std::filesystem::path file() const { return m_folder / (std::string("volume") + GetParam()); }
  test::TemporaryFolder m_folder;
};

TEST_P(RoundTrip, KeepsValuesAndAnObliqueGeometry) {
  const image::Volume volume = makeVolume(obliqueGeometry());
  const auto written = writeImageFile(volume, file());
  ASSERT_TRUE(written) << written.error().message;
  const auto back = readImage(file());
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_TRUE(std::ranges::equal(back->volume.hu(), volume.hu()));
  EXPECT_EQ(back->largestRoundingHu, 0);
  const Geometry &a = volume.geometry(), &b = back->volume.geometry();
  EXPECT_EQ(a.size, b.size);
  // NIfTI stores 32-bit floats: seven digits of a position of 900 mm.
  const double mm = std::string(GetParam()).find("nii") != std::string::npos ? 1e-4 : 1e-9;
  expectNear(a.spacingMm, b.spacingMm, mm);
  expectNear(a.originMm, b.originMm, mm);
  for (size_t d = 0; d < 3; ++d) expectNear(a.direction[d], b.direction[d], mm / 100);
  EXPECT_EQ(readImageFileInfo(file())->geometry, b);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(m_folder.path()), {}), 1) << "a temporary file stayed";
}

TEST_P(RoundTrip, SaysThatACutFileIsDamaged) {
  ASSERT_TRUE(writeImageFile(makeVolume(obliqueGeometry()), file()));
  std::filesystem::resize_file(file(), std::filesystem::file_size(file()) / 2);
  const auto back = readImage(file());
  ASSERT_FALSE(back);
  EXPECT_EQ(back.error().code, ErrorCode::badInput);
  EXPECT_THAT(back.error().message, HasSubstr(file().string()));
}

TEST_P(RoundTrip, LeavesNothingBehindWhenTheDiskTakesNoMore) {
  const image::Volume volume = makeVolume(obliqueGeometry());
  std::ofstream(file()) << "older result";
  // A limit on the size of files stands for the full disk.
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit old{};
  getrlimit(RLIMIT_FSIZE, &old);
  const rlimit small{100, old.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  const auto written = writeImageFile(volume, file());
  setrlimit(RLIMIT_FSIZE, &old);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, ErrorCode::resource);
  EXPECT_THAT(written.error().message, HasSubstr("cannot be written"));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(m_folder.path()), {}), 1);
  EXPECT_EQ(std::filesystem::file_size(file()), 12u) << "the older file must stay";
}

INSTANTIATE_TEST_SUITE_P(Formats, RoundTrip, testing::Values(".nii.gz", ".nii", ".mha", ".nrrd"));

class ImageFileTest : public testing::Test {
 protected:
  // A MetaImage header with its data in the same file.
  template <class T>
  std::filesystem::path writeMeta(const std::string& type, const std::vector<T>& values,
                                  const std::string& extra = "") {
    auto path = m_folder / "x.mha";
    std::ofstream out(path, std::ios::binary);
    out << "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\n"
        << (extra.empty() ? "TransformMatrix = 1 0 0 0 1 0 0 0 1\n" : extra)
        << "Offset = 0 0 0\nElementSpacing = 1 1 2\nDimSize = " << values.size() / 2 << " 1 2\nElementType = " << type
        << "\nElementDataFile = LOCAL\n";
    out.write(reinterpret_cast<const char*>(values.data()), static_cast<std::streamsize>(values.size() * sizeof(T)));
    return path;
  }
  test::TemporaryFolder m_folder;
};

TEST_F(ImageFileTest, TakesIntegralFloatsExactly) {
  const auto file = readImage(writeMeta<float>("MET_FLOAT", {-1024, 0, 30, 3071}));
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_THAT(file->volume.hu(), testing::ElementsAre(-1024, 0, 30, 3071));
  EXPECT_EQ(file->largestRoundingHu, 0);
}

TEST_F(ImageFileTest, RoundsOtherFloatsOnceAndSaysByHowMuch) {
  const auto file = readImage(writeMeta<double>("MET_DOUBLE", {-1023.75, 0.4, 30, 1}));
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_THAT(file->volume.hu(), testing::ElementsAre(-1024, 0, 30, 1));
  EXPECT_NEAR(file->largestRoundingHu, 0.4, 1e-12);
}

TEST_F(ImageFileTest, RejectsValuesThatFitNoInt16) {
  const auto big = readImage(writeMeta<uint16_t>("MET_USHORT", {0, 1, 2, 40000}));
  ASSERT_FALSE(big);
  EXPECT_THAT(big.error().message, HasSubstr("the value 40000 is outside -32768 to 32767"));
  EXPECT_FALSE(readImage(writeMeta<float>("MET_FLOAT", {0, 1, 2, std::nanf("")})));
}

TEST_F(ImageFileTest, RefusesAxesThatAreNotOrthonormal) {
  const auto sheared =
      readImage(writeMeta<int16_t>("MET_SHORT", {0, 1, 2, 3}, "TransformMatrix = 1 0 0 0.2 1 0 0 0 1\n"));
  ASSERT_FALSE(sheared);
  EXPECT_THAT(sheared.error().message, HasSubstr("x.mha"));
}

TEST_F(ImageFileTest, SaysWhyAPathCannotBeWritten) {
  const image::Volume volume = makeVolume(obliqueGeometry());
  const auto name = writeImageFile(volume, m_folder / "a.png");
  ASSERT_FALSE(name);
  EXPECT_EQ(name.error().code, ErrorCode::wrongUse);
  EXPECT_THAT(name.error().message, HasSubstr(".nii.gz, .nii, .mha or .nrrd"));
  const auto folder = writeImageFile(volume, m_folder / "no" / "a.mha");
  ASSERT_FALSE(folder);
  EXPECT_THAT(folder.error().message, HasSubstr("there is no folder"));
  if (::geteuid() == 0) GTEST_SKIP() << "root may write everywhere";
  std::filesystem::permissions(m_folder.path(),
                               std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec);
  const auto permission = writeImageFile(volume, m_folder / "a.mha");
  std::filesystem::permissions(m_folder.path(), std::filesystem::perms::owner_all);
  ASSERT_FALSE(permission);
  EXPECT_EQ(permission.error().code, ErrorCode::resource);
}

TEST_F(ImageFileTest, SaysThatAFileIsNotWhatItsNameSays) {
  const auto path = m_folder / "text.nii.gz";
  std::ofstream(path) << "this is a text";
  const auto file = readImage(path);
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, ErrorCode::badInput);
  EXPECT_THAT(file.error().message, HasSubstr("is not NIfTI in spite of its name"));
  EXPECT_EQ(readImage(m_folder / "none.nii").error().code, ErrorCode::wrongUse);
}

TEST_F(ImageFileTest, TurnsTheRasOfNiftiIntoLps) {
  // A NIfTI-1 file by hand: sform x = 10 - i, y = 20 + 2 j, z = 30 + 3 k in RAS.
  std::vector<char> bytes(352, 0);
  const auto put = [&](size_t at, auto value) { std::memcpy(&bytes[at], &value, sizeof(value)); };
  put(0, int32_t{348});
  const int16_t dim[] = {3, 2, 2, 2, 1, 1, 1, 1};
  for (size_t i = 0; i < 8; ++i) put(40 + 2 * i, dim[i]);
  put(70, int16_t{4});   // DT_INT16
  put(72, int16_t{16});  // bits
  const float pixdim[] = {1, 1, 2, 3};
  for (size_t i = 0; i < 4; ++i) put(76 + 4 * i, pixdim[i]);
  put(108, 352.0F);      // vox_offset
  put(254, int16_t{1});  // sform_code
  const float rows[3][4] = {{-1, 0, 0, 10}, {0, 2, 0, 20}, {0, 0, 3, 30}};
  for (size_t r = 0; r < 3; ++r) {
    for (size_t c = 0; c < 4; ++c) put(280 + 16 * r + 4 * c, rows[r][c]);
  }
  std::memcpy(&bytes[344], "n+1", 4);
  for (int16_t v = 0; v < 8; ++v) {
    bytes.push_back(static_cast<char>(v * 10));
    bytes.push_back(0);
  }
  const auto path = m_folder / "ras.nii";
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  const auto file = readImage(path);
  ASSERT_TRUE(file) << file.error().message;
  const Geometry& g = file->volume.geometry();
  EXPECT_EQ(g.originMm, (Vec3{-10, -20, 30}));
  EXPECT_EQ(g.direction[0], (Vec3{1, 0, 0}));
  EXPECT_EQ(g.direction[1], (Vec3{0, -1, 0}));
  EXPECT_EQ(g.spacingMm, (Vec3{1, 2, 3}));
  EXPECT_EQ(file->volume.at(1, 0, 1), 50);
}

TEST(RealImageFile, ReadsAnAbdomenInNifti) {
  const auto path = test::testData("e2e/abdomen_3mm.nii.gz");
  if (path.empty()) GTEST_SKIP() << test::kNoTestData;
  const auto file = readImage(path);
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->volume.geometry().size, (image::Int3{122, 101, 112}));
  EXPECT_NEAR(file->volume.geometry().spacingMm.x, 3, 1e-5);
}

// Found by fuzzing: MetaIO of ITK 5.2 writes beyond its buffer on this header and ends the program.
TEST(MetaImageHeader, WithAnEndlessLineIsRefusedByItsNumber) {
  const test::TemporaryFolder folder;
  std::ofstream(folder / "x.mha") << "ObjectType = Image\nNDims" << std::string(2000, 'x') << " = 3\n";
  const auto image = readImage(folder / "x.mha");
  ASSERT_FALSE(image);
  EXPECT_THAT(image.error().message, HasSubstr("line 2 of the MetaImage header"));
}

}  // namespace
}  // namespace lynceus::io
