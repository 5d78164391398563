#include "tests/benchmark/networks/cases.h"

#include <array>
#include <fstream>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "tests/support/networks.h"

namespace lynceus::benchmarks {
namespace {

namespace fs = std::filesystem;
using nn::Shape;

struct Layer {
  int64_t from, to, kernel;
  Shape size;
  Shape stride = {1, 1, 1};
  int64_t dilation = 1, group = 1;
  bool transposed = false;
};

// 3D convolutions of the networks below and their relatives; `size` is that of the input.
const std::vector<Layer>& layers() {
  static const std::vector<Layer> kLayers{
      {1, 32, 3, {128, 128, 128}},
      {1, 24, 3, {128, 128, 128}},
      {1, 16, 3, {128, 128, 128}},
      {16, 16, 3, {128, 128, 128}},
      {24, 24, 3, {128, 128, 128}},
      {32, 32, 3, {96, 96, 96}},
      {32, 32, 3, {64, 64, 64}},
      {64, 64, 3, {64, 64, 64}},
      {64, 64, 3, {32, 32, 32}},
      {131, 128, 3, {32, 32, 32}},
      {128, 128, 3, {32, 32, 32}},
      {256, 256, 3, {24, 48, 48}},
      {256, 18, 3, {24, 48, 48}},
      {320, 320, 3, {8, 8, 8}},
      {320, 320, 3, {4, 4, 4}},
      {32, 64, 3, {96, 96, 96}, {2, 2, 2}},
      {64, 128, 3, {64, 64, 64}, {2, 2, 2}},
      {320, 320, 3, {8, 8, 8}, {2, 2, 2}},
      {64, 64, 1, {64, 64, 64}},
      {64, 256, 1, {48, 48, 40}},
      {256, 64, 1, {48, 48, 40}},
      {256, 512, 1, {48, 48, 40}, {2, 2, 2}},
      {32, 3, 1, {128, 128, 128}},
      {1, 64, 7, {192, 192, 80}, {2, 2, 1}},
      {1, 48, 4, {192, 192, 192}, {2, 2, 2}},
      {16, 16, 5, {64, 64, 64}},
      {1, 768, 16, {96, 96, 96}, {16, 16, 16}},
      {32, 32, 3, {64, 64, 64}, {1, 1, 1}, 2},
      {64, 64, 3, {32, 32, 32}, {1, 1, 1}, 4},
      {64, 64, 3, {48, 48, 48}, {1, 1, 1}, 1, 4},
      {64, 64, 3, {48, 48, 48}, {1, 1, 1}, 1, 64},
      {64, 64, 2, {16, 16, 16}, {2, 2, 2}, 1, 1, true},
      {64, 32, 2, {64, 64, 64}, {2, 2, 2}, 1, 1, true},
      {320, 320, 2, {4, 4, 4}, {2, 2, 2}, 1, 1, true},
  };
  return kLayers;
}

std::string nameOf(const Layer& l) {
  std::string name = fmt::format("{} k{} {}->{} @{}", l.transposed ? "convtranspose" : "conv", l.kernel, l.from, l.to,
                                 fmt::join(l.size, "x"));
  if (l.stride != Shape{1, 1, 1}) name += fmt::format(" s{}", fmt::join(l.stride, ""));
  if (l.dilation != 1) name += fmt::format(" d{}", l.dilation);
  if (l.group != 1) name += fmt::format(" g{}", l.group);
  return name;
}

Shape imageOf(int64_t channels, const Shape& size) { return {1, channels, size[0], size[1], size[2]}; }

test::OnnxBuilder modelOf(const Layer& l) {
  test::OnnxBuilder b;
  const int64_t first = l.transposed ? l.from : l.to, second = l.transposed ? l.to : l.from;
  const std::string x = b.input("image", imageOf(l.from, l.size));
  const std::string w = b.weights({first, second / l.group, l.kernel, l.kernel, l.kernel}, 1);
  // Odd kernels are padded to keep the size; of the even ones only k4 s2 is, to halve it.
  const int64_t pad = l.kernel % 2 == 1 ? l.kernel / 2 * l.dilation : (l.kernel == 4 ? 1 : 0);
  auto conv = b.node(l.transposed ? "ConvTranspose" : "Conv", {x, w, b.weights({l.to}, 2)});
  conv.ints("dilations", Shape(3, l.dilation))
      .integer("group", l.group)
      .ints("kernel_shape", Shape(3, l.kernel))
      .ints("pads", Shape(6, pad))
      .ints("strides", l.stride);
  // As inside of a network: a corner of the result goes out, so that handing it over costs neither side anything.
  b.output(b.node("Slice", {conv, b.ints({0, 0, 0}), b.ints({4, 4, 4}), b.ints({2, 3, 4})}), 5);
  return b;
}

void writeModel(const test::OnnxBuilder& model, const fs::path& to) {
  const auto bytes = model.bytes();
  std::ofstream(to, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

}  // namespace

std::vector<Case> allCases(const fs::path& resources) {
  std::vector<Case> cases;
  for (const Layer& layer : layers())
    cases.push_back({nameOf(layer), {{"image", imageOf(layer.from, layer.size)}}, [layer](const fs::path& to) {
                       writeModel(modelOf(layer), to);
                     }});
  const auto network = [&](const std::string& name, const Shape& size, const auto& build) {
    const Shape image = imageOf(1, size);
    cases.push_back({fmt::format("{} @{}", name, fmt::join(size, "x")),
                     {{"image", image}},
                     [build, image](const fs::path& to) { writeModel(build(image), to); }});
  };
  network("Medical3DNet", {64, 64, 64}, [](const Shape& image) {
    return test::medical3DNet({32, 64, 128, 256}, 512, image);
  });
  network("DSB res18", {128, 128, 128}, [](const Shape& image) { return test::dsbRes18(8, image); });
  cases.back().inputs["coord"] = {1, 3, 32, 32, 32};
  network("nnU-Net", {128, 128, 128}, [](const Shape& image) {
    return test::nnUNet({32, 64, 128, 256, 320, 320}, 3, image);
  });
  network("SegResNet", {128, 128, 128}, [](const Shape& image) { return test::segResNet(16, 3, image); });
  network("UNETR", {96, 96, 96}, [](const Shape& image) { return test::unetr({}, image); });
  network("RetinaNet", {192, 192, 80}, [](const Shape& image) { return test::monaiRetinaNet(64, 256, image); });
  cases.push_back({"lung-nodule @192x192x192",
                   {{"image", {1, 1, 192, 192, 192}}},
                   nullptr,
                   resources / "models" / "lung-nodule" / "nodule_detector.onnx"});
  return cases;
}

}  // namespace lynceus::benchmarks
