// Rows of a table of text, beside a reading of the same cells one by one.
#include "core/storage/text_rows.hpp"

#include <cmath>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "core/runtime/memory.hpp"
#include "test/check.hpp"

namespace {

using namespace dladmm;
using namespace dladmm::test;

constexpr TextDialect kPlain{};

TextRows read(const std::string& text, std::vector<Asked> asked, const TextDialect& dialect = kPlain,
              bool any = false) {
  TextRows out;
  read_text_rows(text, dialect, asked, 1, any, out);
  return out;
}

std::string cell(const std::string& text, CellPlace place) {
  const auto begin = static_cast<std::size_t>(place.begin < 0 ? ~place.begin : place.begin);
  return text.substr(begin, static_cast<std::size_t>(place.end) - begin);
}

// Each as strtod of the C library reads it, which is exact.
void numbers() {
  std::mt19937_64 random(1);
  const char* const forms[] = {"%.0f", "%.3f", "%.7f", "%.17g", "%.3e", "%.12f"};
  for (const char* const end : {"\n", "\r\n", "\r"}) {
    std::string text;
    std::vector<double> expected;
    constexpr std::size_t rows = 300;
    constexpr std::size_t columns = 6;
    for (std::size_t i = 0; i < rows; ++i) {
      for (std::size_t j = 0; j < columns; ++j) {
        char written[64];
        const double value = std::ldexp(static_cast<double>(random()) - 0x1p63, -60 - static_cast<int>(random() % 8));
        static_cast<void>(std::snprintf(written, sizeof written, forms[j], value));
        expected.push_back(std::strtod(written, nullptr));
        text += std::string(j == 0 ? "" : ",") + written;
      }
      text += end;
    }
    const TextRows found = read(text, std::vector<Asked>(columns, Asked::numbers));
    check_equal(found.rows, rows, "all rows");
    check_equal(found.end, text.size(), "to the end");
    check_equal(found.odd.size(), std::size_t{0}, "nothing odd");
    for (std::size_t i = 0; i < rows; ++i) {
      check_equal(found.lines[i], static_cast<std::int32_t>(i + 1), "the line");
      for (std::size_t j = 0; j < columns; ++j) {
        check_equal(found.numbers[j * found.most + i], expected[i * columns + j], "a number");
      }
    }
  }
}

void cells() {
  const std::string text = "a,1,x y\n\n \t\n\"b\"\"c\",,\"d,e\"\n 2 , NA,\xc3\xbc\n";
  const TextRows found = read(text, {Asked::cells, Asked::numbers, Asked::cells});
  check_equal(found.rows, std::size_t{3}, "empty lines are none");
  check_equal(found.line, std::size_t{6}, "but counted");
  check_equal(found.lines[1], 4, "the line of the second row");
  check_equal(cell(text, found.cells[0]), std::string("a"), "a text");
  check_equal(cell(text, found.cells[1]), std::string("b\"\"c"), "one in quotation marks");
  check_equal(found.cells[1].begin < 0, true, "which it says");
  check_equal(cell(text, found.cells[found.most + 1]), std::string("d,e"), "with a delimiter");
  check_equal(cell(text, found.cells[found.most + 2]), std::string("\xc3\xbc"), "beyond ASCII");
  check_equal(found.numbers[0], 1.0, "a number");
  check_equal(std::isnan(found.numbers[1]), true, "an empty cell");
  check_equal(found.odd.size(), std::size_t{1}, "one that is no number");
  check_equal(found.odd[0].row, 2, "in the third row");
  check_equal(cell(text, found.odd[0].place), std::string(" NA"), "as it stands there");
}

void stops() {
  const std::vector<Asked> two(2, Asked::numbers);
  const auto left = [&](const std::string& text) {
    const TextRows found = read(text, two);
    return found.stopped ? static_cast<int>(found.rows) : -1;
  };
  check_equal(left("1,2\n3,4\n"), -1, "at nothing");
  check_equal(left("1,2,\n3,4,\n"), -1, "a delimiter at the end");
  check_equal(left("1,2\n3\n"), 1, "too few cells");
  check_equal(left("1,2\n3,4,5\n"), 1, "too many");
  check_equal(left("1,2\n\"3\n,4\"\n"), 1, "a quotation mark that its line does not close");
  check_equal(left("1,2\n3,4\"\n"), 1, "one within a cell");
  check_equal(left("1,2\n\"3\"4,5\n"), 1, "more behind one");
  check_equal(read("a,b,c\n1,2\n", {}, kPlain, true).end, std::size_t{6}, "any row is gone over");
  const TextRows odd = read("1,x\n2,y,z\n", two);
  check_equal(odd.odd.size(), std::size_t{1}, "nothing of a row that is left");
}

void dialects() {
  const std::vector<Asked> two(2, Asked::numbers);
  const TextRows german = read("1,5;-2\n,5;3,\n", two, {';', ',', true, false});
  check_equal(german.numbers[0], 1.5, "a decimal comma");
  check_equal(german.numbers[1], 0.5, "before nothing");
  check_equal(german.numbers[german.most + 1], 3.0, "behind nothing");
  const TextRows tabs = read("\t\n1\t2\n", two, {'\t', '.', false, false});
  check_equal(tabs.rows, std::size_t{2}, "a line of a tab alone has two cells");
  check_equal(read("007,7\n", two, {',', '.', true, true}).odd.size(), std::size_t{1}, "a code");
  check_equal(read("007,7\n", two).odd.size(), std::size_t{0}, "or a number");
  check_equal(read("1234567890123456,1e999\n", two).odd.size(), std::size_t{2}, "what no double may hold");
  check_equal(std::signbit(read("-0,-0.0\n", two).numbers[0]), true, "minus nothing");
}

void rooms() {
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += "7,8\n";
  const TextRows found = read(text, {Asked::numbers, Asked::numbers});
  check_equal(found.rows, found.most, "as many rows as there is room for");
  check_equal(found.end, 4 * found.rows, "and no more");
  check_equal(found.stopped, false, "which is no stop");
  const TextRows wide = read(std::string(200'000, ',') + "\n", std::vector<Asked>(200'001, Asked::numbers));
  check_equal(wide.rows, std::size_t{1}, "one at least");
}

void pages() {
  std::vector<std::byte> memory(100'000, std::byte{7});
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{5000}, memory.size() - 3}) {
    provide_pages(std::span(memory).subspan(3, std::min(size, memory.size() - 3)));
  }
  check_equal(std::ranges::all_of(memory, [](std::byte each) { return each == std::byte{7}; }), true, "as it was");
}

}  // namespace

int main() {
  fact("numbers are read as the C library reads them", numbers);
  fact("cells are told by their places", cells);
  fact("a row that needs a parser is left to it", stops);
  fact("dialects are followed", dialects);
  fact("a reading ends where its room does", rooms);
  fact("memory that is provided keeps what it holds", pages);
  return report();
}
