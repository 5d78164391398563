// What the host gives a plugin, and what it refuses.
#include "plugins/host/services.h"

#include <cmath>
#include <fstream>
#include <limits>
#include <thread>

#include <gmock/gmock.h>

#include "tests/support/onnx_builder.h"
#include "tests/support/temporary_folder.h"

namespace lynceus::plugins {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// y = a + 2 b; both of two values.
void writeNetwork(const fs::path& file) {
  test::OnnxBuilder b;
  const std::string a = b.input("a", {1, 2}), other = b.input("b", {1, 2});
  b.output(b.node("Add", {a, b.node("Mul", {other, b.constant({{1, 2}, std::vector{2.0F, 2.0F}})}).output()}), 2);
  const auto bytes = b.bytes();
  std::ofstream(file, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

class HostServices : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directory(m_root / "plugin");
    Job job;
    job.folder = m_root / "plugin";
    job.geometry.size = {100, 100, 50};
    job.geometry.spacingMm = {1, 1, 2};
    job.geometry.originMm = {-50, -50, 0};
    job.kinds = {"lung-nodule", "mass"};
    Resources resources{*compute::openDevice("cpu"), {}, {}};
    resources.log = [this](lynceus_log_level, std::string_view line) { m_lines.emplace_back(line); };
    resources.limits.memoryBytes = 1 << 20;
    resources.limits.logLines = 20;
    m_services = std::make_unique<Services>(job, resources, m_context);
  }
  const lynceus_host& host() const { return m_services->table(); }
  void* allocate(size_t bytes) const { return host().allocate(host().context, bytes); }
  lynceus_status report(double score, double diameter = 5, const char* kind = nullptr, double x = 0) const {
    const lynceus_finding finding = {sizeof finding, {x, 0, 50}, diameter, score, kind};
    return host().report(host().context, &finding);
  }
  lynceus_status open(const char* file, lynceus_network** network) const {
    return host().network_open(host().context, file, network);
  }

  test::TemporaryFolder m_root;
  double m_fraction = -1;
  job::Context m_context{[this](double fraction, std::string_view) { m_fraction = fraction; }};
  std::vector<std::string> m_lines;
  std::unique_ptr<Services> m_services;
};

TEST_F(HostServices, GiveAlignedMemoryUpToALimitAndTakeBackWhatIsLeft) {
  void* one = allocate(1000);
  ASSERT_NE(one, nullptr);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(one) % 64, 0U);
  EXPECT_EQ(m_services->usedBytes(), 1024U);
  EXPECT_NE(allocate(0), nullptr);
  EXPECT_EQ(allocate(1 << 20), nullptr);
  EXPECT_EQ(allocate(SIZE_MAX), nullptr);
  EXPECT_THAT(m_lines, ElementsAre(HasSubstr("allocate: 1048576 bytes were refused, 1088 of 1048576"), testing::_));
  host().release(host().context, one);
  EXPECT_EQ(m_services->usedBytes(), 64U);
  EXPECT_NE(allocate((1 << 20) - 64), nullptr);  // all that is left
  m_services->releaseMemory();
  EXPECT_EQ(m_services->usedBytes(), 0U);
}

TEST_F(HostServices, RefuseToReleaseWhatIsNotTheirs) {
  int local = 0;
  host().release(host().context, &local);
  host().release(host().context, nullptr);
  void* one = allocate(10);
  host().release(host().context, one);
  host().release(host().context, one);
  EXPECT_THAT(m_lines, ElementsAre(HasSubstr("did not come from allocate"), HasSubstr("did not come from allocate")));
}

TEST_F(HostServices, CountMemoryOfAllThreads) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([this] {
      for (int i = 0; i < 500; ++i) host().release(host().context, allocate(100));
    });
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(m_services->usedBytes(), 0U);
  EXPECT_THAT(m_lines, IsEmpty());
}

TEST_F(HostServices, WriteBoundedPrintableLinesAndNotTooMany) {
  host().log(host().context, LYNCEUS_LOG_INFO, "a\nb");
  host().log(host().context, 77, nullptr);
  for (int i = 0; i < 1000; ++i) host().log(host().context, LYNCEUS_LOG_DEBUG, std::string(i, 'x').c_str());
  ASSERT_EQ(m_lines.size(), 21U);
  EXPECT_EQ(m_lines[0], "a?b");
  EXPECT_EQ(m_lines[1], "(null)");
  EXPECT_THAT(m_lines[20], HasSubstr("more than 20 lines"));
  EXPECT_THAT(m_services->reason(), HasSubstr("xxx"));  // the last one, though nobody saw it
}

TEST_F(HostServices, PassProgressOnAndCancelling) {
  host().progress(host().context, 7, nullptr);
  EXPECT_EQ(m_fraction, 1);
  EXPECT_EQ(host().cancelled(host().context), 0);
  m_context.cancel();
  EXPECT_NE(host().cancelled(host().context), 0);
}

TEST_F(HostServices, CopyFindings) {
  char kind[] = "mass";
  EXPECT_EQ(report(0.25, 8, kind, 3), LYNCEUS_OK);
  kind[0] = 'x';
  EXPECT_EQ(report(1), LYNCEUS_OK);
  ASSERT_EQ(m_services->findings().size(), 2U);
  const detect::Finding& f = m_services->findings()[0];
  EXPECT_EQ(f.kind, "mass");
  EXPECT_EQ(f.centerMm, (image::Point3{3, 0, 50}));
  EXPECT_EQ(f.boxMm.min, (image::Point3{-1, -4, 46}));
  EXPECT_EQ(f.estimatedDiameterMm, 8);
  EXPECT_EQ(m_services->findings()[1].kind, "lung-nodule");
  EXPECT_TRUE(m_services->refusal().empty());
}

TEST_F(HostServices, RefuseWhatIsNoFindingWithOneLine) {
  const double nan = std::nan(""), infinite = std::numeric_limits<double>::infinity();
  for (const double score : {nan, infinite, -0.1, 1.1}) EXPECT_EQ(report(score), LYNCEUS_FAILED);
  for (const double diameter : {nan, infinite, 0.0, -1.0, 501.0}) EXPECT_EQ(report(0.5, diameter), LYNCEUS_FAILED);
  for (const double x : {nan, infinite, -infinite, -61.0, 60.0}) EXPECT_EQ(report(0.5, 5, nullptr, x), LYNCEUS_FAILED);
  EXPECT_EQ(report(0.5, 5, "liver-lesion"), LYNCEUS_FAILED);
  EXPECT_EQ(host().report(host().context, nullptr), LYNCEUS_FAILED);
  EXPECT_THAT(m_lines, ElementsAre(HasSubstr("a score is nan")));
  EXPECT_EQ(m_services->refusal(), "a score is nan, not 0 to 1");
  EXPECT_THAT(m_services->findings(), IsEmpty());
  // The margin: 10 mm beyond the last voxel.
  EXPECT_EQ(report(0.5, 5, nullptr, 59), LYNCEUS_OK);
  EXPECT_EQ(report(0.5, 5, nullptr, -60), LYNCEUS_OK);
}

TEST_F(HostServices, RunNetworksOfThePluginsFolder) {
  writeNetwork(m_root / "plugin" / "sum.onnx");
  lynceus_network* network = nullptr;
  ASSERT_EQ(open("sum.onnx", &network), LYNCEUS_OK) << testing::PrintToString(m_lines);
  const int64_t shape[] = {1, 2};
  const float a[] = {1, 2}, b[] = {10, 20};
  const lynceus_tensor inputs[] = {{sizeof(lynceus_tensor), "b", shape, b, 2},
                                   {sizeof(lynceus_tensor), "a", shape, a, 2}};
  const lynceus_tensor* outputs = nullptr;
  uint32_t count = 0;
  ASSERT_EQ(host().network_run(host().context, network, inputs, 2, &outputs, &count), LYNCEUS_OK)
      << testing::PrintToString(m_lines);
  ASSERT_EQ(count, 1U);
  EXPECT_EQ(outputs[0].struct_size, sizeof(lynceus_tensor));
  ASSERT_EQ(outputs[0].rank, 2U);
  EXPECT_EQ(outputs[0].shape[1], 2);
  EXPECT_EQ(outputs[0].values[0], 21);
  EXPECT_EQ(outputs[0].values[1], 42);
}

TEST_F(HostServices, RefuseFilesOutsideThePluginsFolder) {
  writeNetwork(m_root / "outside.onnx");
  writeNetwork(m_root / "plugin" / "sum.onnx");
  fs::create_symlink(m_root / "outside.onnx", m_root / "plugin" / "link.onnx");
  fs::create_directory_symlink(m_root.path(), m_root / "plugin" / "up");
  fs::create_symlink("sum.onnx", m_root / "plugin" / "inside.onnx");
  lynceus_network* network = nullptr;
  EXPECT_EQ(open("../outside.onnx", &network), LYNCEUS_FAILED);
  EXPECT_EQ(open("x/../../outside.onnx", &network), LYNCEUS_FAILED);
  EXPECT_EQ(open((m_root / "outside.onnx").c_str(), &network), LYNCEUS_FAILED);
  EXPECT_EQ(open("link.onnx", &network), LYNCEUS_FAILED);
  EXPECT_THAT(m_lines.back(), HasSubstr("leads out of the plugin's folder"));
  EXPECT_EQ(open("up/outside.onnx", &network), LYNCEUS_FAILED);
  EXPECT_EQ(open("", &network), LYNCEUS_FAILED);
  EXPECT_EQ(open(nullptr, &network), LYNCEUS_FAILED);
  EXPECT_EQ(open(std::string(5000, 'x').c_str(), &network), LYNCEUS_FAILED);
  EXPECT_EQ(open("none.onnx", &network), LYNCEUS_NO_RESOURCE);
  EXPECT_EQ(network, nullptr);
  EXPECT_EQ(open("inside.onnx", &network), LYNCEUS_OK);
}

TEST_F(HostServices, RefuseInputsThatAreNotTheNetworks) {
  writeNetwork(m_root / "plugin" / "sum.onnx");
  lynceus_network* network = nullptr;
  ASSERT_EQ(open("sum.onnx", &network), LYNCEUS_OK);
  const int64_t shape[] = {1, 2}, wrong[] = {1, 3}, negative[] = {1, -2}, huge[] = {int64_t{1} << 40, int64_t{1} << 40};
  const float values[] = {1, 2, 3};
  const size_t size = sizeof(lynceus_tensor);
  const lynceus_tensor good{size, "a", shape, values, 2};
  const lynceus_tensor* outputs = nullptr;
  uint32_t count = 0;
  const auto run = [&](const lynceus_tensor& b, uint32_t n = 2) {
    const lynceus_tensor inputs[] = {good, b};
    return host().network_run(host().context, network, inputs, n, &outputs, &count);
  };
  EXPECT_EQ(run({size, "b", shape, values, 2}), LYNCEUS_OK);
  for (const lynceus_tensor& bad : {lynceus_tensor{size, "a", shape, values, 2},
                                    {size, "c", shape, values, 2},
                                    {size, nullptr, shape, values, 2},
                                    {size, "b", nullptr, values, 2},
                                    {size, "b", shape, nullptr, 2},
                                    {size, "b", wrong, values, 2},
                                    {size, "b", negative, values, 2},
                                    {size, "b", huge, values, 2},
                                    {size, "b", shape, values, 4000000000},
                                    {size - 8, "b", shape, values, 2}})
    EXPECT_EQ(run(bad), LYNCEUS_FAILED) << testing::PrintToString(m_lines);
  EXPECT_EQ(run({size, "b", shape, values, 2}, 1), LYNCEUS_FAILED);
  EXPECT_EQ(host().network_run(host().context, nullptr, &good, 1, &outputs, &count), LYNCEUS_FAILED);
  EXPECT_EQ(host().network_run(host().context, network, &good, 1, nullptr, nullptr), LYNCEUS_FAILED);
  EXPECT_THAT(m_lines, Contains(AllOf(HasSubstr("network_run"), HasSubstr("sum.onnx"), HasSubstr("\"c\""))));
}

TEST_F(HostServices, RefuseFromOtherThreadsWhatIsForTheWorkers) {
  std::thread([this] {
    EXPECT_EQ(report(0.5), LYNCEUS_FAILED);
    host().progress(host().context, 0.5, "x");
    lynceus_network* network = nullptr;
    EXPECT_EQ(open("sum.onnx", &network), LYNCEUS_FAILED);
  }).join();
  EXPECT_EQ(m_fraction, -1);
  EXPECT_THAT(m_lines, ElementsAre(HasSubstr("report was called from another thread"), HasSubstr("progress"),
                                   HasSubstr("network_open")));
}

TEST_F(HostServices, DoNothingOnceTheJobHasEnded) {
  m_services->end();
  m_services->releaseMemory();
  EXPECT_NE(host().cancelled(host().context), 0);
  EXPECT_EQ(allocate(1), nullptr);
  host().progress(host().context, 0.5, "x");
  host().log(host().context, LYNCEUS_LOG_ERROR, "too late");
  EXPECT_EQ(report(0.5), LYNCEUS_FAILED);
  EXPECT_EQ(host().cancelled(nullptr), 1);
  EXPECT_THAT(m_lines, IsEmpty());
}

}  // namespace
}  // namespace lynceus::plugins
