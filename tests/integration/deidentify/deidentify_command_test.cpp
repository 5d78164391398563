// `lynceus deidentify` as a user runs it.
#include <algorithm>
#include <fstream>

#include <gmock/gmock.h>

#include "tests/support/ct_files.h"
#include "tests/support/program.h"
#include "tests/support/temporary_folder.h"

namespace lynceus {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

class DeidentifyCommand : public testing::Test {
 protected:
  test::ProgramRun run(const std::string& out, const std::string& more = "") {
    return test::runLynceus("deidentify '" + at("in") + "' -o '" + at(out) + "' " + more);
  }
  std::string at(const std::string& name) { return (m_folder / name).string(); }

  std::vector<std::string> files(const std::string& out) {
    std::vector<std::string> found;
    for (const auto& entry : fs::recursive_directory_iterator(m_folder / out)) {
      if (entry.is_regular_file()) found.push_back(fs::relative(entry.path(), m_folder / out).string());
    }
    std::sort(found.begin(), found.end());
    return found;
  }

  std::string textOf(const std::string& out, const DcmTagKey& tag) {
    DcmFileFormat file;
    EXPECT_TRUE(file.loadFile(OFFilename((m_folder / out / files(out).front()).c_str())).good());
    OFString text;
    file.getDataset()->findAndGetOFStringArray(tag, text);
    return {text.data(), text.size()};
  }

  void writeStudy(const std::string& description = "CHEST 1mm") {
    test::CtFile file;
    file.description = description;
    file.change = [](DcmDataset& d) {
      d.putAndInsertString(DCM_PatientBirthDate, "19511224");
      d.putAndInsertString(DCM_InstitutionName, "Mercy Hospital");
      d.putAndInsertString(DcmTag(0x0009, 0x0010, EVR_LO), "ACME");
    };
    test::writeSeries(m_folder / "in", file, 5);
  }

  const test::TemporaryFolder m_folder;
};

TEST_F(DeidentifyCommand, WritesAStudyThatLoadsAndNamesNobody) {
  writeStudy();
  const auto ran = run("out");
  EXPECT_EQ(ran.exitCode, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("5 images of 1 patient, 1 study, 1 series"));
  EXPECT_THAT(ran.err, HasSubstr("without --key"));
  EXPECT_THAT(ran.out + ran.err, Not(HasSubstr("Jane")));
  const auto info = test::runLynceus("info '" + at("out") + "'");
  EXPECT_EQ(info.exitCode, 0) << info.err;
  EXPECT_THAT(info.out, HasSubstr("1 CT series"));
  EXPECT_THAT(info.out, HasSubstr("8 x 6 x 5 voxels"));
  EXPECT_THAT(info.out, HasSubstr("LYN-"));
  for (const std::string& name : files("out")) {
    const std::string bytes = test::readText(m_folder / "out" / name);
    for (const char* gone : {"Jane", "P1 ", "20240131", "19511224", "Mercy", "ACME", "CHEST", "1.2.3.4"})
      EXPECT_THAT(bytes, Not(HasSubstr(gone))) << name;
  }
}

TEST_F(DeidentifyCommand, GivesTheSameIdentifiersForTheSameKeyWhateverTheThreads) {
  writeStudy();
  const std::string key = "--key '" + at("key") + "'";
  ASSERT_EQ(run("a", key).exitCode, 0);
  setenv("OMP_NUM_THREADS", "1", 1);
  ASSERT_EQ(run("b", key).exitCode, 0);
  unsetenv("OMP_NUM_THREADS");
  ASSERT_EQ(run("c", "--key '" + at("other") + "'").exitCode, 0);
  EXPECT_EQ(files("a"), files("b"));
  EXPECT_NE(files("a"), files("c"));
  for (const std::string& name : files("a"))
    EXPECT_EQ(test::readText(m_folder / "a" / name), test::readText(m_folder / "b" / name));
}

TEST_F(DeidentifyCommand, KeepsOrMovesDatesOnRequest) {
  writeStudy();
  EXPECT_EQ(run("kept", "--retain-dates").exitCode, 0);
  EXPECT_EQ(textOf("kept", DCM_StudyDate), "20240131");
  EXPECT_EQ(textOf("kept", DCM_PatientBirthDate), "");
  EXPECT_EQ(textOf("kept", DCM_LongitudinalTemporalInformationModified), "UNMODIFIED");
  EXPECT_EQ(run("moved", "--shift-dates -31").exitCode, 0);
  EXPECT_EQ(textOf("moved", DCM_StudyDate), "20231231");
  EXPECT_EQ(textOf("moved", DCM_LongitudinalTemporalInformationModified), "MODIFIED");
  EXPECT_EQ(run("hidden", "--shift-dates patient").exitCode, 0);
  EXPECT_LT(textOf("hidden", DCM_StudyDate), "20230131");
  EXPECT_EQ(textOf("hidden", DCM_StudyDate).size(), 8u);
}

TEST_F(DeidentifyCommand, KeepsWordsThatNameNobody) {
  writeStudy("CHEST Doe^Jane B70f 1mm");
  EXPECT_EQ(run("out", "--clean-descriptors").exitCode, 0);
  EXPECT_EQ(textOf("out", DCM_SeriesDescription), "CHEST B70f 1mm");
}

TEST_F(DeidentifyCommand, TakesANameForThePatient) {
  writeStudy();
  EXPECT_EQ(run("out", "--patient-id CASE-7").exitCode, 0);
  EXPECT_EQ(textOf("out", DCM_PatientID), "CASE-7");
  EXPECT_EQ(textOf("out", DCM_PatientName), "CASE-7");
  EXPECT_TRUE(fs::exists(m_folder / "out" / "CASE-7"));
}

TEST_F(DeidentifyCommand, EndsWithCode6WhereADamagedFileIsLeftOut) {
  writeStudy();
  fs::resize_file(m_folder / "in" / "s3.dcm", fs::file_size(m_folder / "in" / "s3.dcm") - 9);
  std::ofstream(m_folder / "in" / "notes.txt") << "Doe^Jane";
  const auto ran = run("out");
  EXPECT_EQ(ran.exitCode, 6);
  EXPECT_THAT(ran.out, HasSubstr("4 images"));
  EXPECT_THAT(ran.out, HasSubstr("Left out: 1 not DICOM, 1 damaged, 0 not an image, 0 with text in the pixels"));
  EXPECT_THAT(ran.err, HasSubstr("s3.dcm"));
  EXPECT_THAT(ran.err, HasSubstr("notes.txt"));
}

TEST_F(DeidentifyCommand, RefusesWrongUseBeforeItWrites) {
  writeStudy();
  EXPECT_EQ(run("in").exitCode, 2);
  EXPECT_EQ(run("in/out").exitCode, 2);
  EXPECT_EQ(run("out", "--shift-dates 0").exitCode, 2);
  EXPECT_EQ(run("out", "--shift-dates soon").exitCode, 2);
  EXPECT_EQ(run("out", "--shift-dates 5 --retain-dates").exitCode, 2);
  EXPECT_EQ(run("out", "--patient-id ../x").exitCode, 2);
  EXPECT_EQ(run("out", "--key '" + at("out/key") + "'").exitCode, 2);
  EXPECT_FALSE(fs::exists(m_folder / "out"));
  fs::create_directory(m_folder / "empty");
  EXPECT_EQ(test::runLynceus("deidentify '" + at("empty") + "' -o '" + at("out") + "'").exitCode, 3);
  EXPECT_EQ(test::runLynceus("deidentify '" + at("in") + "' -o /proc/lynceus").exitCode, 4);
}

}  // namespace
}  // namespace lynceus
