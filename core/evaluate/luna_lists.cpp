#include "core/evaluate/luna_lists.h"

#include <algorithm>
#include <unordered_map>

namespace lynceus::evaluate {
namespace {

constexpr const char* kSeriesColumn = "seriesuid";
constexpr double kExcludedDiameterMm = 10;  // of findings without one, in noduleCADEvaluationLUNA16

using Index = std::unordered_map<std::string, size_t>;

Expected<CsvTable> readTable(const std::string& path) {
  auto file = readCsv(path);
  if (!file) return passError(file);
  return CsvTable::create(std::move(*file));
}

/// The names in a list of series, with their lines.
struct NameList {
  std::vector<std::string> names;
  std::vector<size_t> lines;
};

Expected<NameList> readNames(const std::string& path) {
  const auto file = readCsv(path);
  if (!file) return passError(file);
  const std::vector<std::string>& first = file->rows.front().cells;
  const auto title = std::find(first.begin(), first.end(), kSeriesColumn);
  const bool titled = title != first.end();
  const size_t column = titled ? static_cast<size_t>(title - first.begin()) : 0;
  NameList list;
  for (size_t r = titled ? 1 : 0; r < file->rows.size(); ++r) {
    const std::string& name = file->rows[r].cells[column];
    if (name.empty())
      return makeError(ErrorCode::badInput, "{}, line {}: names no series: give its Series Instance UID", path,
                       file->rows[r].line);
    list.names.push_back(name);
    list.lines.push_back(file->rows[r].line);
  }
  if (list.names.empty())
    return makeError(ErrorCode::badInput, "{}: lists no series: give one Series Instance UID a line", path);
  return list;
}

Expected<Index> readSeries(const std::string& path, FrocInput& input) {
  const auto list = readNames(path);
  if (!list) return passError(list);
  Index index;
  for (size_t i = 0; i < list->names.size(); ++i) {
    if (!index.emplace(list->names[i], i).second)
      return makeError(ErrorCode::badInput, "{}, line {}: \"{}\" is listed twice: remove one, each series counts once",
                       path, list->lines[i], list->names[i]);
    input.scans.emplace_back().name = list->names[i];
  }
  return index;
}

/// The columns that both annotations and detections have.
class PlaceTable {
 public:
  static Expected<PlaceTable> read(const std::string& path, const char* valueColumn) {
    auto table = readTable(path);
    if (!table) return passError(table);
    PlaceTable places(std::move(*table));
    const char* const names[] = {kSeriesColumn, "coordX", "coordY", "coordZ", valueColumn};
    for (size_t i = 0; i < std::size(names); ++i) {
      const auto column = places.table.require(names[i]);
      if (!column) return passError(column);
      places.m_columns[i] = *column;
    }
    return places;
  }

  const std::string& series(size_t row) const { return table.text(row, m_columns[0]); }
  /// Centre and the number of the value column.
  Expected<std::pair<image::Point3, double>> numbers(size_t row) const {
    double values[4];
    for (size_t i = 0; i < 4; ++i) {
      const auto number = table.number(row, m_columns[i + 1]);
      if (!number) return passError(number);
      values[i] = *number;
    }
    return std::pair{image::Point3{values[0], values[1], values[2]}, values[3]};
  }
  tl::unexpected<Error> rejectValue(size_t row, std::string_view problem) const {
    return table.reject(row, m_columns[4], problem);
  }

  CsvTable table;

 private:
  explicit PlaceTable(CsvTable t) : table(std::move(t)) {}

  size_t m_columns[5] = {};
};

Expected<std::vector<size_t>> findGroupColumns(const CsvTable& table, const std::vector<std::string>& asked,
                                               FrocInput& input) {
  std::vector<size_t> columns;
  const auto add = [&](const std::string& name, size_t column) {
    if (std::find(columns.begin(), columns.end(), column) != columns.end()) return;
    columns.push_back(column);
    input.groupColumns.push_back(name);
  };
  for (const char* name : {"texture", "attachment"})
    if (const auto column = table.find(name)) add(name, *column);
  for (const std::string& name : asked) {
    const auto column = table.require(name);
    if (!column) return passError(column);
    add(name, *column);
  }
  return columns;
}

Expected<void> readAnnotations(const LunaFiles& files, const Index& index, LunaInput& result) {
  const auto places = PlaceTable::read(files.annotations, "diameter_mm");
  if (!places) return passError(places);
  const auto groups = findGroupColumns(places->table, files.groupColumns, result.input);
  if (!groups) return passError(groups);
  for (size_t row = 0; row < places->table.rowCount(); ++row) {
    const auto numbers = places->numbers(row);
    if (!numbers) return passError(numbers);
    if (!(numbers->second > 0))
      return places->rejectValue(row, "is no diameter: give millimetres above 0, or move the row to the excluded ones");
    const auto scan = index.find(places->series(row));
    if (scan == index.end()) {
      ++result.otherFindings;
      continue;
    }
    KnownFinding finding{{numbers->first, numbers->second}, fmt::format("line {}", places->table.line(row)), {}};
    for (const size_t column : *groups) {
      const std::string& value = places->table.text(row, column);
      finding.groups.push_back(value.empty() ? "not given" : value);
    }
    result.input.scans[scan->second].findings.push_back(std::move(finding));
  }
  return {};
}

Expected<void> readExcluded(const std::string& path, const Index& index, LunaInput& result) {
  const auto places = PlaceTable::read(path, "diameter_mm");
  if (!places) return passError(places);
  for (size_t row = 0; row < places->table.rowCount(); ++row) {
    const auto numbers = places->numbers(row);
    if (!numbers) return passError(numbers);
    const auto scan = index.find(places->series(row));
    if (scan == index.end()) {
      ++result.otherExcluded;
      continue;
    }
    const double diameterMm = numbers->second < 0 ? kExcludedDiameterMm : numbers->second;
    result.input.scans[scan->second].excluded.push_back({numbers->first, diameterMm});
  }
  return {};
}

Expected<void> readDetections(const LunaFiles& files, const Index& index, LunaInput& result) {
  const auto places = PlaceTable::read(files.detections, "probability");
  if (!places) return passError(places);
  for (size_t row = 0; row < places->table.rowCount(); ++row) {
    const auto numbers = places->numbers(row);
    if (!numbers) return passError(numbers);
    const auto scan = index.find(places->series(row));
    if (scan == index.end()) {
      ++result.otherMarks;
      continue;
    }
    result.input.scans[scan->second].marks.push_back({numbers->first, numbers->second});
  }
  if (result.otherMarks > 0 && result.otherMarks == places->table.rowCount()) {
    return makeError(ErrorCode::badInput,
                     "{}, line {}, column {}: \"{}\", like all others there, is none of the series that {} lists: "
                     "write the same UIDs in both",
                     files.detections, places->table.line(0), kSeriesColumn, places->series(0), files.series);
  }
  return {};
}

}  // namespace

Expected<LunaInput> readLunaLists(const LunaFiles& files) {
  LunaInput result;
  const auto index = readSeries(files.series, result.input);
  if (!index) return passError(index);
  if (auto read = readAnnotations(files, *index, result); !read) return passError(read);
  if (!files.excluded.empty()) {
    if (auto read = readExcluded(files.excluded, *index, result); !read) return passError(read);
  }
  if (auto read = readDetections(files, *index, result); !read) return passError(read);
  if (!files.background.empty()) {
    if (auto set = setBackground(files.background, result.input); !set) return passError(set);
  }
  return result;
}

Expected<void> setBackground(const std::string& file, FrocInput& input) {
  const auto list = readNames(file);
  if (!list) return passError(list);
  Index index;
  for (size_t s = 0; s < input.scans.size(); ++s) {
    index.emplace(input.scans[s].name, s);
    input.scans[s].countsFalseMarks = false;
  }
  for (size_t i = 0; i < list->names.size(); ++i) {
    const auto scan = index.find(list->names[i]);
    if (scan == index.end())
      return makeError(ErrorCode::badInput,
                       "{}, line {}: \"{}\" is none of the series to evaluate: add it to them or remove it here", file,
                       list->lines[i], list->names[i]);
    input.scans[scan->second].countsFalseMarks = true;
  }
  return {};
}

Expected<std::vector<Outcome>> readPatches(const std::string& file) {
  const auto table = readTable(file);
  if (!table) return passError(table);
  size_t columns[3];
  const char* const names[] = {"patient", "label", "score"};
  for (size_t i = 0; i < 3; ++i) {
    const auto column = table->require(names[i]);
    if (!column) return passError(column);
    columns[i] = *column;
  }
  std::vector<Outcome> outcomes;
  std::unordered_map<std::string, uint32_t> patients;
  for (size_t row = 0; row < table->rowCount(); ++row) {
    const auto label = table->number(row, columns[1]);
    if (!label) return passError(label);
    const auto score = table->number(row, columns[2]);
    if (!score) return passError(score);
    if (*label != 0 && *label != 1) return table->reject(row, columns[1], "is no label: give 0 or 1");
    if (*score < 0 || *score > 1) return table->reject(row, columns[2], "is no probability: give 0 to 1");
    const auto patient = patients.emplace(table->text(row, columns[0]), static_cast<uint32_t>(patients.size()));
    outcomes.push_back({*score, *label == 1, patient.first->second});
  }
  if (outcomes.empty())
    return makeError(ErrorCode::badInput, "{}: has no patches below the line of column names: add some", file);
  return outcomes;
}

}  // namespace lynceus::evaluate
