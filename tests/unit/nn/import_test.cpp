// What is refused, and in which words.
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <unistd.h>

#include "tests/support/networks.h"
#include "tests/unit/nn/run_model.h"

namespace lynceus::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
namespace fs = std::filesystem;

std::string importError(const std::vector<std::byte>& bytes) {
  const auto graph = nn::parseOnnx(bytes, "bad.onnx");
  return graph ? "" : graph.error().message;
}

std::string compileError(const OnnxBuilder& b, const std::map<std::string, nn::Shape>& shapes,
                         const char* device = "cpu") {
  const auto graph = nn::parseOnnx(b.bytes(), "bad.onnx");
  EXPECT_TRUE(graph) << graph.error().message;
  const auto executable = (*compute::openDevice(device))->compile(*graph, shapes);
  return executable ? "" : executable.error().message;
}

// x -> Relu -> y, which tests then spoil.
OnnxBuilder smallModel(int opset = 17) {
  OnnxBuilder b(opset);
  b.output(b.node("Relu", {b.input("x", {1, 1, 4, 4, 4})}), 5);
  return b;
}

TEST(OnnxImport, RefusesEveryTruncationOfAFile) {
  const auto bytes = cropClassifier({4}, {1, 1, 8, 8, 8}).bytes();
  for (size_t length = 0; length < bytes.size(); length += length < 64 ? 1 : 97) {
    const auto graph = nn::parseOnnx(std::span(bytes).first(length), "cut.onnx");
    if (graph) continue;  // the cut fell between two fields and left a smaller model; it must not crash
    EXPECT_THAT(graph.error().message, HasSubstr("cut.onnx"));
  }
  EXPECT_THAT(importError({bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(bytes.size() / 2)}),
              HasSubstr("damaged"));
}

// Whatever the bytes say, the answer is a graph or an error; sanitizers watch the rest.
TEST(OnnxImport, SurvivesChangedBytes) {
  const auto bytes = residualUNet(1, {1, 1, 16, 16, 16}).bytes();
  std::mt19937 random(5);
  int refused = 0;
  for (int i = 0; i < 1500; ++i) {
    auto changed = bytes;
    for (int k = 0; k < 1 + i % 4; ++k) changed[random() % changed.size()] = static_cast<std::byte>(random());
    const auto graph = nn::parseOnnx(changed, "changed.onnx");
    const bool runs = graph && (*compute::openDevice("reference"))->compile(*graph, {{"image", {1, 1, 16, 16, 16}}});
    refused += runs ? 0 : 1;
  }
  EXPECT_GT(refused, 100);
}

TEST(OnnxImport, SaysWhichOpsetsItReads) {
  EXPECT_THAT(importError(smallModel(6).bytes()), AllOf(HasSubstr("operator set 6"), HasSubstr("7 to 21")));
  EXPECT_THAT(importError(smallModel(22).bytes()), HasSubstr("operator set 22"));
}

TEST(OnnxImport, NamesTheNodeWithADanglingInput) {
  auto b = smallModel();
  b.graph().mutable_node(0)->set_input(0, "nowhere");
  EXPECT_THAT(importError(b.bytes()),
              AllOf(HasSubstr("Relu_0"), HasSubstr("\"nowhere\""), HasSubstr("nothing produces")));
}

TEST(OnnxImport, NamesTheNodeInACycle) {
  OnnxBuilder b;
  const std::string x = b.input("x", {1, 1, 4});
  auto first = b.node("Add", {x, "late"});
  b.node("Relu", {first.output()});
  b.graph().mutable_node(1)->set_output(0, "late");
  b.output("late", 3);
  EXPECT_THAT(importError(b.bytes()), AllOf(HasSubstr("Add_0"), HasSubstr("\"late\""), HasSubstr("cycle")));
}

TEST(OnnxImport, RefusesAnOutputThatNothingComputes) {
  auto b = smallModel();
  b.graph().mutable_output(0)->set_name("ghost");
  EXPECT_THAT(importError(b.bytes()), HasSubstr("output \"ghost\""));
}

TEST(OnnxImport, ComparesTheShapeOfAnInitialiserWithItsBytes) {
  auto b = smallModel();
  const std::string name = b.constant(randomTensor({4, 4}, 1));
  b.graph().mutable_initializer(0)->set_dims(0, 5);
  EXPECT_THAT(importError(b.bytes()), AllOf(HasSubstr(name), HasSubstr("64 bytes"), HasSubstr("needs 80")));
  b.graph().mutable_initializer(0)->set_dims(0, int64_t{1} << 62);
  EXPECT_THAT(importError(b.bytes()), HasSubstr("not possible"));
  b.graph().mutable_initializer(0)->set_dims(0, -4);
  EXPECT_THAT(importError(b.bytes()), HasSubstr("not possible"));
}

TEST(OnnxImport, WidensHalfAndTypedData) {
  OnnxBuilder b;
  const std::string x = b.input("x", {2});
  auto* half = b.graph().add_initializer();
  half->set_name("h");
  half->set_data_type(OnnxBuilder::Proto::FLOAT16);
  half->add_dims(2);
  half->set_raw_data(std::string("\x00\x3e\x00\xc0", 4));  // 1.5, -2
  auto* twice = b.graph().add_initializer();
  twice->set_name("d");
  twice->set_data_type(OnnxBuilder::Proto::DOUBLE);
  twice->add_dims(2);
  twice->add_double_data(0.25);
  twice->add_double_data(8);
  b.output(b.node("Add", {b.node("Add", {x, "h"}).output(), "d"}), 1);
  EXPECT_EQ(runOne(b, "cpu", {{2}, std::vector<float>{1, 1}}).floats(), (std::vector<float>{2.75F, 7}));
}

TEST(OnnxImport, TakesInitialisersThatAreListedAsInputs) {
  OnnxBuilder b;
  const std::string x = b.input("x", {1, 1, 4, 4, 4}), w = b.weights({2, 1, 1, 1, 1}, 1);
  b.input(w, {2, 1, 1, 1, 1});
  b.output(b.node("Conv", {x, w}), 5);
  const auto graph = nn::parseOnnx(b.bytes(), "ir3");
  ASSERT_TRUE(graph) << graph.error().message;
  EXPECT_EQ(graph->inputs.size(), 1U);
}

class ExternalData : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(m_folder / "models"); }
  void TearDown() override { fs::remove_all(m_folder); }

  // A model whose bias of two floats lies at `location`, with the given length.
  Expected<nn::Graph> import(const std::string& location, const std::string& length) {
    OnnxBuilder b;
    const std::string x = b.input("x", {2});
    auto* t = b.graph().add_initializer();
    t->set_name("bias");
    t->set_data_type(OnnxBuilder::Proto::FLOAT);
    t->add_dims(2);
    t->set_data_location(OnnxBuilder::Proto::EXTERNAL);
    for (const auto& [key, value] :
         {std::pair{"location", location}, std::pair{"offset", std::string("4")}, std::pair{"length", length}}) {
      auto* entry = t->add_external_data();
      entry->set_key(key);
      entry->set_value(value);
    }
    b.output(b.node("Add", {x, "bias"}), 1);
    const auto bytes = b.bytes();
    const fs::path model = m_folder / "models" / "m.onnx";
    std::ofstream(model, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    const float values[] = {9, 1, 2};
    for (const fs::path& file : {m_folder / "outside.bin", m_folder / "models" / "w.bin"})
      std::ofstream(file, std::ios::binary).write(reinterpret_cast<const char*>(values), sizeof(values));
    return nn::importOnnx(model);
  }
  std::string error(const std::string& location, const std::string& length = "8") {
    const auto graph = import(location, length);
    return graph ? "" : graph.error().message;
  }

  fs::path m_folder = fs::temp_directory_path() / ("lynceus-external-" + std::to_string(getpid()));
};

TEST_F(ExternalData, IsReadBesideTheModel) {
  const auto graph = import("w.bin", "8");
  ASSERT_TRUE(graph) << graph.error().message;
  EXPECT_EQ(graph->constants.at("bias").floats(), (std::vector<float>{1, 2}));
}

TEST_F(ExternalData, StaysInTheFolderOfTheModel) {
  EXPECT_THAT(error("../outside.bin"), AllOf(HasSubstr("bias"), HasSubstr("leaves the model's folder")));
  EXPECT_THAT(error((m_folder / "outside.bin").string()), HasSubstr("leaves the model's folder"));
  fs::create_symlink(m_folder / "outside.bin", m_folder / "models" / "link.bin");
  EXPECT_THAT(error("link.bin"), HasSubstr("leaves the model's folder"));
}

TEST_F(ExternalData, IsBoundedByTheFile) {
  EXPECT_THAT(error("w.bin", "12"), HasSubstr("needs 8 bytes"));
  EXPECT_THAT(error("w.bin", "many"), HasSubstr("not a number"));
  EXPECT_THAT(error("none.bin"), HasSubstr("missing"));
}

TEST(Compile, ListsEveryNodeThatCannotRunAndWhatToExportInstead) {
  OnnxBuilder b;
  const std::string x = b.input("x", {1, 1, 4, 4, 4});
  const std::string y = b.node("RoiAlign", {b.node("NonMaxSuppression", {b.node("RoiAlign", {x, x}).output()}).output(), x});
  b.output(y, 5);
  EXPECT_THAT(compileError(b, {{"x", {1, 1, 4, 4, 4}}}),
              AllOf(HasSubstr("\"RoiAlign_0\", \"RoiAlign_2\""), HasSubstr("NonMaxSuppression_1"), HasSubstr("raw heads"),
                    HasSubstr("supported are")));
}

TEST(Compile, IgnoresUnknownOperatorsThatNoOutputNeeds) {
  auto b = smallModel();
  b.node("NonZero", {"x"});
  EXPECT_EQ(compileError(b, {{"x", {1, 1, 4, 4, 4}}}), "");
}

TEST(Compile, ListsAllContradictionsAtOnce) {
  OnnxBuilder b;
  const std::string x = b.input("x", {1, 3, 4, 4, 4});
  b.output(b.node("Conv", {x, b.weights({8, 4, 3, 3, 3}, 1)}), 5);
  b.output(b.node("MaxPool", {x}).ints("kernel_shape", {9, 9, 9}), 5);
  b.output(b.node("Resize", {x, "", b.constant({{5}, std::vector<float>{1, 1, 2, 2, 2}})}).text("mode", "cubic"), 5);
  EXPECT_THAT(compileError(b, {{"x", {1, 3, 4, 4, 4}}}),
              AllOf(HasSubstr("Conv"), HasSubstr("3 input channels"), HasSubstr("MaxPool"), HasSubstr("does not fit"),
                    HasSubstr("cubic")));
}

TEST(Compile, WantsTheShapeThatTheNetworkTakes) {
  const auto b = smallModel();
  EXPECT_THAT(compileError(b, {{"x", {1, 2, 4, 4, 4}}}),
              HasSubstr("\"x\" is 1x2x4x4x4, but the network takes 1x1x4x4x4"));
  EXPECT_THAT(compileError(b, {}), HasSubstr("no shape is given for the network's input \"x\""));
  EXPECT_THAT(compileError(b, {{"x", {1, 1, 4, 4, 4}}, {"y", {1}}}), HasSubstr("no input \"y\""));
}

TEST(Compile, RefusesAttributesOfTheWrongType) {
  OnnxBuilder b;
  const std::string x = b.input("x", {1, 1, 4, 4, 4});
  b.output(b.node("Conv", {x, b.weights({8, 1, 3, 3, 3}, 1)}).integer("strides", 2), 5);
  EXPECT_THAT(compileError(b, {{"x", {1, 1, 4, 4, 4}}}),
              AllOf(HasSubstr("Conv"), HasSubstr("strides has the wrong type")));
}

TEST(Compile, RefusesOutputsThatNoMemoryCouldHold) {
  OnnxBuilder b;
  const std::string x = b.input("x", {1, 1, 4, 4, 4});
  b.output(b.node("Expand", {x, b.ints({1 << 20, 1 << 19, 4, 4, 4})}), 5);
  EXPECT_THAT(compileError(b, {{"x", {1, 1, 4, 4, 4}}}), HasSubstr("too large"));
}

TEST(Compile, RefusesDevicesThatDoNotExist) {
  const auto device = compute::openDevice("abacus");
  ASSERT_FALSE(device);
  EXPECT_THAT(device.error().message, HasSubstr("abacus"));
}

}  // namespace
}  // namespace lynceus::test
