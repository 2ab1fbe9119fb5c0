// Rows of samples on a disk: what is read is what was written, wherever it lies, and a training has the bits that it
// has in memory.
#include <cerrno>
#include <cstring>
#include <numeric>
#include <string>
#include <vector>

#include "core/linalg/row_window.hpp"
#include "core/runtime/row_file.hpp"
#include "test/check.hpp"
#include "test/layered_cases.hpp"
#include "test/scratch.hpp"

namespace {

using namespace dladmm;
using namespace dladmm::test;

// Rows of 1,000 bytes: no page begins with one.
constexpr std::size_t kRows = 700;
constexpr std::size_t kRowBytes = 1000;

struct Held {
  Scratch scratch;
  RowFile file{scratch.file(), 2 * RowFile::bytes_of(kRows, kRowBytes)};
  std::byte* first = file.take(kRows, kRowBytes);
  std::byte* second = file.take(kRows, kRowBytes);

  explicit Held(double bytes) { file.hold(bytes); }
};

std::vector<std::byte> bytes_from(int seed, std::size_t count) {
  std::vector<std::byte> out(count);
  for (std::size_t i = 0; i < count; ++i)
    out[i] = static_cast<std::byte>((i * 31 + static_cast<std::size_t>(seed)) % 251);
  return out;
}

void rows() {
  for (const double held : {0.0, 3e5, 1e6, 1e12}) {
    fact(text("rows are what was written, ", held, " bytes of them in memory"), [&] {
      const Held rows(held);
      const auto a = bytes_from(1, kRows * kRowBytes), b = bytes_from(2, kRows * kRowBytes);
      rows.file.write(a, rows.first);
      std::memcpy(rows.second, b.data(), b.size());  // where it is mapped
      for (const Rows part : {Rows{0, kRows}, Rows{0, 1}, Rows{13, 200}, Rows{kRows - 1, 1}}) {
        rows.file.expect(rows.first + part.first * kRowBytes, part.count * kRowBytes);
        std::vector<std::byte> out(part.count * kRowBytes);
        const auto same = [&](const std::byte* from, const std::vector<std::byte>& as) {
          rows.file.read(from + part.first * kRowBytes, out);
          return std::memcmp(out.data(), as.data() + part.first * kRowBytes, out.size()) == 0;
        };
        check(same(rows.first, a), "rows that were written");
        check(same(rows.second, b), "rows that were written where they are mapped");
        rows.file.release(part);
      }
      rows.file.release();
      check(std::memcmp(rows.first, a.data(), a.size()) == 0, "rows that were given up are found again");
    });
  }
  fact("rows of a file that ends before them are a failure with its number", [] {
    const Held rows(0);
    rows.scratch.replace({});
    std::vector<std::byte> out(kRowBytes);
    try {
      rows.file.read(rows.first, out);
      check(false, "nothing was thrown");
    } catch (const FileFailure& error) {
      check_equal(error.code().value(), EIO, "number");
    }
  });
}

void windows() {
  // Room for all, for the first alone, and for none.
  for (const std::size_t room : {3 * kRows * kRowBytes, 60 * kRowBytes, std::size_t{0}}) {
    for (const double held : {0.0, 6e5}) {
      fact(text("a window of ", room, " bytes, ", held, " bytes in memory: what is kept is written, and no more"), [&] {
        const Held rows(held);
        const auto a = bytes_from(1, kRows * kRowBytes), b = bytes_from(2, kRows * kRowBytes);
        rows.file.write(a, rows.first);
        rows.file.write(b, rows.second);
        RowWindow window(room);
        const std::size_t from = 290 * kRowBytes, some = 50 * kRowBytes;
        const std::vector<RowWindow::Use> uses{{rows.first + from, some, 0}, {rows.second + from, some, some}};
        {
          const RowWindow::Open open(window, rows.file, uses);
          check(std::memcmp(RowWindow::find(rows.first + from + 7), a.data() + from + 7, 100) == 0, "what is read");
          std::memset(RowWindow::find(rows.second + from), 9, some);
          check(RowWindow::find(rows.second) == rows.second, "rows of nobody's window are where they are mapped");
          open.keep();
        }
        check(RowWindow::find(rows.first + from) == rows.first + from, "no window is left behind");
        std::vector<std::byte> expected = b;
        std::fill_n(expected.begin() + static_cast<std::ptrdiff_t>(from), some, std::byte{9});
        check(std::memcmp(rows.first, a.data(), a.size()) == 0, "what was only read is as it was");
        check(std::memcmp(rows.second, expected.data(), expected.size()) == 0, "what was written is there");
      });
    }
  }
}

template <typename T>
void trainings() {
  for (const Case& of : cases()) {
    // In the file the first rows of a third of it are held in memory, then none.
    fact(text(of.name, ", ", type_name<T>(), ": the bits of a training in memory"), [&] {
      const std::size_t sweeps = of.samples > 1000 ? 3 : 8;
      const Ended expected = run<T>(of, sweeps, 0, of.samples);
      for (const double held : {2e5, 0.0}) {
        for (const unsigned threads : {3U, 1U}) {
          const Scratch scratch;
          Case on_disk = of;
          on_disk.setup = [&](LayeredSetup& setup) {
            of.setup(setup);
            setup.threads = threads;
            setup.file = scratch.file();
            setup.held_bytes = held;
          };
          const Ended ended = run<T>(on_disk, sweeps, 0, of.samples);
          check(ended.parameters == expected.parameters, text("parameters, ", threads, " threads, ", held, " held"));
          check(ended.told == expected.told, text("what was told, ", threads, " threads, ", held, " held"));
        }
      }
    });
  }
}

}  // namespace

int main() {
  rows();
  windows();
  trainings<float>();
  trainings<double>();
  return report();
}
