#include "core/evaluate/luna_lists.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/temporary_folder.h"

using namespace lynceus;
using evaluate::LunaFiles;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

class LunaLists : public testing::Test {
 protected:
  LunaLists() {
    m_files.annotations = write("a.csv", "seriesuid,coordX,coordY,coordZ,diameter_mm\n1.2,1,2,3,8\n9.9,0,0,0,5\n");
    m_files.series = write("s.csv", "1.2\n1.3\n");
    m_files.detections = write("d.csv", "probability\tcoordZ\tcoordY\tcoordX\tseriesuid\n0.7\t3\t2\t1\t1.2\n");
  }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(m_folder / name) << text;
    return (m_folder / name).string();
  }
  /// What is wrong with the annotations, detections, …
  std::string problem() const {
    const auto lists = evaluate::readLunaLists(m_files);
    if (lists) return "none";
    EXPECT_EQ(lists.error().code, ErrorCode::badInput) << lists.error().message;
    return lists.error().message;
  }

  test::TemporaryFolder m_folder;
  LunaFiles m_files;
};

const std::string kColumns = "seriesuid,coordX,coordY,coordZ,diameter_mm\n";

}  // namespace

TEST_F(LunaLists, ReadsColumnsByNameAndLeavesOtherSeriesOut) {
  const auto lists = evaluate::readLunaLists(m_files);
  ASSERT_TRUE(lists) << lists.error().message;
  ASSERT_EQ(lists->input.scans.size(), 2u);
  const evaluate::Scan& scan = lists->input.scans[0];
  EXPECT_EQ(scan.name, "1.2");
  ASSERT_EQ(scan.findings.size(), 1u);
  EXPECT_EQ(scan.findings[0].ball.centerMm, (image::Point3{1, 2, 3}));
  EXPECT_EQ(scan.findings[0].ball.diameterMm, 8);
  EXPECT_EQ(scan.findings[0].place, "line 2");
  ASSERT_EQ(scan.marks.size(), 1u);
  EXPECT_EQ(scan.marks[0].centerMm, (image::Point3{1, 2, 3}));
  EXPECT_EQ(scan.marks[0].score, 0.7);
  EXPECT_EQ(lists->otherFindings, 1u);
}

TEST_F(LunaLists, TakesTheListOfSeriesWithOrWithoutATitle) {
  for (const char* text : {"seriesuid\n1.2\n1.3\n", "1.2\r\n1.3\r\n",
                           "\xEF\xBB\xBF"
                           "1.2\n1.3",
                           "n,seriesuid\n1,1.2\n2,1.3\n"}) {
    m_files.series = write("s.csv", text);
    const auto lists = evaluate::readLunaLists(m_files);
    ASSERT_TRUE(lists) << lists.error().message;
    EXPECT_EQ(lists->input.scans.size(), 2u) << text;
    EXPECT_EQ(lists->input.scans[1].name, "1.3") << text;
  }
}

TEST_F(LunaLists, AnExcludedFindingWithoutADiameterHasTenMillimetres) {
  m_files.excluded = write("e.csv", kColumns + "1.2,0,0,0,-1\n1.3,0,0,0,4\n7,0,0,0,-1\n");
  const auto lists = evaluate::readLunaLists(m_files);
  ASSERT_TRUE(lists) << lists.error().message;
  EXPECT_EQ(lists->input.scans[0].excluded.at(0).diameterMm, 10);
  EXPECT_EQ(lists->input.scans[1].excluded.at(0).diameterMm, 4);
  EXPECT_EQ(lists->otherExcluded, 1u);
}

TEST_F(LunaLists, GroupsByTextureAttachmentAndWhatIsAskedFor) {
  m_files.annotations = write("a.csv",
                              "attachment,texture,lobe,seriesuid,coordX,coordY,coordZ,diameter_mm\n"
                              "pleura,solid,left,1.2,1,2,3,8\n,solid,left,1.2,1,2,3,8\n");
  m_files.groupColumns = {"lobe", "texture"};
  const auto lists = evaluate::readLunaLists(m_files);
  ASSERT_TRUE(lists) << lists.error().message;
  EXPECT_THAT(lists->input.groupColumns, ElementsAre("texture", "attachment", "lobe"));
  EXPECT_THAT(lists->input.scans[0].findings[1].groups, ElementsAre("solid", "not given", "left"));
  m_files.groupColumns = {"none"};
  EXPECT_THAT(problem(), HasSubstr("a.csv: has no column none"));
}

TEST_F(LunaLists, NamesFileLineColumnAndValueOfWhatIsWrong) {
  m_files.annotations = write("a.csv", kColumns + "1.2,0,x,0,5\n");
  EXPECT_THAT(problem(), HasSubstr("a.csv, line 2, column coordY: \"x\" is not a number"));
  m_files.annotations = write("a.csv", kColumns + "1.2,0,0,0,NaN\n");
  EXPECT_THAT(problem(), HasSubstr("a.csv, line 2, column diameter_mm: \"NaN\" is not a number"));
  for (const char* diameter : {"-1", "0"}) {
    m_files.annotations = write("a.csv", kColumns + "1.2,0,0,0," + diameter + "\n");
    EXPECT_THAT(problem(), HasSubstr(std::string("column diameter_mm: \"") + diameter + "\" is no diameter"));
  }
  m_files.annotations = write("a.csv", "seriesuid,coordX,coordY,diameter_mm\n");
  EXPECT_THAT(problem(), HasSubstr("a.csv: has no column coordZ"));
  m_files.annotations = write("a.csv", "");
  EXPECT_THAT(problem(), HasSubstr("a.csv: is empty"));
}

TEST_F(LunaLists, RefusesListsOfSeriesThatCannotBeMeant) {
  m_files.series = write("s.csv", "1.2\n1.3\n1.2\n");
  EXPECT_THAT(problem(), HasSubstr("s.csv, line 3: \"1.2\" is listed twice"));
  m_files.series = write("s.csv", "seriesuid\n");
  EXPECT_THAT(problem(), HasSubstr("s.csv: lists no series"));
  m_files.series = write("s.csv", "5.5\n");
  EXPECT_THAT(problem(), HasSubstr("d.csv, line 2, column seriesuid: \"1.2\", like all others there, is none"));
}

TEST_F(LunaLists, DetectionsMayBeNone) {
  m_files.detections = write("d.csv", "seriesuid,coordX,coordY,coordZ,probability\n");
  EXPECT_EQ(problem(), "none");
}

TEST_F(LunaLists, BackgroundSeriesMustBeAmongThose) {
  m_files.background = write("b.csv", "1.3\n");
  const auto lists = evaluate::readLunaLists(m_files);
  ASSERT_TRUE(lists) << lists.error().message;
  EXPECT_FALSE(lists->input.scans[0].countsFalseMarks);
  EXPECT_TRUE(lists->input.scans[1].countsFalseMarks);
  m_files.background = write("b.csv", "1.3\n4.4\n");
  EXPECT_THAT(problem(), HasSubstr("b.csv, line 2: \"4.4\" is none of the series to evaluate"));
}

TEST_F(LunaLists, ReadsPatches) {
  const auto patches = evaluate::readPatches(write("p.csv", "score,label,patient\n0.5,1,a\n0.25,0,b\n1,1,a\n"));
  ASSERT_TRUE(patches) << patches.error().message;
  ASSERT_EQ(patches->size(), 3u);
  EXPECT_EQ((*patches)[2].unit, (*patches)[0].unit);
  EXPECT_EQ((*patches)[1].unit, 1u);
  EXPECT_FALSE((*patches)[1].isTrue);
  const auto message = [&](const std::string& text) {
    return evaluate::readPatches(write("p.csv", text)).error().message;
  };
  EXPECT_THAT(message("score,label,patient\n0.5,2,a\n"), HasSubstr("column label: \"2\" is no label"));
  EXPECT_THAT(message("score,label,patient\n1.5,1,a\n"), HasSubstr("column score: \"1.5\" is no probability"));
  EXPECT_THAT(message("score,label,patient\n"), HasSubstr("p.csv: has no patches"));
}
