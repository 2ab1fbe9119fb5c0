// Checksums against their published values, and files of sections: what is written is read back, and no damage passes.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "core/storage/hash.hpp"
#include "core/storage/tensor_file.hpp"
#include "test/check.hpp"
#include "test/numbers.hpp"
#include "test/scratch.hpp"
#include "test/threads_as_ranks.hpp"

namespace {

using namespace dladmm;
using namespace dladmm::test;

const std::atomic<bool> kGo{false};
const std::atomic<bool> kStop{true};

std::uint64_t hash_of(const std::string& text) { return hash64(std::as_bytes(std::span(text))); }

struct State {
  std::vector<float> floats = {1, 2, 3, 4, 5};
  std::vector<double> doubles = {0.1, -0.0, 1e300};
  std::uint64_t count = 7;
  std::vector<float> none;

  std::vector<Section> sections() {
    return {section("floats", floats), section("doubles", doubles), section("count", count), section("none", none)};
  }
};

std::string header_of(const std::vector<char>& bytes) {
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof(length));
  return {bytes.data() + 8, std::min<std::size_t>(length, bytes.size() - 8)};
}

// The values of `State` as write_sections lays them out: wide elements first, in order.
std::vector<StoredSection> stored_in(const std::vector<char>& bytes) {
  const std::string header = header_of(bytes);
  const std::uint64_t begin = 8 + header.size();
  const std::string marker = R"("sections":")";
  const std::string sums = header.substr(header.find(marker) + marker.size(), 64);
  std::vector<StoredSection> out{{"doubles", begin, 24, 0},
                                 {"count", begin + 24, 8, 0},
                                 {"floats", begin + 32, 20, 0},
                                 {"none", begin + 52, 0, 0}};
  for (std::size_t i = 0; i < out.size(); ++i) out[i].checksum = std::stoull(sums.substr(16 * i, 16), nullptr, 16);
  return out;
}

void hashes() {
  fact("the checksum is XXH64", [] {
    check_equal(hash_of(""), 0xef46db3751d8e999ULL, "of nothing");
    check_equal(hash_of("a"), 0xd24ec4f1a98c6e5bULL, "of a");
    check_equal(hash_of("abc"), 0x44bc2cf5ad770999ULL, "of abc");
    check_equal(hash_of("Nobody inspects the spammish repetition"), 0xfbcea83c8a378bf1ULL, "of a sentence");
  });

  fact("it does not depend on how the bytes come", [] {
    Random random(1);
    std::vector<std::byte> bytes(300);
    for (auto& byte : bytes) byte = static_cast<std::byte>(random.below(256));
    for (std::size_t size = 0; size <= bytes.size(); size += 7) {
      const std::span<const std::byte> all = std::span(bytes).first(size);
      for (const std::size_t piece : {1, 5, 31, 32, 33, 100}) {
        Hash64 hash;
        for (std::size_t at = 0; at < size; at += piece) hash.update(all.subspan(at, std::min(piece, size - at)));
        check_equal(hash.digest(), hash64(all), text(size, " bytes by ", piece));
      }
    }
  });
}

void files() {
  fact("what is written is read back, bit for bit", [] {
    const Scratch scratch;
    State written;
    const std::uint64_t size = write_sections(scratch.file(), written.sections(), R"("note":"a text")", kGo);
    const std::vector<char> bytes = scratch.bytes();
    check_equal(bytes.size(), size, "size");
    check((bytes.size() - 52) % 8 == 0, "the values begin at a multiple of eight");
    check(header_of(bytes).find(R"("note":"a text")") != std::string::npos, "the metadata are in the header");
    State read{{}, {}, 0, {}};
    read.floats.resize(5);
    read.doubles.resize(3);
    read_sections(scratch.file(), read.sections(), stored_in(bytes), kGo);
    check(read.floats == written.floats, "floats");
    check(std::memcmp(read.doubles.data(), written.doubles.data(), 24) == 0, "doubles");
    check_equal(read.count, written.count, "count");
  });

  fact("a damaged byte anywhere is found out", [] {
    const Scratch scratch;
    State state;
    write_sections(scratch.file(), state.sections(), R"("note":"a text")", kGo);
    const std::vector<char> whole = scratch.bytes();
    const std::vector<StoredSection> stored = stored_in(whole);
    const auto verify = [&] {
      const std::vector<char> bytes = scratch.bytes();
      const std::string header = header_of(bytes);
      if (header_checksum(header) != std::stoull(header.substr(29, 16), nullptr, 16)) throw Damaged("header");
      State read = state;
      read_sections(scratch.file(), read.sections(), stored_in(bytes), kGo);
    };
    verify();
    for (std::size_t i = 0; i < whole.size(); ++i) {
      for (const int flip : {1, 128, 255}) {
        std::vector<char> damaged = whole;
        damaged[i] = static_cast<char>(damaged[i] ^ flip);
        scratch.replace(damaged);
        bool refused = false;
        try {
          verify();
        } catch (const std::exception&) {
          refused = true;  // Damaged, or digits that are none
        }
        check(refused, text("byte ", i, " of ", whole.size(), " changed by ", flip));
      }
    }
    for (std::size_t size = whole.size() - 52; size < whole.size(); ++size) {
      scratch.replace({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)});
      check_throws<Damaged>([&] { read_sections(scratch.file(), state.sections(), stored, kGo); },
                            text("cut off at ", size));
    }
  });

  fact("ranks write the file of one process, and any number of ranks reads it", [] {
    // Longer than what is sent at a time.
    constexpr std::size_t samples = 1001, columns = 300;
    Random random(3);
    Matrix<double> all(samples, columns);
    for (double& value : all.flat()) value = random.uniform();
    std::vector<float> alike{1, 2, 3};
    const auto sections_of = [&](const Matrix<double>& rows, std::vector<float>& shared) {
      std::vector<Section> out{section("alike", shared), section("rows", rows)};
      out[1].by_sample = true;
      return out;
    };
    const Scratch one, many;
    write_sections(one.file(), sections_of(all, alike), "", kGo);
    const auto part_of = [&](Rows share) {
      Matrix<double> own(share.count, columns);
      std::copy_n(all.view().row(share.first), share.count * columns, own.flat().begin());
      return own;
    };
    const auto share_of = [&](Ranks& ranks, Rows rows) { return Share{&ranks, rows.first, samples}; };
    each_rank(samples, 3, [&](std::size_t rank, Rows rows, Thread& own) {
      const Matrix<double> part = part_of(rows);
      std::vector<float> shared = alike;
      const Share share = share_of(own, rows);
      check_equal(bytes_of(sections_of(part, shared), share), samples * columns * 8 + 12, "bytes of all");
      if (rank == 0) {
        write_sections(many.file(), sections_of(part, shared), "", kGo, share);
      } else {
        send_sections(sections_of(part, shared), share);
      }
    });
    check(one.bytes() == many.bytes(), "the same file");

    const std::string header = header_of(many.bytes());
    const std::string marker = R"("sections":")";
    const std::string sums = header.substr(header.find(marker) + marker.size(), 32);
    const auto sum = [&](std::size_t i) { return std::stoull(sums.substr(16 * i, 16), nullptr, 16); };
    const std::uint64_t begin = 8 + header.size(), values = samples * columns * 8;
    std::vector<StoredSection> stored{{"rows", begin, values, sum(0)}, {"alike", begin + values, 12, sum(1)}};
    for (const std::size_t ranks : {1, 2, 5}) {
      each_rank(samples, ranks, [&](std::size_t, Rows rows, Thread& own) {
        const Matrix<double> part(rows.count, columns);
        std::vector<float> shared(3);
        read_sections(many.file(), sections_of(part, shared), stored, kGo, share_of(own, rows));
        const Matrix<double> expected = part_of(rows);
        check(std::ranges::equal(part.flat(), expected.flat()) && shared == alike, text("read by ", ranks));
      });
    }
    // What others take is checked by all.
    std::vector<char> damaged = many.bytes();
    damaged[begin + values - 1] = static_cast<char>(damaged[begin + values - 1] ^ 1);
    many.replace(damaged);
    each_rank(samples, 2, [&](std::size_t, Rows rows, Thread& own) {
      const Matrix<double> part(rows.count, columns);
      std::vector<float> shared(3);
      check_throws<Damaged>(
          [&] { read_sections(many.file(), sections_of(part, shared), stored, kGo, share_of(own, rows)); },
          text("damaged, from row ", rows.first));
    });
  });

  fact("a section that is missing or of another size is named", [] {
    const Scratch scratch;
    State state;
    write_sections(scratch.file(), state.sections(), "", kGo);
    const std::vector<StoredSection> stored = stored_in(scratch.bytes());
    std::vector<float> more(6);
    const std::vector<Section> larger{section("floats", more)};
    check_throws<Damaged>([&] { read_sections(scratch.file(), larger, stored, kGo); }, "larger");
    const std::vector<Section> foreign{section("foreign", more)};
    check_throws<Damaged>([&] { read_sections(scratch.file(), foreign, stored, kGo); }, "foreign");
  });

  fact("work that is called off ends, and what it left has no header", [] {
    const Scratch scratch;
    State state;
    check_throws<CalledOff>([&] { write_sections(scratch.file(), state.sections(), "", kStop); }, "writing");
    const std::vector<char> left = scratch.bytes();
    check(std::all_of(left.begin(), left.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(8, left.size())),
                      [](char c) { return c == 0; }),
          "no length at the beginning");
  });

  fact("what the system says no to is an error with its number", [] {
    State state;
    try {
      write_sections(-1, state.sections(), "", kGo);
      check(false, "wrote to no file");
    } catch (const FileFailure& error) {
      check_equal(error.code().value(), EBADF, "number");
    }
  });
}

}  // namespace

int main() {
  hashes();
  files();
  return report();
}
