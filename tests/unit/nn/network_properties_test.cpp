// What holds for every network, whatever it is made of: the same bits with any number of threads, in batches or one by
// one, in any order, with memory shared or not; and little memory.
#include <omp.h>

#include "tests/support/networks.h"
#include "tests/unit/nn/run_model.h"

namespace lynceus::test {
namespace {

using compute::Precision;
using Outputs = std::vector<nn::Tensor>;

struct NetworkCase {
  const char* name;
  OnnxBuilder model;
  nn::Shape image;  ///< batch 1
};

std::ostream& operator<<(std::ostream& out, const NetworkCase& c) { return out << c.name; }

std::vector<NetworkCase> networks() {
  const nn::Shape open{-1, 1, -1, -1, -1};
  UnetrOptions transformer{.hidden = 48, .layers = 4, .heads = 4, .mlp = 96, .features = 4, .classes = 3};
  return {
      {"ResidualUNet", residualUNet(8, open), {1, 1, 16, 24, 32}},
      {"Medical3DNet", medical3DNet({8, 16, 32}, 24, {-1, 1, 24, 16, 24}), {1, 1, 24, 16, 24}},
      {"RetinaNet", monaiRetinaNet(8, 32, open), {1, 1, 52, 44, 22}},
      {"NnUNet", nnUNet({8, 16, 24, 32}, 3, open), {1, 1, 32, 24, 40}},
      {"SegResNet", segResNet(8, 3, open), {1, 1, 32, 24, 40}},
      {"Unetr", unetr(transformer, {-1, 1, 32, 48, 32}), {1, 1, 32, 48, 32}},
  };
}

class Network : public testing::TestWithParam<std::tuple<Precision, NetworkCase>> {
 protected:
  void SetUp() override {
    const auto graph = nn::parseOnnx(network().model.bytes(), network().name);
    ASSERT_TRUE(graph) << graph.error().message;
    m_graph = *graph;
    if (precision() == Precision::bf16 && !compiles(network().image))
      GTEST_SKIP() << "this processor has no bfloat16 arithmetic";
  }

  static const NetworkCase& network() { return std::get<1>(GetParam()); }
  static Precision precision() { return std::get<0>(GetParam()); }
  bool compiles(const nn::Shape& image) const {
    const auto executable = (*compute::openDevice("cpu"))->compile(m_graph, {{"image", image}}, {precision()});
    return executable || executable.error().code != ErrorCode::resource;
  }
  std::unique_ptr<compute::Executable> compile(const nn::Shape& image, bool reuseMemory = true) const {
    auto executable = (*compute::openDevice("cpu"))->compile(m_graph, {{"image", image}}, {precision(), reuseMemory});
    EXPECT_TRUE(executable) << executable.error().message;
    return std::move(*executable);
  }
  static Outputs run(compute::Executable& executable, const nn::Tensor& image) {
    auto outputs = executable.run({image});
    EXPECT_TRUE(outputs) << outputs.error().message;
    return std::move(*outputs);
  }
  static void expectSameBits(const Outputs& a, const Outputs& b, const std::string& what) {
    ASSERT_EQ(a.size(), b.size());
    for (size_t k = 0; k < a.size(); ++k) EXPECT_TRUE(a[k].data == b[k].data) << what << ", output " << k;
  }

  nn::Graph m_graph;
};

TEST_P(Network, GivesTheSameBitsWithAnyNumberOfThreads) {
  const nn::Tensor image = randomTensor(network().image, 1);
  const int threads = omp_get_max_threads();
  const Outputs expected = run(*compile(network().image), image);
  for (const int n : {1, 3, 4}) {
    omp_set_num_threads(n);
    expectSameBits(run(*compile(network().image), image), expected, std::to_string(n) + " threads");
  }
  omp_set_num_threads(threads);
}

TEST_P(Network, GivesForABatchWhatItGivesOneByOne) {
  nn::Shape batch = network().image;
  batch[0] = 3;
  const nn::Tensor images = randomTensor(batch, 2);
  const Outputs together = run(*compile(batch), images);
  const auto single = compile(network().image);
  const size_t voxels = images.size() / 3;
  for (size_t n = 0; n < 3; ++n) {
    nn::Tensor image = nn::Tensor::zeros(network().image);
    std::copy_n(images.floats().begin() + static_cast<int64_t>(n * voxels), voxels, image.floats().begin());
    const Outputs alone = run(*single, image);
    for (size_t k = 0; k < alone.size(); ++k) {
      const std::vector<float>& values = alone[k].floats();
      const auto part = together[k].floats().begin() + static_cast<int64_t>(n * values.size());
      EXPECT_TRUE(std::equal(values.begin(), values.end(), part)) << "image " << n << ", output " << k;
    }
  }
}

TEST_P(Network, DoesNotRememberTheTileBefore) {
  const auto executable = compile(network().image);
  const nn::Tensor a = randomTensor(network().image, 3), b = randomTensor(network().image, 4);
  const Outputs first = run(*executable, a), second = run(*executable, b);
  expectSameBits(run(*executable, b), second, "the second tile again");
  expectSameBits(run(*executable, a), first, "the first tile again");
}

TEST_P(Network, GivesTheSameBitsWithoutSharingMemory) {
  const nn::Tensor image = randomTensor(network().image, 5);
  expectSameBits(run(*compile(network().image, false), image), run(*compile(network().image), image), "no sharing");
}

TEST_P(Network, TakesLittleMoreMemoryThanIsAliveAtOnce) {
  const auto report = compile(network().image)->report();
  EXPECT_GT(report.boundBytes, 0U);
  EXPECT_LE(static_cast<double>(report.arenaBytes), 1.10 * static_cast<double>(report.boundBytes));
}

class NetworkInBf16 : public Network {};

// bfloat16 has 8 bits: each of up to 100 layers rounds its weights and its result by up to 2^-9 of their size, in
// either direction: sqrt(200) * 2^-9.
TEST_P(NetworkInBf16, StaysNearTheFloatResult) {
  const nn::Tensor image = randomTensor(network().image, 6);
  const Outputs half = run(*compile(network().image), image);
  const auto full = (*compute::openDevice("cpu"))->compile(m_graph, {{"image", network().image}});
  const Outputs exact = run(**full, image);
  for (size_t k = 0; k < exact.size(); ++k) {
    double difference = 0, size = 0;
    for (size_t i = 0; i < exact[k].size(); ++i) {
      difference += std::pow(half[k].floats()[i] - exact[k].floats()[i], 2);
      size += std::pow(exact[k].floats()[i], 2);
    }
    EXPECT_LE(std::sqrt(difference), 0.028 * std::sqrt(size)) << "output " << k;
  }
}

std::string caseName(const testing::TestParamInfo<Network::ParamType>& test) {
  return std::string(std::get<1>(test.param).name) + (std::get<0>(test.param) == Precision::bf16 ? "InBf16" : "");
}

INSTANTIATE_TEST_SUITE_P(Every, Network,
                         testing::Combine(testing::Values(Precision::fp32, Precision::bf16),
                                          testing::ValuesIn(networks())),
                         caseName);
INSTANTIATE_TEST_SUITE_P(Every, NetworkInBf16,
                         testing::Combine(testing::Values(Precision::bf16), testing::ValuesIn(networks())), caseName);

}  // namespace
}  // namespace lynceus::test
