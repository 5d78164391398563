// A detector made for tests: a package folder with networks of one layer, and volumes with blobs for it to find.
#pragma once

#include <cmath>
#include <fstream>

#include "core/detect/pipeline.h"
#include "core/sha256.h"
#include "tests/support/onnx_builder.h"
#include "tests/support/temporary_folder.h"

namespace lynceus::test {

/// Weights of a convolution over 4 x 4 x 4 voxels in steps of 2: a cell's centre is the middle of its voxels.
struct Kernel {
  std::vector<float> weights;  ///< outputs * 64
  std::vector<float> bias;     ///< outputs
};

/// Channels heat, size and offset x, y, z in this order: the mean of the voxels, 8 mm, and where there is more.
inline Kernel symmetricKernel() {
  Kernel k{std::vector<float>(320, 0.0F), {-12, std::log(8.0F), 0, 0, 0}};
  for (size_t i = 0; i < 64; ++i) {
    const auto side = [](size_t position) { return position < 2 ? -0.02F : 0.02F; };
    k.weights[i] = 30.0F / 64;
    k.weights[128 + i] = side(i % 4);
    k.weights[192 + i] = side(i / 4 % 4);
    k.weights[256 + i] = side(i / 16);
  }
  return k;
}

/// The same with an error of its own at every place: it answers otherwise for a mirror image.
inline Kernel skewKernel() {
  Kernel k = symmetricKernel();
  const std::vector<float> error = randomFloats(k.weights.size(), 5, -0.05F, 0.05F);
  for (size_t i = 0; i < error.size(); ++i) k.weights[i] += error[i];
  return k;
}

/// @param meanToOffset  added to the offset along x: this many mm for each unit of the tile's mean.
inline OnnxBuilder firstStage(const Kernel& kernel, float meanToOffset = 0) {
  OnnxBuilder b;
  const std::string image = b.input("image", {1, 1, -1, -1, -1});
  const auto conv = [&](size_t first, int64_t channels) {
    const auto count = static_cast<size_t>(channels);
    const auto part = [&](const std::vector<float>& v, size_t each) {
      const auto from = v.begin() + static_cast<std::ptrdiff_t>(first * each);
      return std::vector<float>(from, from + static_cast<std::ptrdiff_t>(count * each));
    };
    return b
        .node("Conv", {image, b.constant({{channels, 1, 4, 4, 4}, part(kernel.weights, 64)}),
                       b.constant({{channels}, part(kernel.bias, 1)})})
        .ints("kernel_shape", {4, 4, 4})
        .ints("strides", {2, 2, 2})
        .ints("pads", {1, 1, 1, 1, 1, 1})
        .output();
  };
  const auto name = [&](const std::string& value, const std::string& as) {
    auto* node = b.graph().add_node();
    node->set_op_type("Identity");
    node->add_input(value);
    node->add_output(as);
    b.output(as, 5);
  };
  name(conv(0, 1), "heat");
  name(conv(1, 1), "size");
  const std::string offset = conv(2, 3);
  const std::string mean = b.node("GlobalAveragePool", {image});
  name(b.node("Add",
              {offset, b.node("Mul", {mean, b.constant({{1, 3, 1, 1, 1}, std::vector{meanToOffset, 0.0F, 0.0F}})})}),
       "offset");
  return b;
}

/// Two logits, each a weighted sum over the crop.
inline OnnxBuilder secondStage(int64_t side, const std::vector<float>& weights) {
  OnnxBuilder b;
  const std::string crop = b.node("Flatten", {b.input("crop", {-1, 1, side, side, side})});
  const std::string out = b.node("Gemm", {crop, b.constant({{2, side * side * side}, weights})}).integer("transB", 1);
  b.output(out, 2);
  return b;
}

/// A package of these networks that takes any volume.
class SmallDetector {
 public:
  explicit SmallDetector(const OnnxBuilder& first) { write("first.onnx", first); }
  SmallDetector& tiles(int maxSize, int overlap) {
    m_tables += fmt::format("[tiling]\nmaxSizeVoxels = {}\noverlapVoxels = {}\nmultipleOf = 8\n", maxSize, overlap);
    return *this;
  }
  SmallDetector& second(const OnnxBuilder& network, int side, int candidates, double slope) {
    write("second.onnx", network);
    m_tables += fmt::format(
        "[secondStage]\nnetwork = \"second.onnx\"\ncropVoxels = {}\ncandidates = {}\n[calibration]\nslope = 0.5\n"
        "secondStageSlope = {}\nintercept = -1\n",
        side, candidates, slope);
    return *this;
  }
  SmallDetector& mostFindings(int count) {
    m_output = fmt::format("maxFindings = {}\n", count);
    return *this;
  }
  /// Written by now; gone with this.
  std::string folder() const { return package().folder.string(); }
  model::Package package() const {
    std::ofstream(m_folder / "model.toml") << R"(schemaVersion = 1
id = "test"
version = "1"
task = "lung-nodule"
licence = "none"
network = "first.onnx"
[input]
pixelSpacingMm = [0.1, 10]
sliceSpacingMm = [0.1, 10]
sliceThicknessMm = [0.1, 10]
coverageMm = [1, 1000]
[preprocessing]
spacingMm = 1.0
windowHu = [-1000, 0]
[output]
coding = "heat-map"
threshold = 0.01
)" << m_output << m_tables << "[sha256]\n" << m_hashes;
    auto package = model::readPackage(m_folder.path());
    if (!package) throw std::runtime_error(package.error().message);
    return std::move(*package);
  }
  detect::Pipeline pipeline() const {
    auto made = detect::Pipeline::create(package(), *compute::openDevice("cpu"));
    if (!made) throw std::runtime_error(made.error().message);
    return std::move(*made);
  }

 private:
  void write(const std::string& name, const OnnxBuilder& network) {
    const auto bytes = network.bytes();
    std::ofstream(m_folder / name, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    m_hashes += fmt::format("\"{}\" = \"{}\"\n", name, *sha256OfFile(m_folder / name));
  }

  TemporaryFolder m_folder;
  std::string m_output, m_tables, m_hashes;
};

/// Where a blob lies (continuous index) and by how much it is denser than what surrounds it.
struct Blob {
  image::Vec3 center;
  double hu = 600;
  double sigma = 3;  ///< voxels
};

/// Blobs in -900 HU on voxels of 1 mm.
inline image::Volume blobVolume(const image::Int3& size, const std::vector<Blob>& blobs) {
  image::Geometry g;
  g.size = size;
  g.originMm = {-20, -30, 40};
  std::vector<int16_t> hu;
  for (int z = 0; z < size.z; ++z) {
    for (int y = 0; y < size.y; ++y) {
      for (int x = 0; x < size.x; ++x) {
        double value = -900;
        for (const Blob& b : blobs) {
          const image::Vec3 d = image::Vec3{1.0 * x, 1.0 * y, 1.0 * z} - b.center;
          value += b.hu * std::exp(-image::dot(d, d) / (2 * b.sigma * b.sigma));
        }
        hu.push_back(static_cast<int16_t>(std::lround(value)));
      }
    }
  }
  return *image::Volume::create(g, std::move(hu));
}

}  // namespace lynceus::test
