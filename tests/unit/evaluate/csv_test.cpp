#include "core/evaluate/csv.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/temporary_folder.h"

using namespace lynceus;
using evaluate::CsvTable;
using evaluate::parseCsv;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

std::vector<std::vector<std::string>> cells(std::string_view text) {
  const auto file = parseCsv(text, "t.csv");
  std::vector<std::vector<std::string>> rows;
  if (!file) return {{file.error().message}};
  for (const auto& row : file->rows) rows.push_back(row.cells);
  return rows;
}

std::string problem(std::string_view text) {
  const auto file = parseCsv(text, "t.csv");
  if (file) return "none";
  EXPECT_EQ(file.error().code, ErrorCode::badInput);
  return file.error().message;
}

CsvTable table(std::string_view text) { return *CsvTable::create(*parseCsv(text, "t.csv")); }

}  // namespace

TEST(Csv, FindsTheSeparatorInTheFirstLine) {
  EXPECT_THAT(cells("a,b\n1,2\n"), ElementsAre(ElementsAre("a", "b"), ElementsAre("1", "2")));
  EXPECT_THAT(cells("a;b\n1,5;2\n"), ElementsAre(ElementsAre("a", "b"), ElementsAre("1,5", "2")));
  EXPECT_THAT(cells("a\tb\n1\t\n"), ElementsAre(ElementsAre("a", "b"), ElementsAre("1", "")));
  EXPECT_THAT(cells("\"a,b,c\"\td\n1\t2"), ElementsAre(ElementsAre("a,b,c", "d"), ElementsAre("1", "2")));
  EXPECT_THAT(cells("one\ntwo\n"), ElementsAre(ElementsAre("one"), ElementsAre("two")));
}

TEST(Csv, TakesByteOrderMarkWindowsLinesBlanksAndEmptyLines) {
  EXPECT_THAT(cells("\xEF\xBB\xBF"
                    "a, b \r\n\r\n 1 ,2\r\n\n"),
              ElementsAre(ElementsAre("a", "b"), ElementsAre("1", "2")));
}

TEST(Csv, ReadsQuotedCellsWithSeparatorsQuotesAndLineBreaks) {
  EXPECT_THAT(cells("a,b\n\"x,\"\"y\"\"\",\"two\nlines\"\n"),
              ElementsAre(ElementsAre("a", "b"), ElementsAre("x,\"y\"", "two\nlines")));
  EXPECT_EQ(parseCsv("a\n\"1\n2\"\n3\n", "t.csv")->rows.back().line, 4u);
}

TEST(Csv, NamesTheLineThatIsWrong) {
  EXPECT_THAT(problem("a,b\n1,2\n1,2,3\n"), HasSubstr("t.csv, line 3: has 3 cells where the first line has 2"));
  EXPECT_THAT(problem("a,b\n1,\"2\n"), HasSubstr("t.csv, line 2: a quotation mark opens here"));
  EXPECT_THAT(problem("a,b\n\"1\"2,3\n"), HasSubstr("t.csv, line 2: text follows a closing quotation mark"));
  EXPECT_THAT(problem(""), HasSubstr("t.csv: is empty"));
  EXPECT_THAT(problem("\n\r\n"), HasSubstr("t.csv: is empty"));
  EXPECT_THAT(problem(std::string_view("a\0b", 3)), HasSubstr("save it as CSV in UTF-8"));
  EXPECT_THAT(problem("\xFF\xFE"
                      "a"),
              HasSubstr("save it as CSV in UTF-8"));
}

TEST(Csv, FindsColumnsByNameAndNamesWhatThereIs) {
  const CsvTable t = table("b,a\n1,2\n");
  EXPECT_EQ(t.require("a"), 1u);
  EXPECT_EQ(t.require("c").error().message, "t.csv: has no column c: the first line, which has to name it, is \"b,a\"");
  EXPECT_THAT(CsvTable::create(*parseCsv("a,a\n", "t.csv")).error().message, HasSubstr("two columns are named \"a\""));
}

TEST(Csv, TakesFiniteNumbersOnly) {
  const CsvTable t = table("n\n-1.5e2\n+3\nnan\ninf\n1.5x\n");
  EXPECT_EQ(t.number(0, 0), -150);
  EXPECT_EQ(t.number(1, 0), 3);
  for (const size_t row : {2, 3, 4}) EXPECT_FALSE(t.number(row, 0)) << row;
  EXPECT_THAT(t.number(2, 0).error().message, HasSubstr("t.csv, line 4, column n: \"nan\" is not a number"));
}

TEST(Csv, SaysThatAFileIsMissing) {
  const test::TemporaryFolder folder;
  const auto file = evaluate::readCsv(folder / "none.csv");
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, ErrorCode::resource);
  EXPECT_THAT(file.error().message, HasSubstr("none.csv"));
  EXPECT_FALSE(evaluate::readCsv(folder.path()));
}
