// Model packages that are damaged, mixed up or hostile: the real program says in one line what is wrong, and leaves
// nothing behind.
#include <sys/stat.h>

#include <algorithm>
#include <functional>

#include <gmock/gmock.h>

#include "io/formats/image_file.h"
#include "tests/support/program.h"
#include "tests/support/small_detector.h"

namespace lynceus::fault {
namespace {

namespace fs = std::filesystem;
using test::ProgramRun;
using test::runLynceus;
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

constexpr int kResource = 4;  // the exit code for a model that is missing or broken

/// A package that works, in a folder of its own, which a test then damages.
class DamagedPackage : public testing::Test {
 protected:
  DamagedPackage() {
    write("net.onnx", test::firstStage(test::symmetricKernel()));
    describe();
    EXPECT_TRUE(io::writeImageFile(test::blobVolume({48, 40, 32}, {{{12, 30, 9}}}), m_home / "ct.mha"));
  }
  fs::path package() const { return m_home / "package"; }
  void write(const std::string& name, const test::OnnxBuilder& network) const {
    fs::create_directories(package());
    const auto bytes = network.bytes();
    std::ofstream(package() / name, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }
  /// Writes model.toml with the hash that `file` has now.
  /// @param name  what model.toml calls it.
  void describe(const std::string& name = "net.onnx", const std::string& stride = "2", const std::string& tail = "",
                const std::string& file = "net.onnx") const {
    std::ofstream(package() / "model.toml")
        << "schemaVersion = 1\nid = \"test.model\"\nversion = \"1.0.0\"\ntask = \"test\"\nlicence = \"none\"\nnetwork "
           "= \""
        << name << "\"\n[input]\npixelSpacingMm = [0.1, 10]\nsliceSpacingMm = [0.1, 10]\nsliceThicknessMm = [0.1, 10]\n"
        << "coverageMm = [1, 1000]\n[preprocessing]\nspacingMm = 1.0\nwindowHu = [-1000, 0]\n[output]\n"
        << "coding = \"heat-map\"\nthreshold = 0.01\nstrideVoxels = " << stride << "\n[tiling]\nmaxSizeVoxels = 32\n"
        << "overlapVoxels = 8\n"
        << tail << "[sha256]\n\"" << name << "\" = \"" << hashOf(file) << "\"\n";
  }
  std::string hashOf(const std::string& file) const { return *sha256OfFile(package() / file); }
  ProgramRun detect() const {
    return runLynceus("detect '" + (m_home / "ct.mha").string() + "' --model '" + package().string() + "' -o '" +
                      (m_home / "out").string() + "'");
  }
  /// One line on standard error that says so, and no file but those that were there.
  void expectRefused(const testing::Matcher<const std::string&>& what) const {
    const ProgramRun run = detect();
    EXPECT_EQ(run.exitCode, kResource) << run.err;
    EXPECT_THAT(run.err, AllOf(StartsWith("lynceus: "), what));
    EXPECT_EQ(std::count(run.err.begin(), run.err.end(), '\n'), 1) << run.err;
    EXPECT_EQ(run.out, "");
    EXPECT_TRUE(!fs::exists(m_home / "out") || fs::is_empty(m_home / "out"));
    const ProgramRun verify = runLynceus("models verify '" + package().string() + "'");
    EXPECT_EQ(verify.exitCode, kResource) << verify.out;
    EXPECT_EQ(verify.err, run.err);
  }

  const test::TemporaryFolder m_home;
};

TEST_F(DamagedPackage, WorksBeforeItIsDamaged) {
  const ProgramRun run = detect();
  EXPECT_EQ(run.exitCode, 0) << run.err;
  EXPECT_TRUE(fs::exists(m_home / "out/findings.json"));
}

TEST_F(DamagedPackage, OfAnotherHashNamesFileBothHashesAndTheRemedy) {
  const std::string wanted = hashOf("net.onnx");
  {
    std::fstream file(package() / "net.onnx", std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(100);
    file.put('\x55');
  }
  ASSERT_NE(hashOf("net.onnx"), wanted);
  expectRefused(AllOf(HasSubstr((package() / "net.onnx").string()), HasSubstr("its SHA-256 is " + hashOf("net.onnx")),
                      HasSubstr("model.toml says " + wanted), HasSubstr("install the package again")));
}

TEST_F(DamagedPackage, CutShortIsRefusedByItsHash) {
  fs::resize_file(package() / "net.onnx", fs::file_size(package() / "net.onnx") / 2);
  expectRefused(HasSubstr("net.onnx: its SHA-256 is"));
  fs::resize_file(package() / "net.onnx", 0);
  expectRefused(HasSubstr("net.onnx: its SHA-256 is e3b0c442"));  // of nothing
}

TEST_F(DamagedPackage, WithoutAFileThatItNamesSaysWhich) {
  fs::remove(package() / "net.onnx");
  expectRefused(HasSubstr("net.onnx: model.toml names this file, but it is missing"));
}

TEST_F(DamagedPackage, WithoutItsDescriptionSaysWhatIsMissing) {
  fs::remove(package() / "model.toml");
  expectRefused(HasSubstr("model.toml: there is no such file; a model package is a folder with a model.toml"));
}

TEST_F(DamagedPackage, MayNotNameAFileAboveIt) {
  fs::copy_file(package() / "net.onnx", m_home / "net.onnx");
  describe("../net.onnx");
  expectRefused(HasSubstr("model.toml: the key 'network' leaves the package with '../net.onnx'"));
  describe("sub/../../net.onnx");
  expectRefused(HasSubstr("model.toml: the key 'network' leaves the package with 'sub/../../net.onnx'"));
}

TEST_F(DamagedPackage, MayNotNameAFileByItsAbsolutePath) {
  describe((package() / "net.onnx").string());
  expectRefused(HasSubstr("model.toml: the key 'network' is the absolute path '/"));
}

TEST_F(DamagedPackage, MayNotNameAFileOfAnotherFolder) {
  fs::create_directory(package() / "sub");
  fs::copy_file(package() / "net.onnx", package() / "sub/net.onnx");
  describe("sub/net.onnx");
  expectRefused(HasSubstr("model.toml: the key 'network' is 'sub/net.onnx', in another folder"));
}

TEST_F(DamagedPackage, MayNotLeaveItsFolderThroughALink) {
  fs::rename(package() / "net.onnx", m_home / "elsewhere.onnx");
  fs::create_symlink("../elsewhere.onnx", package() / "net.onnx");
  expectRefused(HasSubstr("net.onnx: this link leaves the package's folder"));
}

TEST_F(DamagedPackage, MayItselfBeALink) {
  fs::rename(package(), m_home / "real");
  fs::create_symlink("real", package());
  EXPECT_EQ(detect().exitCode, 0);
}

TEST_F(DamagedPackage, WithAPipeOrAFolderForAFileDoesNotHang) {
  fs::remove(package() / "net.onnx");
  ASSERT_EQ(mkfifo((package() / "net.onnx").c_str(), 0600), 0);
  expectRefused(HasSubstr("net.onnx: this is not a file"));
  fs::remove(package() / "net.onnx");
  fs::create_directory(package() / "net.onnx");
  expectRefused(HasSubstr("net.onnx: this is not a file"));
}

TEST_F(DamagedPackage, WithAHugeDescriptionIsNotRead) {
  fs::resize_file(package() / "model.toml", uintmax_t{3} << 30);  // zeros that take no room on the disk
  expectRefused(HasSubstr("model.toml: more than 1 MiB"));
}

TEST_F(DamagedPackage, WithAHugeNetworkIsNotRead) {
  fs::resize_file(package() / "net.onnx", uintmax_t{3} << 30);
  expectRefused(HasSubstr("net.onnx: larger than 2 GiB"));
}

TEST_F(DamagedPackage, WithWhatIsNoNetworkSaysSo) {
  std::ofstream(package() / "net.onnx") << "not an ONNX file";
  describe();
  expectRefused(HasSubstr("net.onnx: damaged or not an ONNX file"));
}

TEST_F(DamagedPackage, WithAnotherModelsNetworkNamesTheOutputThatIsMissing) {
  test::OnnxBuilder other;
  const std::string image = other.input("image", {1, 1, -1, -1, -1});
  other.output(other.node("Relu", {image}), 5);
  write("net.onnx", other);
  describe();
  expectRefused(HasSubstr("net.onnx: the network has no output 'heat', which model.toml names; it has: 'Relu_0_out'"));
}

TEST_F(DamagedPackage, OfAnotherStrideNamesTheOutputAndBothShapes) {
  describe("net.onnx", "4");
  expectRefused(
      HasSubstr("net.onnx: the output 'heat' is 1x1x16x16x16 for a tile of 32 voxels, model.toml wants "
                "1x1x8x8x8 (1 channel, stride 4 x 4 x 4)"));
}

TEST_F(DamagedPackage, OfOtherChannelsNamesTheOutputAndBothShapes) {
  test::OnnxBuilder network;
  const std::string image = network.input("image", {1, 1, -1, -1, -1});
  for (const char* name : {"heat", "size", "offset"}) {
    auto* node = network.graph().add_node();
    node->set_op_type("AveragePool");
    auto* kernel = node->add_attribute();
    auto* strides = node->add_attribute();
    kernel->set_name("kernel_shape");
    strides->set_name("strides");
    for (auto* a : {kernel, strides}) {
      a->set_type(nn::onnx::AttributeProto::INTS);
      for (int axis = 0; axis < 3; ++axis) a->add_ints(2);
    }
    node->add_input(image);
    node->add_output(name);
    network.output(name, 5);
  }
  write("net.onnx", network);
  describe();
  expectRefused(
      HasSubstr("the output 'offset' is 1x1x16x16x16 for a tile of 32 voxels, model.toml wants 1x3x16x16x16 "
                "(3 channels, stride 2 x 2 x 2)"));
}

TEST_F(DamagedPackage, WhoseNetworkWantsAnotherInputSaysWhy) {
  test::OnnxBuilder network;
  const std::string image = network.input("image", {1, 3, -1, -1, -1});
  for (const char* name : {"heat", "size", "offset"}) {
    auto* node = network.graph().add_node();
    node->set_op_type("Identity");
    node->add_input(image);
    node->add_output(name);
    network.output(name, 5);
  }
  write("net.onnx", network);
  describe();
  expectRefused(HasSubstr("net.onnx: the network cannot run on an input of 1x1x32x32x32: "));
}

TEST_F(DamagedPackage, WhoseWeightsLieInAFileThatNobodyHashedIsRefused) {
  test::OnnxBuilder network = test::firstStage(test::symmetricKernel());
  auto* weights = network.graph().mutable_initializer(0);
  std::ofstream(package() / "weights.bin", std::ios::binary) << weights->raw_data();
  weights->clear_raw_data();
  weights->clear_float_data();
  weights->set_data_location(nn::onnx::TensorProto::EXTERNAL);
  auto* location = weights->add_external_data();
  location->set_key("location");
  location->set_value("weights.bin");
  write("net.onnx", network);
  describe();
  expectRefused(AllOf(HasSubstr("net.onnx: "), HasSubstr("weights.bin")));
}

TEST_F(DamagedPackage, WithASecondStageOfAnotherShapeSaysWhatOneGives) {
  const auto expectSecondRefused = [&](const test::OnnxBuilder& network, const char* what) {
    write("second.onnx", network);
    describe("net.onnx", "2",
             "[secondStage]\nnetwork = \"second.onnx\"\ncropVoxels = 8\n[calibration]\nsecondStageSlope = 1\n");
    std::ofstream(package() / "model.toml", std::ios::app) << "\"second.onnx\" = \"" << hashOf("second.onnx") << "\"\n";
    expectRefused(HasSubstr(what));
  };
  test::OnnxBuilder one;
  one.output(one.node("Flatten", {one.node("GlobalMaxPool", {one.input("crop", {-1, 1, 8, 8, 8})})}), 2);
  expectSecondRefused(
      one, "second.onnx: the output 'Flatten_1_out' is 8x1 for 8 crops of 8 voxels, a second stage gives 8x2");
  expectSecondRefused(test::firstStage(test::symmetricKernel()),
                      "second.onnx: the network cannot run on an input of 8x1x8x8x8");
}

}  // namespace
}  // namespace lynceus::fault
