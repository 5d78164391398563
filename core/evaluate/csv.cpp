#include "core/evaluate/csv.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>

namespace lynceus::evaluate {
namespace {

constexpr size_t kMostBytes = size_t{256} << 20;

// What stands between cells: a quoted comma in a tab-separated first line must not decide.
char separatorOf(std::string_view text) {
  size_t counts[3] = {0, 0, 0};
  constexpr std::string_view kSeparators = "\t;,";
  bool quoted = false;
  for (const char c : text) {
    if (c == '"') quoted = !quoted;
    if (quoted) continue;
    if (c == '\n') break;
    if (const size_t i = kSeparators.find(c); i != std::string_view::npos) ++counts[i];
  }
  const size_t* most = std::max_element(counts, counts + 3);
  return *most == 0 ? ',' : kSeparators[static_cast<size_t>(most - counts)];
}

class Parser {
 public:
  Parser(std::string_view text, CsvFile& file) : m_text(text), m_separator(separatorOf(text)), m_file(&file) {}

  Expected<void> parse() {
    while (m_at < m_text.size()) {
      if (auto read = parseRow(); !read) return read;
    }
    return {};
  }

 private:
  bool atEndOfLine() const { return m_at == m_text.size() || m_text[m_at] == '\n' || m_text.substr(m_at, 2) == "\r\n"; }
  void skipEndOfLine() {
    if (m_at < m_text.size() && m_text[m_at] == '\r') ++m_at;
    if (m_at < m_text.size()) ++m_at;
    ++m_line;
  }
  void skipBlanks() {
    while (m_at < m_text.size() && m_text[m_at] != m_separator && (m_text[m_at] == ' ' || m_text[m_at] == '\t')) ++m_at;
  }

  Expected<void> parseRow() {
    CsvRow row{m_line, {}};
    for (;;) {
      if (auto cell = parseCell(row.cells.emplace_back()); !cell) return cell;
      if (atEndOfLine()) break;
      ++m_at;  // the separator
    }
    skipEndOfLine();
    if (row.cells.size() == 1 && row.cells[0].empty()) return {};  // an empty line
    if (!m_file->rows.empty() && row.cells.size() != m_file->rows[0].cells.size()) {
      return makeError(ErrorCode::badInput,
                       "{}, line {}: has {} cells where the first line has {}: every line needs the same columns",
                       m_file->name, row.line, row.cells.size(), m_file->rows[0].cells.size());
    }
    m_file->rows.push_back(std::move(row));
    return {};
  }

  Expected<void> parseCell(std::string& cell) {
    skipBlanks();
    if (m_at < m_text.size() && m_text[m_at] == '"') return parseQuoted(cell);
    const size_t start = m_at;
    while (!atEndOfLine() && m_text[m_at] != m_separator) ++m_at;
    cell = m_text.substr(start, m_at - start);
    cell.erase(cell.find_last_not_of(" \t\r") + 1);
    return {};
  }

  Expected<void> parseQuoted(std::string& cell) {
    const size_t start = m_line;
    for (++m_at;; ++m_at) {
      if (m_at == m_text.size()) {
        return makeError(ErrorCode::badInput, "{}, line {}: a quotation mark opens here and never closes: add one",
                         m_file->name, start);
      }
      if (m_text[m_at] == '"' && m_text.substr(m_at, 2) != "\"\"") break;
      if (m_text[m_at] == '"') ++m_at;
      if (m_text[m_at] == '\n') ++m_line;
      cell += m_text[m_at];
    }
    ++m_at;
    skipBlanks();
    if (atEndOfLine() || m_text[m_at] == m_separator) return {};
    return makeError(ErrorCode::badInput,
                     "{}, line {}: text follows a closing quotation mark: write a quotation mark inside a cell twice",
                     m_file->name, m_line);
  }

  std::string_view m_text;
  char m_separator;
  CsvFile* m_file;
  size_t m_at = 0, m_line = 1;
};

}  // namespace

Expected<CsvFile> parseCsv(std::string_view text, std::string name) {
  CsvFile file{std::move(name), {}};
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF") || text.find('\0') != std::string_view::npos) {
    return makeError(ErrorCode::badInput, "{}: is not a table in UTF-8 text: save it as CSV in UTF-8", file.name);
  }
  if (auto parsed = Parser(text, file).parse(); !parsed) return passError(parsed);
  if (file.rows.empty()) return makeError(ErrorCode::badInput, "{}: is empty: give a table", file.name);
  return file;
}

Expected<CsvFile> readCsv(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::string text;
  std::vector<char> block(size_t{1} << 20);
  while (in && text.size() <= kMostBytes) {  // not by the size of the file, which a pipe does not have
    in.read(block.data(), static_cast<std::streamsize>(block.size()));
    text.append(block.data(), static_cast<size_t>(in.gcount()));
  }
  if (text.size() > kMostBytes) {
    return makeError(ErrorCode::badInput, "{}: has more than {} MiB: leave out rows that nobody needs", path.string(),
                     kMostBytes >> 20);
  }
  if (!in.eof()) return makeError(ErrorCode::resource, "{}: cannot be read: check the path", path.string());
  return parseCsv(text, path.string());
}

Expected<CsvTable> CsvTable::create(CsvFile file) {
  std::vector<std::string> names = file.rows.front().cells;
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice == names.end()) return CsvTable(std::move(file));
  return makeError(ErrorCode::badInput, "{}: two columns are named \"{}\": rename one", file.name, *twice);
}

std::optional<size_t> CsvTable::find(std::string_view column) const {
  const auto at = std::find(columns().begin(), columns().end(), column);
  if (at == columns().end()) return std::nullopt;
  return static_cast<size_t>(at - columns().begin());
}

Expected<size_t> CsvTable::require(std::string_view column) const {
  if (const auto at = find(column)) return *at;
  return makeError(ErrorCode::badInput, "{}: has no column {}: the first line, which has to name it, is \"{}\"", name(),
                   column, fmt::join(columns(), ","));
}

Expected<double> CsvTable::number(size_t row, size_t column) const {
  const std::string& cell = text(row, column);
  double value = 0;
  const char* const end = cell.data() + cell.size();
  const auto read = std::from_chars(cell.data() + (cell.starts_with('+') ? 1 : 0), end, value);
  if (read.ec == std::errc{} && read.ptr == end && std::isfinite(value)) return value;
  return reject(row, column, "is not a number: write it with digits and a point, such as -12.5");
}

tl::unexpected<Error> CsvTable::reject(size_t row, size_t column, std::string_view problem) const {
  return makeError(ErrorCode::badInput, "{}, line {}, column {}: \"{}\" {}", name(), line(row), columns()[column],
                   text(row, column), problem);
}

}  // namespace lynceus::evaluate
