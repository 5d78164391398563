// What is refused, and in which words.
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/nn/passes/resolve.h"
#include "tests/support/networks.h"
#include "tests/support/temporary_folder.h"
#include "tests/unit/nn/run_model.h"

namespace lynceus::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
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
  size_t refused = 0;
  for (size_t length = 0; length < bytes.size(); ++length) {
    const auto graph = nn::parseOnnx(std::span(bytes).first(length), "cut.onnx");
    if (graph) continue;  // the cut fell between two fields and left a smaller model; it must not crash
    ++refused;
    EXPECT_THAT(graph.error().message, StartsWith("cut.onnx: "));
    EXPECT_THAT(graph.error().message, Not(HasSubstr("\n")));
  }
  EXPECT_GT(refused, bytes.size() * 9 / 10);
  EXPECT_THAT(importError({bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(bytes.size() / 2)}),
              HasSubstr("damaged"));
}

TEST(OnnxImport, SurvivesDeepNesting) {
  const std::vector<std::byte> groups(1 << 20, std::byte{0x0b});  // each begins inside the one before
  EXPECT_THAT(importError(groups), HasSubstr("damaged"));

  // A node whose attribute holds a graph whose node ... 666 deep: graphs in attributes are skipped whole.
  const auto field = [](char tag, const std::string& content) {
    std::string text(1, tag);
    for (size_t n = content.size(); n > 0; n >>= 7) text += static_cast<char>((n & 127) | (n > 127 ? 128 : 0));
    return text + content;
  };
  std::string nested(1, '\0');
  for (int level = 0; level < 666; ++level) nested = field('\x0a', field('\x2a', field('\x32', nested)));
  const std::string model = smallModel().model().SerializeAsString() + field('\x3a', nested);
  const auto* first = reinterpret_cast<const std::byte*>(model.data());
  EXPECT_EQ(importError({first, first + model.size()}), "");
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

TEST(OnnxImport, NamesTheNodesOfACycleAndNoOthers) {
  OnnxBuilder b;
  const std::string x = b.input("x", {1, 1, 4});
  const std::string first = b.node("Add", {b.node("Abs", {x}), "late"});
  const std::string second = b.node("Relu", {first});
  b.node("Neg", {second});
  b.graph().mutable_node(2)->set_output(0, "late");
  b.graph().mutable_node(3)->set_input(0, "late");
  b.output("late", 3);
  EXPECT_THAT(importError(b.bytes()), AllOf(HasSubstr("2 nodes form a cycle"), HasSubstr("\"Add_1\""),
                                            HasSubstr("\"Relu_2\""), Not(HasSubstr("Neg")), Not(HasSubstr("Abs"))));
}

TEST(OnnxImport, NamesANodeThatWaitsForItself) {
  auto b = smallModel();
  b.graph().mutable_node(0)->set_input(0, b.graph().node(0).output(0));
  EXPECT_THAT(importError(b.bytes()), AllOf(HasSubstr("1 nodes form a cycle"), HasSubstr("\"Relu_0\"")));
}

TEST(OnnxImport, NamesSomeNodesOfALongCycle) {
  OnnxBuilder b;
  std::string x = "end";
  for (int i = 0; i < 1000; ++i) x = b.node("Relu", {x});
  b.graph().mutable_node(999)->set_output(0, "end");
  b.output("end", 3);
  const std::string message = importError(b.bytes());
  EXPECT_THAT(message, AllOf(HasSubstr("1000 nodes form a cycle"), HasSubstr("and more")));
  EXPECT_LT(message.size(), 400U);
}

TEST(OnnxImport, PutsNodesIntoExecutionOrder) {
  auto ordered = residualUNet(2, {1, 1, 16, 16, 16});
  auto shuffled = ordered;
  std::mt19937 random(3);
  for (int i = shuffled.graph().node_size(); i > 1; --i)
    shuffled.graph().mutable_node()->SwapElements(i - 1, static_cast<int>(random() % static_cast<unsigned>(i)));
  const nn::NamedTensor image{"image", randomTensor({1, 1, 16, 16, 16}, 4)};
  const auto expected = runModel(ordered, "reference", {image}), actual = runModel(shuffled, "reference", {image});
  ASSERT_TRUE(actual) << actual.error().message;
  EXPECT_EQ(actual->at(0).floats(), expected->at(0).floats());
  const auto graph = nn::parseOnnx(ordered.bytes(), "ordered");
  for (size_t i = 0; i < graph->nodes.size(); ++i)
    EXPECT_EQ(graph->nodes[i].name, ordered.graph().node(static_cast<int>(i)).name())
        << "what is in order stays as it is";
}

TEST(OnnxImport, TellsNodesOfOneNameApart) {
  OnnxBuilder b;
  const std::string x = b.input("x", {1, 1, 4});
  const std::string first = b.node("Relu", {x}), second = b.node("Relu", {first});
  for (int i = 0; i < 2; ++i) b.graph().mutable_node(i)->set_name("twin");
  b.output(second, 3);
  const auto graph = nn::parseOnnx(b.bytes(), "twins");
  ASSERT_TRUE(graph) << graph.error().message;
  EXPECT_EQ(graph->nodes[0].name, "twin");
  EXPECT_EQ(graph->nodes[1].name, "twin#1");
}

TEST(OnnxImport, RefusesAnAttributeThatIsThereTwice) {
  auto b = smallModel();
  for (int i = 0; i < 2; ++i) {
    auto* a = b.graph().mutable_node(0)->add_attribute();
    a->set_name("alpha");
    a->set_f(1);
  }
  EXPECT_THAT(importError(b.bytes()), AllOf(HasSubstr("attribute alpha of node \"Relu_0\""), HasSubstr("twice")));
}

TEST(OnnxImport, RefusesAValueThatTwoNodesCompute) {
  auto b = smallModel();
  b.node("Relu", {"x"});
  b.graph().mutable_node(1)->set_output(0, b.graph().node(0).output(0));
  EXPECT_THAT(importError(b.bytes()), AllOf(HasSubstr("Relu_1"), HasSubstr("exists already")));
}

TEST(OnnxImport, RefusesInputsThatAreNoFloats) {
  for (const int type : {OnnxBuilder::Proto::INT32, OnnxBuilder::Proto::BOOL, OnnxBuilder::Proto::INT8}) {
    auto b = smallModel();
    b.graph().mutable_input(0)->mutable_type()->mutable_tensor_type()->set_elem_type(type);
    EXPECT_THAT(importError(b.bytes()), AllOf(HasSubstr("input \"x\" is "), HasSubstr("float inputs")));
  }
}

TEST(OnnxImport, RefusesMoreDimensionsThanAnyNetworkHas) {
  auto b = smallModel();
  const std::string name = b.constant(randomTensor(nn::Shape(17, 1), 1));
  EXPECT_THAT(importError(b.bytes()), AllOf(HasSubstr(name), HasSubstr("17 dimensions"), HasSubstr("not possible")));
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
  b.graph().mutable_initializer(0)->set_dims(0, int64_t{1} << 60);
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

  // A model whose bias of `count` floats lies at `location`, with the given length.
  Expected<nn::Graph> import(const std::string& location, const std::string& length, int64_t count = 2) {
    OnnxBuilder b;
    const std::string x = b.input("x", {2});
    auto* t = b.graph().add_initializer();
    t->set_name("bias");
    t->set_data_type(OnnxBuilder::Proto::FLOAT);
    t->add_dims(count);
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
  std::string error(const std::string& location, const std::string& length = "8", int64_t count = 2) {
    const auto graph = import(location, length, count);
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

TEST_F(ExternalData, IsAnOrdinaryFileWithAName) {
  const fs::path models = m_folder / "models";
  fs::create_directories(models / "folder.bin");
  ASSERT_EQ(mkfifo((models / "pipe.bin").c_str(), 0600), 0);
  fs::create_symlink("loop.bin", models / "loop.bin");
  EXPECT_THAT(error("folder.bin"), AllOf(HasSubstr("bias"), HasSubstr("not a file")));
  EXPECT_THAT(error("pipe.bin"), HasSubstr("not a file"));
  EXPECT_THAT(error("loop.bin"), HasSubstr("cannot be followed"));
  EXPECT_THAT(error(""), HasSubstr("no file name"));
  EXPECT_THAT(error(std::string("w.bin\0x", 7)), HasSubstr("no file name"));
  EXPECT_THAT(error("sub/../w.bin"), HasSubstr("leaves the model's folder"));
}

// Cyclic as it looks, the model's own bytes are bytes.
TEST_F(ExternalData, MayBeTheModelItself) { EXPECT_EQ(error("m.onnx"), ""); }

TEST_F(ExternalData, IsBoundedInSumOverAllTensors) {
  // Of a sparse file, so no disk or memory is needed to say no.
  fs::create_directories(m_folder / "models");
  std::ofstream(m_folder / "models" / "huge.bin").flush();
  fs::resize_file(m_folder / "models" / "huge.bin", uintmax_t{20} << 30);
  EXPECT_THAT(error("huge.bin", std::to_string(uint64_t{17} << 30), int64_t{17} << 28), HasSubstr("more than 16 GiB"));
}

TEST(OnnxImport, OpensOrdinaryFilesOnly) {
  const TemporaryFolder folder;
  ASSERT_EQ(mkfifo((folder / "pipe.onnx").c_str(), 0600), 0);
  EXPECT_THAT(nn::importOnnx(folder / "pipe.onnx").error().message, HasSubstr("cannot be opened"));
  EXPECT_THAT(nn::importOnnx(folder / "").error().message, HasSubstr("cannot be opened"));
  EXPECT_THAT(nn::importOnnx(folder / "none.onnx").error().message, HasSubstr("cannot be opened"));
}

TEST(Compile, ListsEveryNodeThatCannotRunAndWhatToExportInstead) {
  OnnxBuilder b;
  const std::string x = b.input("x", {1, 1, 4, 4, 4});
  const std::string y =
      b.node("RoiAlign", {b.node("NonMaxSuppression", {b.node("RoiAlign", {x, x}).output()}).output(), x});
  b.output(y, 5);
  EXPECT_THAT(compileError(b, {{"x", {1, 1, 4, 4, 4}}}),
              AllOf(HasSubstr("\"RoiAlign_0\", \"RoiAlign_2\""), HasSubstr("NonMaxSuppression_1"),
                    HasSubstr("raw heads"), HasSubstr("supported are")));
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
  b.output(b.node("Resize", {x, "", b.constant({{5}, std::vector<float>{1, 1, 2, 2, 2}})}).text("mode", "sinc"), 5);
  EXPECT_THAT(compileError(b, {{"x", {1, 3, 4, 4, 4}}}),
              AllOf(HasSubstr("Conv"), HasSubstr("3 input channels"), HasSubstr("MaxPool"), HasSubstr("does not fit"),
                    HasSubstr("sinc")));
}

TEST(Compile, WantsTheShapeThatTheNetworkTakes) {
  const auto b = smallModel();
  EXPECT_THAT(compileError(b, {{"x", {1, 2, 4, 4, 4}}}),
              HasSubstr("\"x\" is 1x2x4x4x4, but the network takes 1x1x4x4x4"));
  EXPECT_THAT(compileError(b, {}), HasSubstr("no shape is given for the network's input \"x\""));
  EXPECT_THAT(compileError(b, {{"x", {1, 1, 4, 4, 4}}, {"y", {1}}}), HasSubstr("no input \"y\""));
}

TEST(Compile, RefusesSubgraphsByTheNameOfTheirOperator) {
  OnnxBuilder b;
  const std::string x = b.input("x", {1, 1, 4, 4, 4});
  b.output(b.node("Loop", {x}).branch("body", smallModel()), 5);
  EXPECT_THAT(compileError(b, {{"x", {1, 1, 4, 4, 4}}}),
              AllOf(HasSubstr("Loop (node \"Loop_0\")"), HasSubstr("export by tracing")));
}

TEST(Compile, RefusesWrongRanksByTheNameOfTheNode) {
  const nn::Shape image{1, 2, 4, 4, 4};
  const auto refused = [&](const char* op, const std::vector<nn::Shape>& constants) {
    OnnxBuilder b;
    std::vector<std::string> inputs{b.input("x", image)};
    for (const nn::Shape& shape : constants) inputs.push_back(b.constant(randomTensor(shape, 1)));
    const std::string y = b.node(op, inputs);
    b.output(y, 5);
    return compileError(b, {{"x", image}});
  };
  EXPECT_THAT(refused("Conv", {{2, 2, 3, 3}}), HasSubstr("\"Conv_"));
  EXPECT_THAT(refused("Conv", {{2, 2, 1, 1, 1}, {2, 1}}), HasSubstr("\"Conv_"));
  EXPECT_THAT(refused("ConvTranspose", {{2, 2, 2}}), HasSubstr("\"ConvTranspose_"));
  EXPECT_THAT(refused("Gemm", {{4, 4}}), HasSubstr("\"Gemm_"));
  EXPECT_THAT(refused("MatMul", {{3, 5}}), HasSubstr("\"MatMul_"));
  EXPECT_THAT(refused("InstanceNormalization", {{2, 1}, {2}}), HasSubstr("\"InstanceNormalization_"));
  EXPECT_THAT(refused("BatchNormalization", {{2}, {2}, {2}, {3}}), HasSubstr("\"BatchNormalization_"));
}

TEST(Compile, ListsEveryProblemWithItsNodeAndAdvice) {
  OnnxBuilder b;
  const std::string x = b.input("x", {1, 3, 4, 4, 4});
  b.output(b.node("NonMaxSuppression", {x, x}), 2);
  b.output(b.node("Conv", {x, b.weights({8, 4, 3, 3, 3}, 1)}), 5);
  b.output(b.node("Resize", {x, "", b.constant({{5}, std::vector<float>{1, 1, 2, 2, 2}})}).text("mode", "sinc"), 5);
  const auto graph = nn::parseOnnx(b.bytes(), "problems");
  const auto problems = nn::findProblems(*graph, {{"x", {1, 3, 4, 4, 4}}});
  ASSERT_TRUE(problems) << problems.error().message;
  ASSERT_EQ(problems->size(), 3U);
  EXPECT_EQ((*problems)[0].node, "NonMaxSuppression_0");
  EXPECT_THAT((*problems)[0].advice, HasSubstr("raw heads"));
  EXPECT_EQ((*problems)[1].op, "Conv");
  EXPECT_THAT((*problems)[1].reason, AllOf(HasSubstr("3 input channels"), Not(HasSubstr("node"))));
  EXPECT_THAT((*problems)[2].reason, HasSubstr("sinc"));
  EXPECT_TRUE(nn::findProblems(*nn::parseOnnx(smallModel().bytes(), ""), {{"x", {1, 1, 4, 4, 4}}})->empty());
  EXPECT_FALSE(nn::findProblems(*graph, {}));
}

TEST(Compile, RefusesAttributesOfTheWrongType) {
  OnnxBuilder b;
  const std::string x = b.input("x", {1, 1, 4, 4, 4});
  b.output(b.node("Conv", {x, b.weights({8, 1, 3, 3, 3}, 1)}).integer("strides", 2), 5);
  EXPECT_THAT(compileError(b, {{"x", {1, 1, 4, 4, 4}}}),
              AllOf(HasSubstr("Conv"), HasSubstr("strides is an integer, expected a list of integers")));
}

// An attribute that only the computation itself reads is judged before anything else is, too.
TEST(Compile, RefusesAttributesOfTheWrongTypeBeforeItReadsThem) {
  const nn::Shape shape{1, 2, 4, 4, 4};
  const auto refusal = [&](const char* op, size_t parameters, const auto& set) {
    OnnxBuilder b;
    std::vector<std::string> inputs{b.input("x", shape)};
    for (size_t i = 0; i < parameters; ++i) inputs.push_back(b.weights({2}, 1));
    auto node = b.node(op, inputs);
    set(node);
    b.output(node, 5);
    return compileError(b, {{"x", shape}});
  };
  EXPECT_THAT(refusal("AveragePool", 0,
                      [](auto& n) {
                        n.ints("kernel_shape", {2, 2, 2}).text("count_include_pad", "1");
                      }),
              HasSubstr("attribute count_include_pad is a text, expected an integer"));
  EXPECT_THAT(refusal("BatchNormalization", 4, [](auto& n) { n.integer("epsilon", 1); }),
              HasSubstr("attribute epsilon is an integer, expected a number"));
  EXPECT_THAT(refusal("LpNormalization", 0, [](auto& n) { n.real("p", 2); }),
              HasSubstr("attribute p is a number, expected an integer"));
  // Not what follows from the fallback: a window of 0 axes, or another input that does not fit.
  EXPECT_THAT(refusal("MaxPool", 0, [](auto& n) { n.integer("kernel_shape", 2); }),
              HasSubstr("attribute kernel_shape is an integer, expected a list of integers"));
  EXPECT_THAT(refusal("BatchNormalization", 1, [](auto& n) { n.text("epsilon", "small"); }),
              HasSubstr("attribute epsilon is a text"));
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
