// Writes seeds for every fuzz target, so that nothing big is committed: make-seeds FOLDER makes FOLDER/<target>/….
#include <algorithm>
#include <fstream>
#include <iostream>
#include <set>

#include <zip.h>

#include "app/study/requests.h"
#include "core/job/shared_volume.h"
#include "core/nn/npy.h"
#include "io/formats/image_file.h"
#include "io/results/findings_json.h"
#include "plugins/host/description.h"
#include "plugins/host/trust_list.h"
#include "tests/support/ct_files.h"
#include "tests/support/networks.h"
#include "tests/support/networks/quantized.h"

using namespace lynceus;
namespace fs = std::filesystem;

namespace {

using Bytes = std::string;

Bytes readFile(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void writeFile(const fs::path& path, const Bytes& bytes) {
  fs::create_directories(path.parent_path());
  std::ofstream out(path, std::ios::binary);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (!out.flush()) throw std::runtime_error(path.string() + " could not be written");
}

struct Syntax {
  const char* name;
  E_TransferSyntax syntax;
  int bitsStored;
};
constexpr Syntax kSyntaxes[] = {
    {"implicit", EXS_LittleEndianImplicit, 16},
    {"explicit", EXS_LittleEndianExplicit, 16},
    {"bigendian", EXS_BigEndianExplicit, 16},
    {"deflated", EXS_DeflatedLittleEndianExplicit, 16},
    {"rle", EXS_RLELossless, 16},
    {"jpeg_baseline", EXS_JPEGProcess1, 8},
    {"jpeg_extended", EXS_JPEGProcess2_4, 12},
    {"jpeg_lossless", EXS_JPEGProcess14SV1, 12},
    {"jpegls", EXS_JPEGLSLossless, 12},
    {"jpegls_near", EXS_JPEGLSLossy, 12},
};

test::CtFile sliceOf(const Syntax& syntax) {
  test::CtFile file;
  file.columns = 12;
  file.rows = 10;
  file.bitsStored = syntax.bitsStored;
  file.highBit = syntax.bitsStored - 1;
  file.isSigned = syntax.bitsStored == 16;
  file.syntax = syntax.syntax;
  for (size_t i = 0; i < 120; ++i) file.pixels.push_back(static_cast<uint16_t>(i * 37 % (1U << syntax.bitsStored)));
  if (syntax.bitsStored == 8) {
    file.change = [](DcmDataset& d) {
      std::vector<Uint8> pixels(120);
      for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<Uint8>(i * 2);
      d.putAndInsertUint16(DCM_BitsAllocated, 8);
      d.putAndInsertUint8Array(DCM_PixelData, pixels.data(), static_cast<unsigned long>(pixels.size()));
    };
  }
  return file;
}

Bytes behindItsLength(const Bytes& file) {
  const size_t n = file.size();
  return Bytes{static_cast<char>(n), static_cast<char>(n >> 8), static_cast<char>(n >> 16)} + file;
}

/// An enhanced CT: three frames, what they share and what each has of its own.
void makeEnhanced(DcmDataset& d) {
  d.putAndInsertString(DCM_SOPClassUID, UID_EnhancedCTImageStorage);
  d.putAndInsertString(DCM_NumberOfFrames, "3");
  for (const DcmTagKey& tag : {DCM_ImagePositionPatient, DCM_ImageOrientationPatient, DCM_PixelSpacing,
                               DCM_RescaleSlope, DCM_RescaleIntercept}) {
    d.findAndDeleteElement(tag);
  }
  const auto item = [](DcmItem& in, const DcmTagKey& sequence, int number) {
    DcmItem* found = nullptr;
    in.findOrCreateSequenceItem(sequence, found, number);
    return found;
  };
  DcmItem& shared = *item(d, DCM_SharedFunctionalGroupsSequence, 0);
  item(shared, DCM_PixelMeasuresSequence, 0)->putAndInsertString(DCM_PixelSpacing, "0.5\\0.5");
  item(shared, DCM_PlaneOrientationSequence, 0)->putAndInsertString(DCM_ImageOrientationPatient, "1\\0\\0\\0\\1\\0");
  DcmItem& values = *item(shared, DCM_PixelValueTransformationSequence, 0);
  values.putAndInsertString(DCM_RescaleSlope, "1");
  values.putAndInsertString(DCM_RescaleIntercept, "-1024");
  for (int i = 0; i < 3; ++i) {
    DcmItem& frame = *item(d, DCM_PerFrameFunctionalGroupsSequence, i);
    item(frame, DCM_PlanePositionSequence, 0)
        ->putAndInsertString(DCM_ImagePositionPatient, fmt::format("0\\0\\{}", 2 * i).c_str());
  }
  const std::vector<Uint16> pixels(size_t{3} * 120, 1000);
  d.putAndInsertUint16Array(DCM_PixelData, pixels.data(), static_cast<unsigned long>(pixels.size()));
}

void writeDicomSeeds(const fs::path& folder) {
  const fs::path file = folder / "slice.dcm";
  for (const Syntax& syntax : kSyntaxes) {
    test::CtFile slice = sliceOf(syntax);
    Bytes series;
    for (slice.instanceNumber = 1; slice.instanceNumber <= 3; ++slice.instanceNumber, slice.z += 2.5) {
      if (!test::writeCt(file, slice)) throw std::runtime_error(fmt::format("{} could not be written", syntax.name));
      series += behindItsLength(readFile(file));
    }
    writeFile(folder / "dataset" / syntax.name, readFile(file));
    writeFile(folder / "dicom_series" / syntax.name, series);
  }
  test::CtFile enhanced = sliceOf(kSyntaxes[1]);
  enhanced.change = makeEnhanced;
  for (const E_TransferSyntax syntax : {EXS_LittleEndianExplicit, EXS_RLELossless}) {
    enhanced.syntax = syntax;
    if (!test::writeCt(file, enhanced)) throw std::runtime_error("the enhanced CT could not be written");
    const Bytes bytes = readFile(file);
    const std::string name = syntax == EXS_RLELossless ? "enhanced_rle" : "enhanced";
    writeFile(folder / "dataset" / name, bytes);
    writeFile(folder / "dicom_series" / name, behindItsLength(bytes));
  }
  fs::remove(file);
}

void writeZip(const fs::path& path, zip_int32_t compression) {
  fs::create_directories(path.parent_path());
  const fs::path file = path.parent_path() / "slice.dcm";
  zip_t* zip = zip_open(path.c_str(), ZIP_CREATE | ZIP_TRUNCATE, nullptr);
  test::CtFile slice;
  std::vector<Bytes> files;
  for (slice.instanceNumber = 1; slice.instanceNumber <= 3; ++slice.instanceNumber, slice.z += 2.5) {
    test::writeCt(file, slice);
    files.push_back(readFile(file));
  }
  for (size_t i = 0; i < files.size(); ++i) {
    const auto index = zip_file_add(zip, fmt::format("CT/{}.dcm", i).c_str(),
                                    zip_source_buffer(zip, files[i].data(), files[i].size(), 0), ZIP_FL_ENC_UTF_8);
    zip_set_file_compression(zip, static_cast<zip_uint64_t>(index), compression, 0);
  }
  if (zip_close(zip) != 0) throw std::runtime_error(path.string() + " could not be written");
  fs::remove(file);
}

void writeDicomdir(const fs::path& path) {
  fs::create_directories(path.parent_path());
  DcmFileFormat format;
  DcmDataset& d = *format.getDataset();
  format.getMetaInfo()->putAndInsertString(DCM_MediaStorageSOPClassUID, UID_MediaStorageDirectoryStorage);
  d.putAndInsertString(DCM_FileSetID, "SEED");
  d.putAndInsertUint32(DCM_OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity, 0);
  d.putAndInsertUint32(DCM_OffsetOfTheLastDirectoryRecordOfTheRootDirectoryEntity, 0);
  d.putAndInsertUint16(DCM_FileSetConsistencyFlag, 0);
  const char* const types[] = {"PATIENT", "STUDY", "SERIES", "IMAGE", "IMAGE", "IMAGE", "IMAGE"};
  for (int i = 0; i < 7; ++i) {
    DcmItem* record = nullptr;
    d.findOrCreateSequenceItem(DCM_DirectoryRecordSequence, record, i);
    record->putAndInsertUint32(DCM_OffsetOfTheNextDirectoryRecord, 0);
    record->putAndInsertUint16(DCM_RecordInUseFlag, 0xFFFF);
    record->putAndInsertUint32(DCM_OffsetOfReferencedLowerLevelDirectoryEntity, 0);
    record->putAndInsertString(DCM_DirectoryRecordType, types[i]);
    if (i >= 3) record->putAndInsertString(DCM_ReferencedFileID, fmt::format("S{}", i - 2).c_str());
    if (i >= 3) record->putAndInsertString(DCM_ReferencedSOPClassUIDInFile, UID_CTImageStorage);
  }
  if (format.saveFile(OFFilename(path.c_str()), EXS_LittleEndianExplicit).bad())
    throw std::runtime_error(path.string() + " could not be written");
}

void writeImageSeeds(const fs::path& folder) {
  image::Geometry geometry;
  geometry.size = {6, 5, 4};
  geometry.spacingMm = {0.7, 0.8, 2.5};
  std::vector<int16_t> hu(120);
  for (size_t i = 0; i < hu.size(); ++i) hu[i] = static_cast<int16_t>(i * 10);
  const auto volume = image::Volume::create(geometry, hu);
  fs::create_directories(folder);
  const char* const names[] = {"image.nii", "image.nii.gz", "image.mha", "image.nrrd"};  // as the target counts them
  for (int i = 0; i < 4; ++i) {
    const fs::path path = folder / names[i];
    if (!io::writeImageFile(*volume, path)) throw std::runtime_error(path.string() + " could not be written");
    writeFile(folder / fmt::format("seed{}", i), Bytes(1, static_cast<char>(i)) + readFile(path));
    fs::remove(path);
  }
}

/// One node of every kind that reads indices, lists or equations, on tiny tensors; some have constant inputs only.
test::OnnxBuilder operatorsModel() {
  using Ints = std::vector<int64_t>;
  test::OnnxBuilder b(20);
  const std::string x = b.input("x", {1, 4, 2, 3}), i = b.ints({0, 1}), axis = b.constant({{}, Ints{1}});
  const std::string c = b.constant(test::randomTensor({1, 4, 2, 3}, 1));
  const std::string pair = b.constant({{1, 2}, Ints{0, 1}}), zero = b.constant({{}, Ints{0}});
  std::vector<std::string> ends;
  const auto add = [&](const char* op, const std::vector<std::string>& inputs, int outputs = 1) {
    const auto node = b.node(op, inputs, outputs);
    ends.push_back(node.output(outputs - 1));
    return node;
  };
  for (const std::string& from : {x, c}) {
    add("ReduceLogSumExp", {from, i});
    add("ReduceSum", {from, b.ints({-1})});
    add("ArgMax", {from}).integer("axis", -1);
    add("TopK", {from, b.ints({2})}, 2).integer("axis", 1);
    add("CumSum", {from, axis}).integer("reverse", 1);
    add("Gather", {from, i}).integer("axis", 2);
    add("GatherND", {from, pair});
    add("GatherElements", {from, b.constant({{1, 1, 1, 2}, Ints{0, -1}})}).integer("axis", 3);
    add("ScatterND", {from, pair, b.constant(test::randomTensor({1, 2, 3}, 3))}).text("reduction", "add");
    add("OneHot", {i, b.constant({{}, Ints{3}}), b.constant(test::randomTensor({2}, 4))});
    add("NonZero", {c});
    add("Range", {zero, axis, axis});
    add("Trilu", {from, axis});
    add("Tile", {from, b.ints({1, 2, 1, 1})});
    add("Pad", {from, b.ints({0, 0, 1, 1, 0, 0, 0, 2})}).text("mode", "reflect");
    add("DepthToSpace", {from}).integer("blocksize", 2).text("mode", "CRD");
    add("Einsum", {from, c}).text("equation", "...ij,...kj->...ik");
    add("GridSample", {from, b.constant(test::randomTensor({1, 2, 2, 2}, 5))}).text("mode", "cubic");
    add("AffineGrid", {b.constant(test::randomTensor({1, 2, 3}, 6)), b.ints({1, 1, 2, 2})});
    add("Resize", {from, "", b.constant({{4}, std::vector<float>{1, 1, 0.5F, 2}})})
        .text("mode", "cubic")
        .integer("antialias", 1);
    add("MaxPool", {from}, 2).ints("kernel_shape", {2, 2});
    add("LpPool", {from}).ints("kernel_shape", {2, 2}).integer("p", 3);
    add("GroupNormalization", {from, b.constant(test::randomTensor({2}, 7)), b.constant(test::randomTensor({2}, 8))})
        .integer("num_groups", 2);
    add("LayerNormalization", {from, b.constant(test::randomTensor({3}, 9))});
    add("MeanVarianceNormalization", {from});
    add("LRN", {from}).integer("size", 3);
    add("Where", {b.node("Greater", {from, c}).output(), from, c});
    add("Split", {from, b.ints({1, 3})}, 2).integer("axis", 1);
    add("LogSoftmax", {from});
    add("Gelu", {from}).text("approximate", "tanh");
    add("Conv", {from, b.weights({2, 4, 1, 2}, 10)});
    add("Mod", {from, c}).integer("fmod", 1);
  }
  for (const std::string& end : ends) b.graph().add_output()->set_name(end);
  return b;
}

// What one output of a model needs, and nothing else.
test::OnnxBuilder partOf(const test::OnnxBuilder& whole, int output) {
  test::OnnxBuilder part = whole;
  nn::onnx::GraphProto& graph = part.graph();
  graph.mutable_output()->SwapElements(0, output);
  graph.mutable_output()->DeleteSubrange(1, graph.output_size() - 1);
  std::set<std::string> needed{graph.output(0).name()};
  for (int i = graph.node_size(); i-- > 0;) {
    const auto& node = graph.node(i);
    const bool used = std::any_of(node.output().begin(), node.output().end(),
                                  [&](const std::string& name) { return needed.count(name) != 0; });
    if (used)
      needed.insert(node.input().begin(), node.input().end());
    else
      graph.mutable_node()->DeleteSubrange(i, 1);
  }
  for (int i = graph.initializer_size(); i-- > 0;)
    if (!needed.count(graph.initializer(i).name())) graph.mutable_initializer()->DeleteSubrange(i, 1);
  return part;
}

// What the passes of the cpu fuse, in few bytes.
test::OnnxBuilder smallNetwork() {
  test::OnnxBuilder b(20);
  const std::vector<int64_t> pads(6, 1), two(3, 2);
  const std::string x = b.input("x", {1, 2, 4, 4, 4});
  const auto positive = [&](int64_t count) { return b.constant(test::randomTensor({count}, 3, 0.5F, 1)); };
  const std::string conv = b.node("Conv", {x, b.weights({4, 2, 3, 3, 3}, 1)}).ints("pads", pads);
  const std::string norm = b.node("BatchNormalization", {conv, positive(4), positive(4), positive(4), positive(4)});
  const std::string top = b.node("LeakyRelu", {norm}).real("alpha", 0.1F);
  const std::string low = b.node("MaxPool", {top}).ints("kernel_shape", two).ints("strides", two);
  const std::string inner = b.node("Conv", {low, b.weights({4, 4, 1, 1, 1}, 2), b.weights({4}, 3)});
  const std::string sum = b.node("Relu", {b.node("Add", {inner, low}).output()});
  const std::string up = b.node("ConvTranspose", {sum, b.weights({4, 3, 2, 2, 2}, 4)}).ints("strides", two);
  const std::string wide =
      b.node("Resize", {sum, "", b.constant({{5}, std::vector<float>{1, 1, 2, 2, 2}})}).text("mode", "linear");
  const std::string all = b.node("Concat", {up, wide, top}).integer("axis", 1);
  const std::string even = b.node("InstanceNormalization", {all, positive(11), positive(11)});
  const std::string mean = b.node("ReduceMean", {even, b.ints({2, 3, 4})}).integer("keepdims", 0);
  const std::string head = b.node("Gemm", {mean, b.weights({11, 5}, 5), b.weights({5}, 6)}).real("alpha", 0.5F);
  const std::string rows = b.node("Transpose", {b.node("MatMul", {head, b.weights({5, 5}, 7)}).output()});
  b.output(b.node("Softmax", {b.node("Gelu", {rows}).output()}), 2);
  return b;
}

// A residual block on integers.
test::OnnxBuilder quantisedNetwork() {
  test::QuantizedBuilder q(true, {1, 2, 4, 4, 4});
  const std::string x = q.quantize(q.relu(q.conv3(q.input(), 2, 3)), -6, nn::Type::u8);
  const std::string inner = q.quantize(q.conv3(x, 3, 3), -6, nn::Type::i8);
  const std::string sum = q.b.node("Add", {inner, x});
  const std::string low = q.b.node("MaxPool", {q.quantize(sum, -6, nn::Type::i8)}).ints("kernel_shape", {2, 2, 2});
  q.b.output(q.quantize(low, -6, nn::Type::i8), 5);
  return q.b;
}

void writeOnnxSeeds(const fs::path& folder) {
  const auto write = [&](const std::string& name, const test::OnnxBuilder& model) {
    const auto bytes = model.bytes();
    writeFile(folder / name, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  };
  test::OnnxBuilder operators = operatorsModel();
  write("operators", operators);
  for (int i = 0; i < operators.graph().output_size(); ++i)
    write("operator_" + std::to_string(i), partOf(operators, i));
  write("small", smallNetwork());
  write("quantised", quantisedNetwork());
  write("unet", test::residualUNet(2, {1, 1, 16, 16, 16}));
}

void writeMessageSeeds(const fs::path& folder, const detect::SeriesReference& series) {
  image::Geometry g;
  g.size = {5, 4, 3};
  const auto volume = *image::Volume::create(g, std::vector<int16_t>(60, -900));
  const nlohmann::json described = job::describeVolume(volume);
  const study::Selection selection{
      study::Selection::What::bestOfStudy, "1.2.3", {"CT", {0.3, 2}, {0.3, 5}, {0.3, 5}, {80, 1500}}, true};
  const std::vector<study::ChosenSeries> chosen = {{0, "1.2.3", "it has the thinnest slices", series}};
  const study::ModelChoice model{"org.example.model", "/models/a", false, std::string(64, 'a'), {}, 0};
  const study::DetectRequest detect{model, model, {}, {"CT", 1.5}, described};
  const std::vector<nlohmann::json> bodies = {
      study::toJson(study::ScanRequest{"/study", selection}),
      study::toJson(study::LoadRequest{"/study", "1.2.3", false}),
      study::toJson(study::LoadAnswer{series, {"CT", 1.5}, {"a remark"}, described}), study::toJson(chosen),
      study::toJson(detect)};
  std::string all;
  for (size_t i = 0; i < bodies.size(); ++i) {
    writeFile(folder / std::to_string(i), bodies[i].dump());
    all += nlohmann::json({{"type", "start"}, {"job", i}, {"work", bodies[i]}}).dump() + "\n";
  }
  writeFile(folder / "stream", all);
}

void writePluginSeeds(const fs::path& folder) {
  plugins::Description model{"org.example.blobs",
                             "1.2.0",
                             "Größe",
                             "Apache-2.0",
                             "lynceus.detector/1",
                             {"nodule", "mass"},
                             plugins::inputRules({0.3, 2}, {0.3, 5}, {80, 1500})};
  std::vector<plugins::Description> models{model, model};
  models[1].id = "other";
  writeFile(folder / "models", plugins::toJson(models));
  plugins::TrustList list;
  list.set({std::string(64, 'a'), "/a.so", plugins::TrustState::trusted});
  list.set({std::string(64, 'b'), "/b.so", plugins::TrustState::disabled});
  writeFile(folder / "trust", list.toJson());
}

void writeOtherSeeds(const fs::path& folder) {
  writeOnnxSeeds(folder / "onnx");
  fs::create_directories(folder / "npy");
  for (const nn::Tensor& tensor :
       {nn::Tensor{{2, 3}, std::vector<float>(6, 1.5F)}, nn::Tensor{{4}, std::vector<int64_t>(4, 7)}})
    static_cast<void>(nn::writeNpy(folder / "npy" / (tensor.isFloat() ? "float" : "int"), tensor));
  for (const auto& entry : fs::directory_iterator(fs::path(LYNCEUS_SOURCE_DIR) / "resources/models"))
    writeFile(folder / "model_package" / entry.path().filename(), readFile(entry.path() / "model.toml"));
  const Bytes common =
      "schemaVersion = 1\nid = \"a\"\nversion = \"1.0.0\"\ntask = \"lung-nodule\"\nlicence = \"x\"\nnetwork = "
      "\"n.onnx\"\n[input]\npixelSpacingMm = [0.3, 2]\nsliceSpacingMm = [0.3, 5]\nsliceThicknessMm = [0.3, "
      "5]\ncoverageMm = [80, 1500]\n[preprocessing]\nspacingMm = 1.0\nwindowHu = [-1200, 600]\n[sha256]\n\"n.onnx\" "
      "= \"00\"\n\"s.onnx\" = \"00\"\n[output]\nthreshold = 0.5\n";
  writeFile(folder / "model_package" / "two_stages",
            common +
                "coding = \"heat-map\"\n[secondStage]\nnetwork = \"s.onnx\"\ncropVoxels = 48\nspacingMm = "
                "1.0\ncandidates = 60\n[calibration]\nslope = 1.0\nsecondStageSlope = 0.5\nintercept = -1\n");
  writeFile(folder / "model_package" / "anchors",
            common +
                "coding = \"anchors\"\nlevels = [{scores = \"s\", boxes = \"b\", strideVoxels = [4, 4, 2], "
                "sizesVoxels = [[6, 8, 4], [8, 6, 5]]}]\n");
  detect::DetectionResult result;
  result.findings.resize(2);
  result.findings[0].secondStageRawScore = 0.5;
  result.findings[0].id = 1;
  result.findings[1].id = 2;
  result.findings[1].mask = detect::RunLengthMask{{{100, 5}, {164, 6}}};
  result.geometry = image::Geometry{{64, 64, 20}, {0.7, 0.7, 2.5}, {-20.1, 33.3, -100.25}, {}};
  writeFile(folder / "findings_json" / "two", results::toJson(result).dump());
  writeMessageSeeds(folder / "worker_messages", result.series);
  writePluginSeeds(folder / "plugin_description");
  writeFile(folder / "csv" / "comma",
            "\xEF\xBB\xBFseriesuid,coordX,note\r\n1.2.3,-4.5e1,\"a \"\"b\"\",\nc\"\r\n\r\n1.2.4,0,\r\n");
  writeFile(folder / "csv" / "tab", "seriesuid\tprobability\n1\t0.999941576\n\"2\"\t .5 \n");
  writeFile(folder / "csv" / "semicolon", "a;b\n1;nan\n");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: make-seeds FOLDER\n";
    return 2;
  }
  try {
    const fs::path folder = argv[1];
    fs::remove_all(folder);
    fs::create_directories(folder);
    writeDicomSeeds(folder);
    writeZip(folder / "zip" / "stored", ZIP_CM_STORE);
    writeZip(folder / "zip" / "deflated", ZIP_CM_DEFLATE);
    writeDicomdir(folder / "dicomdir" / "media");
    writeImageSeeds(folder / "image_file");
    writeOtherSeeds(folder);
  } catch (const std::exception& e) {
    std::cerr << "make-seeds: " << e.what() << '\n';
    return 1;
  }
}
