// The command `lynceus evaluate` as a user runs it.
#include <algorithm>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "io/results/findings_json.h"
#include "tests/support/program.h"

using namespace lynceus;
using namespace lynceus::test;
using nlohmann::json;
using testing::HasSubstr;

namespace {

class EvaluateCommand : public testing::Test {
 protected:
  EvaluateCommand() {
    write("a.csv",
          "seriesuid,coordX,coordY,coordZ,diameter_mm,texture\n"
          "1.2,0,0,0,10,solid\n1.3,0,0,0,4,ground glass\n1.9,0,0,0,4,solid\n");
    write("s.csv", "1.2\n1.3\n");
    write("d.csv",
          "seriesuid,coordX,coordY,coordZ,probability\n"
          "1.2,0,0,1,0.9\n1.2,50,0,0,0.8\n1.3,50,0,0,0.7\n1.3,0,1,0,0.6\n");
  }
  std::string path(const std::string& name) const { return "'" + (m_folder / name).string() + "'"; }
  void write(const std::string& name, const std::string& text) const { std::ofstream(m_folder / name) << text; }
  json read(const std::string& name) const { return json::parse(readText(m_folder / name)); }
  ProgramRun evaluateLists(const std::string& more = "") const {
    return runLynceus("evaluate --annotations " + path("a.csv") + " --series " + path("s.csv") + " --detections " +
                      path("d.csv") + " " + more);
  }
  /// The result of a perfect detector, or any other file, as that of a study.
  void copyResult(const std::string& truth, const std::string& name) const {
    std::filesystem::create_directories(m_folder / ("results/" + name));
    std::filesystem::copy(m_folder / truth, m_folder / ("results/" + name + "/findings.json"));
  }
  /// A study with one known finding of 8 mm, and what was found there.
  void writeStudy(const std::string& name, const detect::DetectionResult& found) const {
    detect::DetectionResult truth;
    truth.status = detect::Status::succeeded;
    truth.findings.resize(1);
    truth.findings[0].id = 1;
    truth.findings[0].estimatedDiameterMm = 8;
    for (const std::string kind : {"truth/", "results/"}) std::filesystem::create_directories(m_folder / (kind + name));
    ASSERT_TRUE(results::writeFindingsJson(truth, m_folder / ("truth/" + name + "/truth.json")));
    ASSERT_TRUE(results::writeFindingsJson(found, m_folder / ("results/" + name + "/findings.json")));
  }
  ProgramRun evaluateFolders(const std::string& more = "") const {
    return runLynceus("evaluate --truth " + path("truth") + " --results " + path("results") + " " + more);
  }

  TemporaryFolder m_folder;
};

void expectOneSentence(const ProgramRun& run, int exitCode, const std::string& mustName) {
  EXPECT_EQ(run.exitCode, exitCode) << run.err;
  EXPECT_EQ(run.out, "");
  EXPECT_THAT(run.err, testing::StartsWith("lynceus: "));
  EXPECT_EQ(std::count(run.err.begin(), run.err.end(), '\n'), 1) << run.err;
  EXPECT_THAT(run.err, HasSubstr(mustName));
}

}  // namespace

TEST_F(EvaluateCommand, PrintsATableAndWritesEveryFigure) {
  const ProgramRun run = evaluateLists("--json " + path("out.json") + " --plot " + path("out.svg"));
  ASSERT_EQ(run.exitCode, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("FROC: 2 findings and 2 false marks in 2 series"));
  EXPECT_THAT(run.out, HasSubstr("left out, as their series are not listed: 1 findings"));
  EXPECT_THAT(run.out, HasSubstr("CPM, the mean"));
  EXPECT_THAT(run.out, HasSubstr("ground glass"));
  EXPECT_THAT(run.out, HasSubstr("expected calibration error"));
  const json out = read("out.json");
  EXPECT_EQ(out["schemaVersion"], 1);
  EXPECT_EQ(out["kind"], "froc");
  const double expected[] = {0.5, 0.5, 0.5, 1, 1, 1, 1};
  for (size_t i = 0; i < 7; ++i) EXPECT_EQ(out["operatingPoints"][i]["sensitivity"]["value"], expected[i]);
  EXPECT_EQ(out["counts"]["leftOut"]["findings"], 1);
  EXPECT_EQ(out["bootstrap"]["replicates"], 1000);
  EXPECT_EQ(out["findings"][1]["series"], "1.3");
  EXPECT_EQ(out["findings"][1]["score"], 0.6);
  EXPECT_EQ(out["findings"][1]["place"], "line 3");
  EXPECT_TRUE(out["calibration"].is_object());
  const std::string svg = readText(m_folder / "out.svg");
  EXPECT_THAT(svg, testing::StartsWith("<svg"));
  EXPECT_THAT(svg, testing::EndsWith("</svg>\n"));
}

TEST_F(EvaluateCommand, WritesTheSameBytesForAnyNumberOfThreads) {
  ASSERT_EQ(evaluateLists("--threads 1 --json " + path("one.json")).exitCode, 0);
  ASSERT_EQ(evaluateLists("--threads 3 --json " + path("three.json")).exitCode, 0);
  EXPECT_EQ(readText(m_folder / "one.json"), readText(m_folder / "three.json"));
  ASSERT_EQ(evaluateLists("--seed 2 --json " + path("other.json")).exitCode, 0);
  EXPECT_NE(read("one.json")["bootstrap"], read("other.json")["bootstrap"]);
  EXPECT_EQ(read("one.json")["operatingPoints"][0]["sensitivity"]["value"],
            read("other.json")["operatingPoints"][0]["sensitivity"]["value"]);
}

TEST_F(EvaluateCommand, NamesMissedFindings) {
  write("d.csv", "seriesuid,coordX,coordY,coordZ,probability\n1.2,0,0,5,0.9\n");  // exactly at the radius
  ASSERT_EQ(evaluateLists("--json " + path("out.json")).exitCode, 0);
  for (const json& f : read("out.json")["findings"]) EXPECT_TRUE(f["score"].is_null());
}

TEST_F(EvaluateCommand, SaysWhenItIsAPseudoFroc) {
  write("b.csv", "1.3\n");
  const ProgramRun run = evaluateLists("--background " + path("b.csv") + " --json " + path("out.json"));
  ASSERT_EQ(run.exitCode, 0) << run.err;
  EXPECT_THAT(run.out, testing::StartsWith("pseudo-FROC: findings from 2 series, false marks from 1\n"));
  EXPECT_EQ(read("out.json")["headline"], "pseudo-FROC: findings from 2 series, false marks from 1");
}

TEST_F(EvaluateCommand, ComparesPhantomsWithWhatWasFoundInThem) {
  const ProgramRun made = runLynceus("phantom --preset demo --matrix 64 --slice-mm 6 --seed 1 -o " + path("truth/p1"));
  ASSERT_EQ(made.exitCode, 0) << made.err;
  copyResult("truth/p1/truth.json", "p1");  // a perfect detector
  const ProgramRun run = evaluateFolders("--by margin --json " + path("out.json"));
  ASSERT_EQ(run.exitCode, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("sensitivity by texture"));
  EXPECT_THAT(run.out, HasSubstr("sensitivity by margin"));
  const json out = read("out.json");
  EXPECT_EQ(out["cpm"]["value"], 1);
  EXPECT_GE(out["counts"]["findings"], 3);
  EXPECT_EQ(out["counts"]["hits"], out["counts"]["findings"]);
  EXPECT_EQ(out["findings"][0]["series"], "p1");
}

TEST_F(EvaluateCommand, AStudyWithoutFindingsIsEvaluatedAndAFailedOneIsNamed) {
  detect::DetectionResult empty;
  empty.status = detect::Status::succeeded;
  writeStudy("a", empty);
  writeStudy("b", empty);
  const ProgramRun run = evaluateFolders("--json " + path("out.json"));
  ASSERT_EQ(run.exitCode, 0) << run.err;
  EXPECT_EQ(read("out.json")["cpm"]["value"], 0);
  EXPECT_THAT(run.out, HasSubstr("2 findings and 0 false marks in 2 series"));

  detect::DetectionResult failed;
  failed.reason = "the disk was full";
  writeStudy("b", failed);
  expectOneSentence(evaluateFolders(), 3, "results/b/findings.json: its status is \"failed\" (the disk was full)");
  std::filesystem::remove(m_folder / "results/b/findings.json");
  expectOneSentence(evaluateFolders(), 3, "results/b/findings.json: is not there");
}

TEST_F(EvaluateCommand, EvaluatesPatches) {
  write("p.csv", "patient,label,score\na,1,0.9\nb,1,0.5\nc,0,0.5\nd,0,0.1\n");
  const ProgramRun run = runLynceus("evaluate --patches " + path("p.csv") + " --json " + path("out.json") + " --plot " +
                                    path("out.svg") + " --title 'a < b'");
  ASSERT_EQ(run.exitCode, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("ROC: 4 patches of 4 patients, 2 with label 1"));
  EXPECT_EQ(read("out.json")["rocArea"]["value"], 3.5 / 4);
  EXPECT_EQ(read("out.json")["accuracy"]["value"], 0.75);
  EXPECT_THAT(readText(m_folder / "out.svg"), HasSubstr(">a &lt; b<"));
}

TEST_F(EvaluateCommand, SaysInOneSentenceWhatIsWrong) {
  write("d.csv", "seriesuid,coordX,coordY,coordZ,probability\n1.2,0,0,zero,0.9\n");
  expectOneSentence(evaluateLists(), 3, "d.csv, line 2, column coordZ: \"zero\" is not a number");
  write("d.csv", "");
  expectOneSentence(evaluateLists(), 3, "d.csv: is empty");
  std::filesystem::remove(m_folder / "d.csv");
  expectOneSentence(evaluateLists(), 4, "d.csv: cannot be read");
  write("p.csv", "patient,label,score\na,1,0.9\n");
  expectOneSentence(runLynceus("evaluate --patches " + path("p.csv")), 3, "p.csv: 1 of 1 patches have label 1");
  expectOneSentence(runLynceus("evaluate --truth " + path(".") + " --results " + path(".")), 3, "truth.json");
}

TEST_F(EvaluateCommand, RefusesWaysThatDoNotGoTogether) {
  expectOneSentence(runLynceus("evaluate"), 2, "--patches alone");
  expectOneSentence(runLynceus("evaluate --annotations " + path("a.csv")), 2, "--series");
  expectOneSentence(evaluateLists("--truth " + path("t") + " --results " + path("r")), 2, "--truth");
  expectOneSentence(runLynceus("evaluate --patches " + path("a.csv") + " --by texture"), 2, "--by");
  EXPECT_EQ(evaluateLists("--bootstraps 5").exitCode, 2);
}

TEST_F(EvaluateCommand, LeavesNothingBehindWhereItCannotWrite) {
  const ProgramRun run = evaluateLists("--json /proc/none/out.json");
  EXPECT_EQ(run.exitCode, 4);
  EXPECT_THAT(run.err, HasSubstr("/proc/none/out.json"));
}
