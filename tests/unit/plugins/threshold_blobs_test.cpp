// The plugin threshold_blobs through its C interface, with a host of a few lines and volumes of balls and rods.
#include <cmath>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include <dlfcn.h>
#include <gmock/gmock.h>

#include "lynceus/plugin.h"

namespace lynceus::test {
namespace {

struct Host {
  std::vector<lynceus_finding> findings;
  std::vector<std::string> lines;
  size_t bytesLeft = SIZE_MAX;
  int polls = 0, pollsUntilCancel = -1;
  lynceus_host table{};

  Host() {
    table.struct_size = sizeof table;
    table.abi_major = LYNCEUS_ABI_MAJOR;
    table.abi_minor = LYNCEUS_ABI_MINOR;
    table.version = "test";
    table.context = this;
    table.log = [](void* self, lynceus_log_level, const char* text) { of(self).lines.emplace_back(text); };
    table.progress = [](void*, double, const char*) {};
    table.cancelled = [](void* self) -> int32_t {
      return ++of(self).polls > of(self).pollsUntilCancel && of(self).pollsUntilCancel >= 0;
    };
    table.allocate = [](void* self, size_t bytes) -> void* {
      return bytes > of(self).bytesLeft ? nullptr : std::malloc(bytes);
    };
    table.release = [](void*, void* memory) { std::free(memory); };
    table.report = [](void* self, const lynceus_finding* finding) -> lynceus_status {
      of(self).findings.push_back(*finding);
      return LYNCEUS_OK;
    };
  }

  static Host& of(void* self) { return *static_cast<Host*>(self); }
};

/// A lung of -850 HU with soft tissue where `inside` says so for a place in mm.
struct Chest {
  std::vector<int16_t> hu;
  lynceus_volume volume{};

  explicit Chest(const std::function<bool(double, double, double)>& inside, double spacingMm = 1.0, int size = 80) {
    for (int z = 0; z < size; ++z)
      for (int y = 0; y < size; ++y)
        for (int x = 0; x < size; ++x) hu.push_back(inside(x * spacingMm, y * spacingMm, z * spacingMm) ? 40 : -850);
    volume.struct_size = sizeof volume;
    volume.hu = hu.data();
    for (int a = 0; a < 3; ++a) {
      volume.size[a] = size;
      volume.spacing_mm[a] = spacingMm;
    }
    volume.direction[0] = volume.direction[4] = volume.direction[8] = 1;
    volume.origin_mm[0] = -100;  // places must be told in patient space
    volume.padding_hu = -1024;
  }
};

auto ball(double x, double y, double z, double diameterMm) {
  return [=](double px, double py, double pz) { return std::hypot(px - x, py - y, pz - z) < diameterMm / 2; };
}

class ThresholdBlobs : public testing::Test {
 protected:
  void SetUp() override {
    m_library = dlopen(LYNCEUS_BINARY_DIR "/plugins/threshold_blobs.so", RTLD_NOW | RTLD_LOCAL);
    ASSERT_NE(m_library, nullptr) << dlerror();
    m_plugin = reinterpret_cast<decltype(&lynceus_plugin_entry)>(dlsym(m_library, "lynceus_plugin_entry"))();
    const void* interfaceStruct = nullptr;
    ASSERT_EQ(m_plugin->create(0, &m_host.table, &m_instance, &interfaceStruct), LYNCEUS_OK);
    m_detector = static_cast<const lynceus_detector*>(interfaceStruct);
  }
  void TearDown() override {
    m_plugin->destroy(m_instance);
    dlclose(m_library);
  }
  lynceus_status detect(const Chest& chest) { return m_detector->detect(m_instance, &chest.volume); }

  /// Marks within half a diameter of the place, in mm of the chest.
  int marksAt(double x, double y, double z, double diameterMm) const {
    int n = 0;
    for (const lynceus_finding& f : m_host.findings)
      n += std::hypot(f.center_mm[0] + 100 - x, f.center_mm[1] - y, f.center_mm[2] - z) < diameterMm / 2;
    return n;
  }

  Host m_host;
  void* m_library = nullptr;
  const lynceus_plugin* m_plugin = nullptr;
  const lynceus_detector* m_detector = nullptr;
  void* m_instance = nullptr;
};

TEST_F(ThresholdBlobs, SaysWhatItIs) {
  EXPECT_EQ(m_plugin->abi_major, LYNCEUS_ABI_MAJOR);
  ASSERT_EQ(m_plugin->count(), 1U);
  EXPECT_STREQ(m_plugin->describe(0)->id, "lynceus.threshold-blobs");
  EXPECT_STREQ(m_plugin->describe(0)->interface_id, LYNCEUS_DETECTOR);
  EXPECT_EQ(m_plugin->describe(1), nullptr);
}

TEST_F(ThresholdBlobs, MarksBallsOfEverySizeOnceEach) {
  for (const double d : {5.0, 8.0, 13.0, 22.0}) {
    m_host.findings.clear();
    ASSERT_EQ(detect(Chest(ball(40, 38, 42, d))), LYNCEUS_OK);
    ASSERT_EQ(m_host.findings.size(), 1U) << d;
    EXPECT_EQ(marksAt(40, 38, 42, d), 1) << d;
    // The scales stand 1.4 apart: the nearest is off by its root, and the grid of 1.5 mm blurs the smallest.
    EXPECT_NEAR(std::log(m_host.findings[0].diameter_mm / d), 0, std::log(1.45)) << d;
  }
}

TEST_F(ThresholdBlobs, LeavesVesselsAlone) {
  const auto rod = [](double x, double y, double) { return std::hypot(x - 40, y - 40) < 3; };
  ASSERT_EQ(detect(Chest(rod)), LYNCEUS_OK);
  EXPECT_TRUE(m_host.findings.empty());
}

TEST_F(ThresholdBlobs, SearchesTheRegionAlone) {
  const auto two = [](double x, double y, double z) {
    return ball(25, 40, 40, 9)(x, y, z) || ball(55, 40, 40, 9)(x, y, z);
  };
  Chest chest(two);
  std::vector<uint8_t> left(chest.hu.size());
  for (size_t i = 0; i < left.size(); ++i) left[i] = i % 80 < 40;
  chest.volume.region = left.data();
  ASSERT_EQ(detect(chest), LYNCEUS_OK);
  EXPECT_EQ(m_host.findings.size(), 1U);
  EXPECT_EQ(marksAt(25, 40, 40, 9), 1);
  std::fill(left.begin(), left.end(), 0);
  m_host.findings.clear();
  ASSERT_EQ(detect(chest), LYNCEUS_OK);
  EXPECT_TRUE(m_host.findings.empty());
}

TEST_F(ThresholdBlobs, DoesNotDependOnTheSpacing) {
  ASSERT_EQ(detect(Chest(ball(20, 20, 20, 9), 0.5)), LYNCEUS_OK);
  EXPECT_EQ(marksAt(20, 20, 20, 9), 1);
  ASSERT_EQ(detect(Chest(ball(100, 98, 102, 22), 2.5)), LYNCEUS_OK);
  EXPECT_EQ(marksAt(100, 98, 102, 22), 1);
}

TEST_F(ThresholdBlobs, StopsWhenTold) {
  const Chest chest(ball(40, 40, 40, 9));
  for (const int polls : {0, 1, 90, 150, 380}) {
    m_host.polls = 0;
    m_host.pollsUntilCancel = polls;
    EXPECT_EQ(detect(chest), LYNCEUS_CANCELLED) << polls;
    EXPECT_EQ(m_host.polls, polls + 1);
  }
  EXPECT_TRUE(m_host.findings.empty());
}

TEST_F(ThresholdBlobs, SaysSoWithoutMemory) {
  m_host.bytesLeft = 1000;
  EXPECT_EQ(detect(Chest(ball(40, 40, 40, 9))), LYNCEUS_NO_RESOURCE);
  EXPECT_THAT(m_host.lines, testing::ElementsAre(testing::HasSubstr("no memory")));
}

}  // namespace
}  // namespace lynceus::test
