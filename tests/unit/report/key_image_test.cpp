#include "app/report/key_image.h"

#include <cairo.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <cmath>
#include <fstream>
#include <iterator>
#include <memory>

#include "core/measure/measure.h"
#include "core/measure/nodule_mask.h"
#include "tests/support/npz.h"
#include "tests/support/test_data.h"

namespace lynceus::report {
namespace {

using image::Vec3;

std::filesystem::path temporary(const std::string& name) {
  return std::filesystem::path(testing::TempDir()) / fmt::format("key-image-{}-{}", ::getpid(), name);
}

/// A ball of 10 mm in lung at the left, anterior and upper side of the volume, on a grid with the given axes.
image::Volume ballVolume(const std::array<Vec3, 3>& direction, Vec3 ballMm) {
  image::Geometry g{{80, 80, 40}, {1, 1, 2}, {}, direction};
  const Vec3 middle = g.toPatient({39.5, 39.5, 19.5});
  g.originMm = g.originMm - middle;
  std::vector<int16_t> hu;
  for (int z = 0; z < g.size.z; ++z)
    for (int y = 0; y < g.size.y; ++y)
      for (int x = 0; x < g.size.x; ++x) {
        const double share = std::clamp(5.5 - norm(g.toPatient({double(x), double(y), double(z)}) - ballMm), 0.0, 1.0);
        hu.push_back(static_cast<int16_t>(-860 + share * 900));
      }
  return image::Volume::create(g, std::move(hu)).value();
}

void addMask(const image::Volume& volume, detect::Finding& finding) {
  finding.mask = measure::segmentNodule(volume, finding.centerMm, finding.estimatedDiameterMm).value();
  finding.measurements = measure::measure(volume, *finding.mask);
}

/// Grey value at a pixel of the file (0 to 255), or -1 where the pixel has a colour.
struct Picture {
  explicit Picture(const std::filesystem::path& path)
      : surface(cairo_image_surface_create_from_png(path.c_str()), cairo_surface_destroy) {}
  int width() const { return cairo_image_surface_get_width(surface.get()); }
  int height() const { return cairo_image_surface_get_height(surface.get()); }
  int grey(int x, int y) const {
    const ptrdiff_t stride = cairo_image_surface_get_stride(surface.get());
    const unsigned char* p = cairo_image_surface_get_data(surface.get()) + y * stride + ptrdiff_t{4} * x;
    return p[0] == p[1] && p[1] == p[2] ? p[0] : -1;
  }
  std::unique_ptr<cairo_surface_t, decltype(&cairo_surface_destroy)> surface;
};

TEST(KeyImage, ShowsThePatientsLeftOnTheRightAndAnteriorAboveWhateverTheAxes) {
  const Vec3 ball{20, -15, 10};
  const double c = std::cos(0.15), s = std::sin(0.15);
  const std::array<Vec3, 3> axes[] = {{Vec3{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},    // axial
                                      {Vec3{-1, 0, 0}, {0, -1, 0}, {0, 0, 1}},  // prone
                                      {Vec3{1, 0, 0}, {0, 1, 0}, {0, 0, -1}},   // stored from the feet
                                      {Vec3{c, s, 0}, {-s, c, 0}, {0, 0, 1}}};  // oblique
  for (const auto& direction : axes) {
    const image::Volume volume = ballVolume(direction, ball);
    detect::Finding finding;
    finding.centerMm = ball;
    finding.estimatedDiameterMm = 10;
    const auto path = temporary("axes.png");
    ASSERT_TRUE(writeKeyImage(volume, finding, {}, path));
    const Picture picture(path);
    ASSERT_EQ(picture.width(), 1100);
    ASSERT_EQ(picture.height(), 620);
    // The whole slice: 80 mm over 520 pixels around (272, 312); the ball turns with the axes of the volume.
    const bool oblique = direction[0].y > 0;
    const double u = oblique ? c * ball.x + s * ball.y : ball.x, v = oblique ? c * ball.y - s * ball.x : ball.y;
    const int x = 272 + static_cast<int>(u * 6.5), y = 312 + static_cast<int>(v * 6.5);
    EXPECT_GT(picture.grey(x, y), 200);
    EXPECT_LT(picture.grey(544 - x, y), 100) << "the other side is lung";
    EXPECT_LT(picture.grey(x, 624 - y), 100) << "posterior is lung";
    for (const auto& [px, py] : {std::pair{678, 180}, {948, 180}, {678, 444}})
      EXPECT_GT(picture.grey(px, py), 200) << "details are centred";
    std::filesystem::remove(path);
  }
}

TEST(KeyImage, PaintsNothingOverTheLesionButItsAxes) {
  const image::Volume volume = ballVolume({Vec3{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}, {0, 0, 1});
  detect::Finding finding;
  finding.centerMm = {0, 0, 1};
  finding.estimatedDiameterMm = 10;
  addMask(volume, finding);
  const auto path = temporary("lesion.png");
  ASSERT_TRUE(writeKeyImage(volume, finding, {}, path));
  const Picture picture(path);
  // Coronal and sagittal detail: every pixel within 4 mm of the centre is plain grey; so is the lesion in the whole
  // slice.
  for (const auto& [px, py, pixelMm] :
       {std::tuple{948, 180, 60.0 / 256}, {678, 444, 60.0 / 256}, {272, 312, 80.0 / 520}}) {
    const int reach = static_cast<int>(4 / pixelMm);
    for (int y = -reach; y <= reach; ++y) {
      for (int x = -reach; x <= reach; ++x) {
        if (std::hypot(x, y) > reach) continue;
        ASSERT_GE(picture.grey(px + x, py + y), 0) << px + x << ' ' << py + y;
      }
    }
  }
  std::filesystem::remove(path);
}

TEST(KeyImage, SaysWhereItCannotBeWritten) {
  const image::Volume volume = ballVolume({Vec3{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}, {0, 0, 0});
  const auto written = writeKeyImage(volume, {}, {}, temporary("none") / "key.png");
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, ErrorCode::resource);
  EXPECT_THAT(written.error().message, testing::HasSubstr("the folder does not exist"));
}

TEST(KeyImage, OfARealNoduleIsTheSameEachTime) {
  const auto data = test::testData("train/nodules134_train.npz");
  if (data.empty()) GTEST_SKIP() << test::kNoTestData;
  constexpr size_t kCube = size_t{51} * 51 * 51;
  const auto hu = test::npzArray<int16_t>(data, "hu");
  const auto first = hu.begin() + 2 * int64_t{kCube};
  const image::Geometry g{{51, 51, 51}, {1, 1, 1}, {-25, -25, -25}, {Vec3{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}};
  const auto volume = image::Volume::create(g, {first, first + int64_t{kCube}}).value();
  detect::Finding finding;
  finding.id = 1;
  finding.score = 0.93;
  finding.estimatedDiameterMm = 16;
  addMask(volume, finding);
  const KeyImageOptions options{1500, -600, "LIDC-IDRI example", "1 mm cube"};
  const auto read = [](const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return std::string{std::istreambuf_iterator<char>(file), {}};
  };
  const auto a = temporary("a.png"), b = temporary("b.png");
  ASSERT_TRUE(writeKeyImage(volume, finding, options, a) && writeKeyImage(volume, finding, options, b));
  EXPECT_EQ(read(a), read(b));
  std::filesystem::remove(b);
  if (std::getenv("LYNCEUS_PRINT") == nullptr)
    std::filesystem::remove(a);
  else
    std::printf("%s\n", a.c_str());
}

}  // namespace
}  // namespace lynceus::report
