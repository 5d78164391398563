// Kernels of the cpu that move more than they compute: bytes that have to be read and written (every activation once),
// in a second, beside what copying memory does in the same run.
#include <cstring>
#include <functional>
#include <random>

#include <benchmark/benchmark.h>

#include "core/nn/passes/fuse.h"
#include "core/parallel.h"
#include "tests/support/cpu_kernel.h"

namespace {

using namespace lynceus;
using nn::Shape;
using nn::Tensor;
using nn::Type;
using test::CpuKernel;
using test::KernelInput;

Tensor random(Shape shape) {
  std::mt19937 generator(1);
  Tensor t = Tensor::zeros(std::move(shape));
  for (float& v : t.floats()) v = static_cast<float>(generator() >> 8) * 0x1p-23F - 1;
  return t;
}

/// One node; the bytes of in-place kernels are the same as of others.
struct Case {
  std::string name;
  nn::Node node;
  std::vector<KernelInput> inputs;
  Shape output;
  int opset = 17;
};

void run(benchmark::State& state, const Case& c, Type type) {
  auto kernel = CpuKernel::make(c.node, c.opset, c.inputs, {{c.output}}, type, type);
  if (!kernel) return state.SkipWithError(kernel.error().message.c_str());
  (*kernel)->run();
  while (state.KeepRunning()) (*kernel)->run();
  state.SetBytesProcessed(static_cast<int64_t>((*kernel)->bytes()) * state.iterations());
  state.SetLabel((*kernel)->step().kernel);
}

// As many bytes as a kernel reads and writes of a value of 32 channels and 96 voxels each way.
void copyMemory(benchmark::State& state) {
  constexpr int64_t kBytes = int64_t{96} * 96 * 96 * 32 * 4, kBlock = 1 << 16;
  const auto from = allocatePages(kBytes), to = allocatePages(kBytes);
  const auto copy = [&] {
    parallelFor(kBytes / kBlock, [&](int64_t i) {
      std::memcpy(static_cast<char*>(to.get()) + i * kBlock, static_cast<const char*>(from.get()) + i * kBlock, kBlock);
    });
  };
  std::memset(from.get(), 1, kBytes);
  copy();
  while (state.KeepRunning()) copy();
  state.SetBytesProcessed(2 * kBytes * state.iterations());
}

nn::Node node(const std::string& op, std::map<std::string, nn::Attribute> attributes = {}) {
  return {op, op, {}, {op + "_out"}, std::move(attributes)};
}

Tensor ints(std::vector<int64_t> values) { return {{static_cast<int64_t>(values.size())}, std::move(values)}; }

std::vector<Case> cases() {
  const Shape x{1, 32, 96, 96, 96}, tokens{1, 4096, 768};
  const KernelInput image{random(x)}, row{random(tokens)};
  const KernelInput perChannel{random({32}), true}, perToken{random({768}), true};
  using Ints = std::vector<int64_t>;
  std::vector<Case> all{
      {"GroupNorm", node(nn::kGroupNorm, {{"num_groups", int64_t{8}}}), {image, perChannel, perChannel}, x},
      {"GroupNorm+LeakyRelu",
       node(nn::kGroupNorm,
            {{"num_groups", int64_t{32}}, {nn::kFusedActivation, std::string("LeakyRelu")}, {nn::kFusedAlpha, 0.01F}}),
       {image, perChannel, perChannel},
       x},
      {"BatchNormalization",
       node("BatchNormalization"),
       {image, perChannel, perChannel, perChannel, {Tensor{{32}, std::vector<float>(32, 1)}, true}},
       x},
      {"LayerNormalization", node("LayerNormalization"), {row, perToken, perToken}, tokens},
      {"GlobalAveragePool", node("GlobalAveragePool"), {image}, {1, 32, 1, 1, 1}},
      {"Add", node("Add"), {image, image}, x},
      {"Add+Relu", node("Add", {{nn::kFusedActivation, std::string("Relu")}}), {image, image}, x},
      {"MulByChannel", node("Mul"), {image, {random({1, 32, 1, 1, 1})}}, x},
      {"AddBias", node("Add"), {row, perToken}, tokens},
      {"Relu", node("Relu"), {image}, x},
      {"Sigmoid", node("Sigmoid"), {image}, x},
      {"Erf", node("Erf"), {row}, tokens},
      {"Concat", node("Concat", {{"axis", int64_t{1}}}), {image, image}, {1, 64, 96, 96, 96}},
      {"MaxPool",
       node("MaxPool", {{"kernel_shape", Ints{2, 2, 2}}, {"strides", Ints{2, 2, 2}}}),
       {image},
       {1, 32, 48, 48, 48}},
      {"SoftmaxOfRows", node("Softmax"), {{random({12, 512, 512})}}, {12, 512, 512}},
      {"SoftmaxOfChannels", node("Softmax", {{"axis", int64_t{1}}}), {image}, x},
      {"TransposeHeads",
       node("Transpose", {{"perm", Ints{0, 2, 1, 3}}}),
       {{random({1, 4096, 12, 64})}},
       {1, 12, 4096, 64}},
      {"TransposeMatrix", node("Transpose", {{"perm", Ints{1, 0}}}), {{random({4096, 768})}}, {768, 4096}},
      {"TokensToImage", node("Transpose", {{"perm", Ints{0, 2, 1}}}), {row}, {1, 768, 4096}},
      {"Slice",
       node("Slice"),
       {image, {ints({8, 8, 8}), true}, {ints({88, 88, 88}), true}, {ints({2, 3, 4}), true}},
       {1, 32, 80, 80, 80}},
  };
  for (const char* mode : {"nearest", "linear"})
    all.push_back({std::string("Resize ") + mode,
                   node("Resize", {{"mode", std::string(mode)}}),
                   {{random({1, 32, 48, 48, 48})},
                    {Tensor{{0}, std::vector<float>{}}, true},
                    {Tensor{{5}, std::vector<float>{1, 1, 2, 2, 2}}, true}},
                   x});
  return all;
}

bool hasBf16() { return __builtin_cpu_supports("avx512bf16") != 0; }

class Timing : public benchmark::internal::Benchmark {
 public:
  using Body = std::function<void(benchmark::State&)>;
  Timing(const std::string& name, Body body) : Benchmark(name.c_str()), m_body(std::move(body)) {}
  void Run(benchmark::State& state) override { m_body(state); }

 private:
  Body m_body;
};

// The library owns what it is given.
void registerAll(const std::vector<std::pair<std::string, Timing::Body>>& timings) {
  std::vector<benchmark::internal::Benchmark*> owned;
  for (const auto& [name, body] : timings) owned.push_back(new Timing(name, body));
  for (benchmark::internal::Benchmark* timing : owned)
    benchmark::internal::RegisterBenchmarkInternal(timing)->MeasureProcessCPUTime()->UseRealTime()->Unit(
        benchmark::kMillisecond);
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::pair<std::string, Timing::Body>> timings{{"copy", copyMemory}};
  for (const Case& c : cases())
    for (const Type type : {Type::f32, Type::bf16}) {
      const bool runs = type == Type::f32 || (hasBf16() && nn::cpu::kernelFor(c.node.op, c.opset).bf16);
      if (runs)
        timings.emplace_back(c.name + (type == Type::f32 ? "/f32" : "/bf16"),
                             [c, type](benchmark::State& state) { run(state, c, type); });
    }
  registerAll(timings);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
