#include "io/results/findings_json.h"

#include <gmock/gmock.h>
#include <sys/resource.h>

#include <csignal>
#include <fstream>

namespace lynceus::results {
namespace {

using detect::DetectionResult;
using detect::Finding;
using nlohmann::json;
using testing::HasSubstr;

DetectionResult exampleResult() {
  DetectionResult r;
  r.status = detect::Status::partial;
  r.reason = "slices 1 to 80 of 99 were searched";
  r.remarks = {"no lung found: searched the whole volume"};
  r.series = {"/data/ct", "1.2.3", "1.2.3.4", "Thorax 1.0", "P1", "Muster^Max", "19500101", "ab12", 99};
  r.geometry = image::Geometry{{64, 64, 20}, {0.7, 0.7, 2.5}, {-20.1, 33.3, -100.25}, {}};
  r.geometry->direction = {image::Vec3{1, 0, 0}, {0, 1, 0}, {0, 0, 1}};
  r.provenance = {"nodule", "1.2.0", "cafe", "cpu", "fp32", "1 mm", "2024-05-06T07:08:09Z", "0.1.0", "f7f9c92", "beef"};
  r.timingsMs = {{"load", 12.5}, {"total", 900}};
  Finding bare;
  bare.id = 2;
  bare.score = 0.25;
  bare.rawScore = -1.1;
  Finding full;
  full.id = 1;
  full.centerMm = {-10.123456789, 40, -80};
  full.boxMm = {{-15, 35, -85}, {-5, 45, -75}};
  full.estimatedDiameterMm = 9.5;
  full.score = 0.875;
  full.rawScore = 1.9459;
  full.secondStageRawScore = 0.75;
  full.mask = detect::RunLengthMask{{{100, 5}, {164, 6}}};
  full.measurements = detect::Measurements{
      13.475, 2.95, 4.3, 2.1, -120.5, 33.25, {{1, 2, 3}, {4, 5, 6}}, {{7, 8, 9}, {1, 1, 1}}, "a/1"};
  full.review = detect::ReviewState::accepted;
  full.tags = {{"texture", "solid"}};
  r.findings = {full, bare};
  return r;
}

std::filesystem::path temporaryFolder() {
  auto folder =
      std::filesystem::path(testing::TempDir()) /
      fmt::format("findings-json-{}-{}", ::getpid(), testing::UnitTest::GetInstance()->current_test_info()->name());
  std::filesystem::create_directories(folder);
  return folder;
}

size_t filesIn(const std::filesystem::path& folder) {
  return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
}

TEST(FindingsJson, ReadsBackEverythingItWrote) {
  const auto path = temporaryFolder() / "findings.json";
  ASSERT_TRUE(writeFindingsJson(exampleResult(), path));
  const auto read = readFindingsJson(path);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(toJson(*read), toJson(exampleResult()));
  EXPECT_EQ(read->findings[0].mask->runs, exampleResult().findings[0].mask->runs);
  EXPECT_EQ(read->findings[0].centerMm, exampleResult().findings[0].centerMm);
  EXPECT_EQ(read->geometry, exampleResult().geometry);
  EXPECT_EQ(read->findings[0].secondStageRawScore, 0.75);
  EXPECT_FALSE(read->findings[1].secondStageRawScore);
}

TEST(FindingsJson, GivesNullForEachMeasurementWhereThereIsNoMask) {
  const json bare = toJson(exampleResult())["findings"][1];
  for (const char* key : {"diameterMm", "longAxisMm", "shortAxisMm", "volumeMm3", "meanHu", "sdHu", "maskRuns"}) {
    ASSERT_TRUE(bare.contains(key)) << key;
    EXPECT_TRUE(bare[key].is_null()) << key;
  }
}

TEST(FindingsJson, HasEveryKeyTheSchemaKnowsAndNoOther) {
  std::ifstream file(LYNCEUS_SOURCE_DIR "/resources/schemas/findings-1.schema.json");
  const json schema = json::parse(file);
  const json document = toJson(exampleResult());
  const auto compare = [](const json& object, const json& rules) {
    for (const json& key : rules.value("required", json::array()))
      EXPECT_TRUE(object.contains(key.get<std::string>())) << key;
    for (const auto& [key, value] : rules["properties"].items()) EXPECT_TRUE(object.contains(key)) << key;
    for (const auto& [key, value] : object.items()) EXPECT_TRUE(rules["properties"].contains(key)) << key;
  };
  compare(document, schema);
  for (const char* part : {"series", "geometry", "model", "provenance"})
    compare(document[part], schema["properties"][part]);
  for (const json& finding : document["findings"]) compare(finding, schema["$defs"]["finding"]);
}

TEST(FindingsJson, NamesTheRequiredKeyThatIsMissing) {
  std::ifstream file(LYNCEUS_SOURCE_DIR "/resources/schemas/findings-1.schema.json");
  const json schema = json::parse(file);
  for (const json& key : schema["required"]) {
    json document = toJson(exampleResult());
    document.erase(key.get<std::string>());
    const auto result = fromJson(document);
    ASSERT_FALSE(result) << key;
    EXPECT_THAT(result.error().message, HasSubstr(key.get<std::string>() + " is missing"));
  }
  for (const json& key : schema["$defs"]["finding"]["required"]) {
    json document = toJson(exampleResult());
    document["findings"][0].erase(key.get<std::string>());
    const auto result = fromJson(document);
    ASSERT_FALSE(result) << key;
    EXPECT_THAT(result.error().message, HasSubstr("findings[0]." + key.get<std::string>() + " is missing"));
  }
}

struct Damage {
  const char* pointer;
  json value;
  const char* message;
};

TEST(FindingsJson, RefusesDamagedInputAndSaysWhere) {
  const Damage damages[] = {
      {"/status", "done", "status must be one of succeeded, partial, rejectedInput, failed"},
      {"/coordinateSystem", "RAS", "coordinateSystem must be LPS"},
      {"/series", 3, "series must be an object"},
      {"/geometry/size", {1, 2}, "geometry.size must be 3 whole numbers"},
      {"/geometry/size", {0, 2, 2}, "geometry.size must be 3 whole numbers from 1"},
      {"/geometry/size", {2000000000, 2000000000, 2}, "geometry.size has more than 1e12 voxels"},
      {"/geometry/spacingMm", {1, -1, 1}, "the voxel spacing -1 mm is not positive"},
      {"/geometry/direction", {{1, 0, 0}, {1, 0, 0}, {0, 0, 1}}, "not orthonormal"},
      {"/geometry", nullptr, "findings[0].maskRuns needs the geometry"},
      {"/timingsMs/load", "x", "timingsMs.load must be a number"},
      {"/findings", json::object(), "findings must be a list of objects"},
      {"/findings/1", 5, "findings[1] must be an object"},
      {"/findings/0/id", -1, "findings[0].id must be a whole number"},
      {"/findings/0/id", 1e300, "findings[0].id must be a whole number"},
      {"/findings/0/centerMm", {1, 2, "3"}, "findings[0].centerMm must be three numbers"},
      {"/findings/0/boxMm/max", nullptr, "findings[0].boxMm.max must be three numbers"},
      {"/findings/0/score", 1.5, "findings[0].score is 1.5 and must be from 0 to 1"},
      {"/findings/0/diameterMm", nullptr, "findings[0].diameterMm must be a number"},
      {"/findings/0/volumeMm3", -2, "findings[0].volumeMm3 is -2"},
      {"/findings/0/longAxisEndsMm", {{1, 2, 3}}, "findings[0].longAxisEndsMm must be 2 lists of three numbers"},
      {"/findings/0/maskRuns", {{100, 5}, {104, 1}}, "findings[0].maskRuns[1] must follow the run before it"},
      {"/findings/0/maskRuns", {{81919, 2}}, "findings[0].maskRuns[0] must follow"},
      {"/findings/0/maskRuns", {{-1, 2}}, "findings[0].maskRuns[0] must be 2 whole numbers"},
      {"/findings/0/maskRuns", {{1, 18446744073709551615ULL}}, "findings[0].maskRuns[0] must be 2 whole numbers"},
      {"/findings/0/review", "maybe", "findings[0].review must be one of proposed"},
      {"/findings/0/tags/texture", 1, "findings[0].tags.texture must be a text"},
  };
  for (const Damage& damage : damages) {
    json document = toJson(exampleResult());
    document[json::json_pointer(damage.pointer)] = damage.value;
    const auto result = fromJson(document);
    ASSERT_FALSE(result) << damage.pointer;
    EXPECT_EQ(result.error().code, ErrorCode::badInput);
    EXPECT_THAT(result.error().message, HasSubstr(damage.message));
  }
}

TEST(FindingsJson, SaysThatANewerSchemaNeedsANewerProgram) {
  json document = toJson(exampleResult());
  document["schemaVersion"] = 2;
  const auto result = fromJson(document);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::unsupported);
  EXPECT_THAT(result.error().message, HasSubstr("schemaVersion is 2 and this program reads up to 1"));
}

TEST(FindingsJson, ReadingNamesTheFile) {
  const auto folder = temporaryFolder();
  std::ofstream(folder / "bad.json") << "{\"schemaVersion\": 1,";
  EXPECT_THAT(readFindingsJson(folder / "bad.json").error().message, HasSubstr("bad.json: is not valid JSON"));
  std::ofstream(folder / "list.json") << "[]";
  EXPECT_THAT(readFindingsJson(folder / "list.json").error().message,
              HasSubstr("list.json: the document is not a JSON object"));
  const auto missing = readFindingsJson(folder / "none.json");
  EXPECT_EQ(missing.error().code, ErrorCode::resource);
  EXPECT_THAT(missing.error().message, HasSubstr("none.json: cannot be opened"));
}

TEST(FindingsJson, WritesTextThatIsNotUtf8WithReplacementCharacters) {
  DetectionResult r = exampleResult();
  r.series.patientName = "M\xfcller";
  const auto path = temporaryFolder() / "findings.json";
  ASSERT_TRUE(writeFindingsJson(r, path));
  EXPECT_EQ(readFindingsJson(path)->series.patientName, "M\xef\xbf\xbdller");
}

TEST(FindingsJson, NeverWritesAMeasurementThatIsNotANumber) {
  DetectionResult r = exampleResult();
  r.findings[0].measurements->meanHu = std::nan("");
  const auto path = temporaryFolder() / "findings.json";
  const auto written = writeFindingsJson(r, path);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, ErrorCode::internal);
  EXPECT_THAT(written.error().message, HasSubstr("findings[0].meanHu must be a number"));
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(FindingsJson, KeepsTheOldFileAndLeavesNothingBesideItWhenTheDiskSaysNo) {
  const auto folder = temporaryFolder();
  const auto path = folder / "findings.json";
  ASSERT_TRUE(writeFindingsJson(exampleResult(), path));
  const auto before = std::filesystem::file_size(path);

  rlimit old{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old), 0);
  const auto oldHandler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{256, old.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto written = writeFindingsJson(exampleResult(), path);
  setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, oldHandler);

  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, ErrorCode::resource);
  EXPECT_EQ(std::filesystem::file_size(path), before);
  EXPECT_EQ(filesIn(folder), 1U);
}

TEST(FindingsJson, SaysThatTheFolderIsMissing) {
  const auto written = writeFindingsJson(exampleResult(), temporaryFolder() / "none" / "findings.json");
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, ErrorCode::resource);
  EXPECT_THAT(written.error().message, HasSubstr("the folder does not exist: create it"));
}

}  // namespace
}  // namespace lynceus::results
