#include "core/storage/text_rows.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <system_error>

namespace dladmm {
namespace {

// So many digits any double holds, and so many powers of ten: their quotient is the double nearest to the number.
constexpr int kDigits = 15;
constexpr std::array<double, kDigits + 1> kPowers{1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                  1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
// No number that has more characters is read here.
constexpr std::size_t kLongest = 300;
// So many values are kept at most, whatever the number of columns, but for one row.
constexpr std::size_t kRoom = std::size_t{1} << 17;

constexpr bool is_end(char c) { return c == '\n' || c == '\r'; }
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\v' || c == '\f'; }

// The bytes of the blank that stands at the beginning of some UTF-8, 0 for none: those of ASCII, and what
// String.prototype.trim takes away beside them.
std::size_t blank_at(std::string_view text) {
  if (is_blank(text[0])) return 1;
  if (text.starts_with("\u00a0")) return 2;
  for (const std::string_view wide : {"\u1680", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000", "\ufeff"}) {
    if (text.starts_with(wide)) return 3;
  }
  if (text.size() < 3 || !text.starts_with("\xe2\x80")) return 0;
  const auto last = static_cast<unsigned char>(text[2]);
  return last >= 0x80 && last <= 0x8a ? 3 : 0;
}

struct Number {
  double value;
  std::size_t end;
};

class Reader {
 public:
  Reader(std::string_view text, const TextDialect& dialect) : text_(text), dialect_(dialect) {}

  // The number that begins at `from`, up to the first character that is none of it: of digits with or without a sign, a
  // fraction and an exponent. Whole numbers of more digits than any double holds are not told here.
  [[nodiscard]] std::optional<Number> number_at(std::size_t from) const {
    const bool minus = text_[from] == '-';
    const std::size_t first = from + (minus ? 1 : 0);
    double digits = 0;
    std::size_t at = skip_digits(first, digits);
    const std::size_t whole = at - first;
    std::size_t behind = 0;
    if (text_[at] == dialect_.decimal && dialect_.decimal != dialect_.delimiter) {
      const std::size_t fraction = at + 1;
      at = skip_digits(fraction, digits);
      behind = at - fraction;
    }
    const std::size_t count = whole + behind;
    if (count == 0 || count > kLongest || (dialect_.codes && whole > 1 && text_[first] == '0')) return {};
    const bool powered = text_[at] == 'e' || text_[at] == 'E';
    if (!powered && count <= kDigits) {
      const double size = behind == 0 ? digits : digits / kPowers[behind];
      return Number{minus ? -size : size, at};
    }
    if ((!powered && behind == 0) || dialect_.decimal != '.') return {};
    if (powered) {
      at += text_[at + 1] == '+' || text_[at + 1] == '-' ? std::size_t{2} : std::size_t{1};
      double power = 0;
      const std::size_t end = skip_digits(at, power);
      if (end == at) return {};
      at = end;
    }
    return exact(from, at);
  }

  [[nodiscard]] bool ends_cell(std::size_t at) const { return text_[at] == dialect_.delimiter || is_end(text_[at]); }

  // A cell and where what follows it stands, at a delimiter or a line end; nothing where a parser is needed.
  struct Cell {
    CellPlace place;
    std::size_t end;
  };
  [[nodiscard]] std::optional<Cell> cell_at(std::size_t from) const {
    std::size_t at = from;
    if (text_[at] != '"') {
      while (!ends_cell(at)) {
        if (text_[at] == '"') return {};
        ++at;
      }
      return Cell{{static_cast<std::int32_t>(from), static_cast<std::int32_t>(at)}, at};
    }
    for (++at; !is_end(text_[at]); ++at) {
      if (text_[at] != '"') continue;
      if (text_[at + 1] == '"') {
        ++at;
        continue;
      }
      if (!ends_cell(at + 1)) return {};
      return Cell{{~static_cast<std::int32_t>(from + 1), static_cast<std::int32_t>(at)}, at + 1};
    }
    return {};
  }

  // Where the line that begins at `at` is empty, its end.
  [[nodiscard]] std::optional<std::size_t> empty_line_at(std::size_t at) const {
    while (dialect_.trims && text_[at] != dialect_.delimiter) {
      const std::size_t blank = blank_at(text_.substr(at));
      if (blank == 0) break;
      at += blank;
    }
    if (!is_end(text_[at])) return {};
    return at;
  }

  // Where the next line begins after a line end.
  [[nodiscard]] std::size_t after_end(std::size_t at) const {
    return text_[at] == '\r' && at + 1 < text_.size() && text_[at + 1] == '\n' ? at + 2 : at + 1;
  }

  // Whether a cell that stands in no quotation marks holds nothing.
  [[nodiscard]] bool is_empty(CellPlace place) const {
    return std::all_of(text_.data() + place.begin, text_.data() + place.end,
                       [&](char c) { return dialect_.trims && is_blank(c); });
  }

  // The number that a cell is, with or without blanks or quotation marks around it.
  [[nodiscard]] std::optional<Number> number_cell_at(std::size_t from) const {
    if (!dialect_.trims || !is_blank(text_[from])) {
      const std::size_t marks = text_[from] == '"' ? 1 : 0;
      std::optional<Number> found = number_at(from + marks);
      if (!found) return {};
      if (marks > 0 && text_[found->end] != '"') return {};
      found->end += marks;
      return ends_cell(found->end) ? found : std::nullopt;
    }
    while (is_blank(text_[from]) && text_[from] != dialect_.delimiter) ++from;
    const std::optional<Number> found = number_at(from);
    return found && ends_cell(found->end) ? found : std::nullopt;
  }

 private:
  // The double nearest to what is written there. A library that cannot tell it leaves the cell odd.
  [[nodiscard]] std::optional<Number> exact([[maybe_unused]] std::size_t from, [[maybe_unused]] std::size_t to) const {
#if defined(__cpp_lib_to_chars)
    double value = 0;
    const auto [end, error] = std::from_chars(text_.data() + from, text_.data() + to, value);
    if (error == std::errc() && end == text_.data() + to) return Number{value, to};
#endif
    return {};
  }

  std::size_t skip_digits(std::size_t at, double& digits) const {
    for (; is_digit(text_[at]); ++at) digits = digits * 10 + (text_[at] - '0');
    return at;
  }

  std::string_view text_;
  TextDialect dialect_;
};

// Reads the row that begins at `at` as the next of `out`; its end, or nothing where a parser is needed.
std::optional<std::size_t> read_row(const Reader& reader, std::string_view text, char delimiter,
                                    std::span<const Asked> asked, bool any, std::size_t at, TextRows& out) {
  const std::size_t row = out.rows;
  double* number = out.numbers.data() + row;
  CellPlace* cell = out.cells.data() + row;
  std::int32_t column = 0;
  for (std::size_t place = 0;; ++place) {
    const Asked what = place < asked.size() ? asked[place] : Asked::nothing;
    bool done = false;
    if (what == Asked::numbers) {
      const std::optional<Number> found = reader.number_cell_at(at);
      *number = found ? found->value : std::numeric_limits<double>::quiet_NaN();
      if (found) at = found->end;
      done = found.has_value();
    }
    bool empty = false;
    if (!done) {
      const auto found = reader.cell_at(at);
      if (!found) return {};
      at = found->end;
      empty = found->place.begin >= 0 && reader.is_empty(found->place);
      if (what == Asked::cells) *cell = found->place;
      if (what == Asked::numbers && !empty) out.odd.push_back({column, static_cast<std::int32_t>(row), found->place});
    }
    if (what == Asked::numbers) {
      number += out.most;
      ++column;
    } else if (what == Asked::cells) {
      cell += out.most;
    }
    if (text[at] == delimiter) {
      ++at;
      continue;
    }
    const std::size_t cells = place + 1;
    const bool fits = cells == asked.size() || (cells == asked.size() + 1 && empty);
    if (!fits && !any) return {};
    return at;
  }
}

}  // namespace

void read_text_rows(std::string_view text, const TextDialect& dialect, std::span<const Asked> asked, std::size_t line,
                    bool any, TextRows& out) {
  const auto numbers = static_cast<std::size_t>(std::ranges::count(asked, Asked::numbers));
  const auto cells = static_cast<std::size_t>(std::ranges::count(asked, Asked::cells));
  out.most = any ? 1 : std::max<std::size_t>(1, kRoom / std::max<std::size_t>(1, numbers + cells));
  out.numbers.resize(numbers * out.most);
  out.cells.resize(cells * out.most);
  out.lines.clear();
  out.odd.clear();
  out.rows = 0;
  out.stopped = false;
  const Reader reader(text, dialect);
  std::size_t at = 0;
  for (; at < text.size() && out.rows < out.most && out.odd.size() <= kRoom; ++line) {
    std::optional<std::size_t> end = reader.empty_line_at(at);
    if (!end) {
      const std::size_t before = out.odd.size();
      end = read_row(reader, text, dialect.delimiter, asked, any, at, out);
      if (!end) {
        out.odd.resize(before);
        out.stopped = true;
        break;
      }
      out.lines.push_back(static_cast<std::int32_t>(line));
      ++out.rows;
    }
    at = reader.after_end(*end);
  }
  out.end = at;
  out.line = line;
}

}  // namespace dladmm
