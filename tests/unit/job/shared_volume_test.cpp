// A volume crosses to another process as memory that nobody can make smaller; anything else is refused.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "core/job/shared_volume.h"

using namespace lynceus;
using image::Volume;
using image::VoxelBuffer;
using nlohmann::json;

namespace {

image::Geometry grid() {
  image::Geometry g;
  g.size = {5, 4, 3};
  g.spacingMm = {0.7, 0.8, 2.5};
  g.originMm = {-12.25, 7, 1e-3};
  return g;
}

Volume volume(VoxelBuffer::Kind kind) {
  auto buffer = VoxelBuffer::allocate(60, kind);
  for (size_t i = 0; i < 60; ++i) buffer->values()[i] = static_cast<int16_t>(i * 31 - 900);
  return *Volume::create(grid(), std::move(*buffer), -2000);
}

FileDescriptor memory(size_t bytes, int seals) {
  FileDescriptor file(memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  EXPECT_EQ(ftruncate(file.get(), static_cast<off_t>(bytes)), 0);
  EXPECT_EQ(fcntl(file.get(), F_ADD_SEALS, seals), 0);
  return file;
}

std::string refusal(const json& description, FileDescriptor file) {
  const auto mapped = job::mapVolume(description, std::move(file));
  EXPECT_FALSE(mapped);
  if (mapped) return "";
  EXPECT_EQ(mapped.error().code, ErrorCode::badInput);
  return mapped.error().message;
}

}  // namespace

TEST(SharedVolume, ArrivesAsItWasSent) {
  for (const auto kind : {VoxelBuffer::Kind::own, VoxelBuffer::Kind::shared}) {
    const Volume sent = volume(kind);
    auto file = job::shareVolume(sent);
    ASSERT_TRUE(file) << file.error().message;
    const auto got = job::mapVolume(job::describeVolume(sent), std::move(*file));
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_TRUE(std::equal(sent.hu().begin(), sent.hu().end(), got->hu().begin(), got->hu().end()));
    EXPECT_EQ(got->geometry().spacingMm.z, 2.5);
    EXPECT_EQ(got->geometry().originMm.z, 1e-3);
    EXPECT_EQ(got->paddingHu(), -2000);
  }
}

TEST(SharedVolume, IsNotCopiedWhereItsMemoryCanBeShared) {
  const Volume sent = volume(VoxelBuffer::Kind::shared);
  const auto file = job::shareVolume(sent);
  ASSERT_TRUE(file);
  struct stat a = {}, b = {};
  ASSERT_EQ(fstat(sent.memoryFile(), &a), 0);
  ASSERT_EQ(fstat(file->get(), &b), 0);
  EXPECT_EQ(a.st_ino, b.st_ino);
}

TEST(SharedVolume, CanBeShrunkOrMappedForWritingByNobody) {
  const auto file = job::shareVolume(volume(VoxelBuffer::Kind::own));
  ASSERT_TRUE(file);
  EXPECT_NE(ftruncate(file->get(), 10), 0);
  EXPECT_EQ(mmap(nullptr, 120, PROT_READ | PROT_WRITE, MAP_SHARED, file->get(), 0), MAP_FAILED);
}

TEST(SharedVolume, OutlivesWhoeverSentIt) {
  std::optional<Volume> sent = volume(VoxelBuffer::Kind::shared);
  auto got = job::mapVolume(job::describeVolume(*sent), std::move(*job::shareVolume(*sent)));
  ASSERT_TRUE(got);
  sent.reset();
  EXPECT_EQ(got->at(4, 3, 2), 59 * 31 - 900);
}

TEST(SharedVolume, RefusesMemoryThatIsNotWhatTheDescriptionSays) {
  const json good = job::describeVolume(volume(VoxelBuffer::Kind::own));
  EXPECT_NE(refusal(good, memory(118, F_SEAL_SHRINK)).find("118 bytes instead of 120"), std::string::npos);
  EXPECT_NE(refusal(good, memory(120, 0)).find("smaller"), std::string::npos);
  EXPECT_NE(refusal(good, FileDescriptor(open("/dev/null", O_RDONLY))).find("bytes"), std::string::npos);
  refusal(good, FileDescriptor());
  for (const char* key : {"size", "spacingMm", "originMm", "direction", "paddingHu"}) {
    json bad = good;
    bad.erase(key);
    EXPECT_NE(refusal(bad, memory(120, F_SEAL_SHRINK)).find(key), std::string::npos);
    bad[key] = "x";
    refusal(bad, memory(120, F_SEAL_SHRINK));
  }
  json bad = good;
  bad["size"] = {2000000000, 2000000000, 2000000000};
  refusal(bad, memory(120, F_SEAL_SHRINK));
  bad["size"] = {-5, 4, 3};
  refusal(bad, memory(120, F_SEAL_SHRINK));
  refusal(json::array(), memory(120, F_SEAL_SHRINK));
}
