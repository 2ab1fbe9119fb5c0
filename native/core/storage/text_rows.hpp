// Rows of a table of text, as CSV is: cells between delimiters, some in quotation marks, of which numbers are read
// where they stand. A row that is not of that kind is left to a parser.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace dladmm {

struct TextDialect {
  char delimiter = ',';
  char decimal = '.';
  bool trims = true;   // blanks around a cell are none of it
  bool codes = false;  // digits behind a 0 are a text
};

// What a column is asked for.
enum class Asked : std::uint8_t { nothing, numbers, cells };

// Of a cell: where it begins, or the complement of that where it stands in quotation marks, and where it ends.
struct CellPlace {
  std::int32_t begin;
  std::int32_t end;
};

// A cell that is no number that could be read where it stands, in a column that is asked for numbers.
struct OddCell {
  std::int32_t column;  // which of those
  std::int32_t row;
  CellPlace place;
};

// What has been found: by column, `most` rows apart.
struct TextRows {
  std::size_t most = 0;
  std::size_t rows = 0;
  std::vector<double> numbers;      // of the columns asked for numbers; NaN where the cell is empty or odd
  std::vector<CellPlace> cells;     // of those asked for cells
  std::vector<std::int32_t> lines;  // in which each row stands
  std::vector<OddCell> odd;         // row by row
  std::size_t end = 0;              // where reading ended
  std::size_t line = 0;             // the line that begins there
  bool stopped = false;             // there stands what a parser is needed for
};

// Reads rows of `text`, which ends with a line end, from its beginning to its end, until there is no room for another,
// or to one that needs a parser: of another number of cells than `asked` has (one more, empty, is none), or with
// quotation marks that are not closed in their line or stand within a cell. Empty lines are no rows. Where `any` is set
// one row is gone over, whatever it holds.
void read_text_rows(std::string_view text, const TextDialect& dialect, std::span<const Asked> asked, std::size_t line,
                    bool any, TextRows& out);

}  // namespace dladmm
