// Reads tables as spreadsheets and scripts write them: the lists of LUNA16 and the like.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"

namespace lynceus::evaluate {

struct CsvRow {
  size_t line = 0;  ///< in the file, from 1: where the row starts
  std::vector<std::string> cells;
};

/// The rows of one file; every row has as many cells as the first, and there is at least one.
struct CsvFile {
  std::string name;  ///< for messages
  std::vector<CsvRow> rows;
};

/// RFC 4180 with what is met besides: tab, semicolon or comma, whichever the first line has most of; LF or CRLF; a
/// byte order mark; blanks around cells without quotes; empty lines. Any bytes end in rows or in an error.
/// @param name  what a message calls the text.
/// @return ErrorCode::badInput naming the line: empty, not UTF-8 text, quotes that do not match, a row that is shorter
/// or longer than the first.
Expected<CsvFile> parseCsv(std::string_view text, std::string name);

/// As parseCsv. ErrorCode::resource where the file cannot be read, ErrorCode::badInput above 256 MiB.
Expected<CsvFile> readCsv(const std::filesystem::path& path);

/// A file whose first row names the columns.
class CsvTable {
 public:
  /// @return ErrorCode::badInput where a name occurs twice.
  static Expected<CsvTable> create(CsvFile file);

  const std::string& name() const { return m_file.name; }
  /// Names of the columns, in their order.
  const std::vector<std::string>& columns() const { return m_file.rows.front().cells; }
  size_t rowCount() const { return m_file.rows.size() - 1; }
  size_t line(size_t row) const { return m_file.rows[row + 1].line; }

  std::optional<size_t> find(std::string_view column) const;
  /// @return ErrorCode::badInput naming the columns that are there.
  Expected<size_t> require(std::string_view column) const;

  const std::string& text(size_t row, size_t column) const { return m_file.rows[row + 1].cells[column]; }
  /// @return ErrorCode::badInput naming file, line, column and value unless it is a finite number.
  Expected<double> number(size_t row, size_t column) const;
  /// An error about one cell: file, line, column and value, then `problem`.
  tl::unexpected<Error> reject(size_t row, size_t column, std::string_view problem) const;

 private:
  explicit CsvTable(CsvFile file) : m_file(std::move(file)) {}

  CsvFile m_file;
};

}  // namespace lynceus::evaluate
