// `lynceus info` and `lynceus convert` as a user runs them: what they print, and their exit codes.
#include <array>
#include <cstdio>
#include <fstream>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "io/formats/image_file.h"
#include "tests/support/ct_files.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/test_data.h"

namespace lynceus {
namespace {

using testing::HasSubstr;

struct Outcome {
  int exitCode = -1;
  std::string out, error;
};

class InfoConvert : public testing::Test {
 protected:
  // Arguments are quoted for the shell; none holds a quote.
  Outcome run(const std::vector<std::string>& arguments) {
    std::string command = std::string(LYNCEUS_BINARY_DIR) + "/bin/lynceus";
    for (const std::string& a : arguments) command += " '" + a + "'";
    const auto errors = m_folder / ".stderr";
    Outcome o;
    FILE* pipe = popen((command + " 2> '" + errors.string() + "'").c_str(), "r");
    std::array<char, 4096> buffer{};
    while (const size_t n = std::fread(buffer.data(), 1, buffer.size(), pipe)) o.out.append(buffer.data(), n);
    const int status = pclose(pipe);
    o.exitCode = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    std::ifstream in(errors);
    o.error.assign(std::istreambuf_iterator<char>(in), {});
    return o;
  }
  std::string at(const std::string& name) { return (m_folder / name).string(); }

  test::TemporaryFolder m_folder;
};

TEST_F(InfoConvert, InfoTellsWhatARadiographerAsks) {
  test::writeSeries(m_folder / "ct", {}, 11, 2.5);
  std::ofstream(m_folder / "ct" / "readme.txt") << "text";
  const Outcome o = run({"info", at("ct")});
  EXPECT_EQ(o.exitCode, 0);
  EXPECT_EQ(o.error, "");
  for (const char* expected :
       {"1 CT series", "CHEST 1mm", "Doe^Jane, ID P1", "2024-01-31", "8 x 6 x 11 voxels of 0.5 x 0.5 x 2.5 mm",
        "27.5 mm", "uncompressed", "regular: 11 slices every 2.5 mm", "Not used: 1 file that is not DICOM",
        "refuses it: the coverage along the patient is 27.50 mm"}) {
    EXPECT_THAT(o.out, HasSubstr(expected));
  }
}

TEST_F(InfoConvert, InfoShowsEveryProblemAndStillSucceeds) {
  test::writeSeries(m_folder / "ct", {}, 11, 2.5);
  std::filesystem::remove(m_folder / "ct" / "s5.dcm");
  const Outcome o = run({"info", at("ct")});
  EXPECT_EQ(o.exitCode, 0);
  EXPECT_THAT(o.out, HasSubstr("NOT REGULAR (gap)"));
  EXPECT_THAT(o.out, HasSubstr("slice 5 is missing between z = 7.5 mm and z = 12.5 mm"));
}

TEST_F(InfoConvert, InfoPrintsJson) {
  test::writeSeries(m_folder / "ct", {}, 11, 2.5);
  const Outcome o = run({"info", at("ct"), "--json"});
  EXPECT_EQ(o.exitCode, 0);
  const auto j = nlohmann::json::parse(o.out);
  EXPECT_EQ(j["series"][0]["geometry"]["class"], "regular");
  EXPECT_EQ(j["series"][0]["size"], nlohmann::json({8, 6, 11}));
  EXPECT_EQ(j["series"][0]["patientId"], "P1");
  EXPECT_EQ(j["skipped"]["notDicom"], 0);
}

TEST_F(InfoConvert, ConvertWritesEveryFormat) {
  test::writeSeries(m_folder / "ct", {}, 11, 2.5);
  for (const char* name : {"v.nii.gz", "v.mha", "v.nrrd"}) {
    const Outcome o = run({"convert", at("ct"), at(name)});
    EXPECT_EQ(o.exitCode, 0) << o.error;
    EXPECT_THAT(o.out, HasSubstr("8 x 6 x 11 voxels"));
    const auto volume = io::readImageFile(m_folder / name);
    ASSERT_TRUE(volume) << volume.error().message;
    EXPECT_EQ(volume->at(1, 0, 2), 7 + 3 * 13 - 1024);
  }
  EXPECT_EQ(run({"convert", at("v.mha"), at("w.nii.gz")}).exitCode, 0);
  EXPECT_EQ(run({"info", at("w.nii.gz")}).exitCode, 0);
}

TEST_F(InfoConvert, ConvertAsksWhichOfTwoSeries) {
  test::CtFile second;
  second.seriesUid = "1.2.3.5";
  second.intercept = "-1000";
  test::writeSeries(m_folder / "ct" / "a", {}, 4);
  test::writeSeries(m_folder / "ct" / "b", second, 4);
  const Outcome o = run({"convert", at("ct"), at("v.mha")});
  EXPECT_EQ(o.exitCode, 2);
  EXPECT_THAT(o.error, HasSubstr("1.2.3.4"));
  EXPECT_THAT(o.error, HasSubstr("1.2.3.5"));
  EXPECT_EQ(run({"convert", at("ct"), at("v.mha"), "--series", "1.2.3.5"}).exitCode, 0);
  EXPECT_EQ(io::readImageFile(m_folder / "v.mha")->at(0, 0, 0), 13 - 1000);
}

TEST_F(InfoConvert, RejectsWhatIsNoVolumeWithExitCode3AndOneSentence) {
  test::writeSeries(m_folder / "gap", {}, 11);
  std::filesystem::remove(m_folder / "gap" / "s5.dcm");
  test::writeSeries(m_folder / "cut", {}, 11);
  std::filesystem::resize_file(m_folder / "cut" / "s5.dcm",
                               std::filesystem::file_size(m_folder / "cut" / "s5.dcm") - 9);
  std::filesystem::create_directory(m_folder / "empty");
  std::filesystem::create_directory(m_folder / "text");
  std::ofstream(m_folder / "text" / "a.txt") << "text";
  for (const char* name : {"gap", "cut", "empty", "text"}) {
    const Outcome o = run({"convert", at(name), at("v.mha")});
    EXPECT_EQ(o.exitCode, 3) << name;
    EXPECT_EQ(o.out, "");
    EXPECT_THAT(o.error, HasSubstr(name));
    EXPECT_EQ(std::count(o.error.begin(), o.error.end(), '\n'), 1) << o.error;
    EXPECT_FALSE(std::filesystem::exists(m_folder / "v.mha"));
  }
}

TEST_F(InfoConvert, TellsWrongUseAndMissingResourcesApart) {
  test::writeSeries(m_folder / "ct", {}, 3);
  EXPECT_EQ(run({"info", at("nowhere")}).exitCode, 2);
  EXPECT_EQ(run({"info"}).exitCode, 2);
  EXPECT_EQ(run({"convert", at("ct"), at("v.png")}).exitCode, 2);
  EXPECT_EQ(run({"convert", at("ct"), at("no/v.mha")}).exitCode, 2);
  EXPECT_EQ(run({"convert", at("ct"), "/proc/v.mha"}).exitCode, 4);
}

TEST_F(InfoConvert, ReadsEveryRealFolderWithoutACrash) {
  const auto data = test::testData("loader_conformance");
  if (data.empty()) GTEST_SKIP() << test::kNoTestData;
  for (const auto& folder : std::filesystem::directory_iterator(data)) {
    const Outcome o = run({"info", folder.path().string()});
    EXPECT_TRUE(o.exitCode == 0 || o.exitCode == 3) << folder.path() << " " << o.exitCode << " " << o.error;
  }
}

}  // namespace
}  // namespace lynceus
