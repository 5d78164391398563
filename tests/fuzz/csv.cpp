// libFuzzer target: any bytes as a table end in rows of equal length or in an error, and every cell can be asked for.
#include <cstdlib>

#include "core/evaluate/csv.h"

using namespace lynceus;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto file = evaluate::parseCsv({reinterpret_cast<const char*>(data), size}, "fuzz.csv");
  if (!file) return 0;
  for (const evaluate::CsvRow& row : file->rows)
    if (row.cells.size() != file->rows.front().cells.size() || row.line == 0) std::abort();
  const auto table = evaluate::CsvTable::create(std::move(*file));
  if (!table) return 0;
  for (size_t row = 0; row < table->rowCount(); ++row)
    for (size_t column = 0; column < table->columns().size(); ++column) static_cast<void>(table->number(row, column));
  return 0;
}
