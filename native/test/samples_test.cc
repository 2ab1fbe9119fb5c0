// Passes over the samples: who works on which, and the sums over them.
#include "core/parallel/samples.hpp"

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "core/linalg/library.hpp"
#include "test/check.hpp"
#include "test/numbers.hpp"

namespace {

using namespace dladmm;
using namespace dladmm::test;

void shares_cover_every_sample_once() {
  for (const std::size_t samples : {0, 1, 2, 3, 4, 5, 7, 16, 17, 63, 64, 65, 1023, 1025, 4099}) {
    for (unsigned members = 1; members <= 7; ++members) {
      for (const std::size_t block : {1, 2, 3, 64, 1024}) {
        std::vector<int> visits(samples, 0);
        std::size_t largest_share = 0;
        std::size_t smallest_share = samples + 1;
        bool in_order = true;
        std::size_t next = 0;
        for (unsigned member = 0; member < members; ++member) {
          std::size_t share = 0;
          SampleBlocks{samples, block}.each(member, members, [&](Rows rows) {
            in_order = in_order && rows.first == next && rows.count >= 1 && rows.count <= block;
            next = rows.first + rows.count;
            share += rows.count;
            for (std::size_t i = rows.first; i < next && i < samples; ++i) ++visits[i];
          });
          largest_share = std::max(largest_share, share);
          smallest_share = std::min(smallest_share, share);
        }
        const auto where = text(samples, " samples, ", members, " members, blocks of ", block);
        check(in_order && next == samples, where + ": blocks follow each other");
        bool once = true;
        for (const int count : visits) once = once && count == 1;
        check(once, where + ": every sample once");
        check(largest_share - smallest_share <= 1, where + ": shares differ by one at most");
      }
    }
  }
}

// More samples than 32 bits count: the arithmetic alone, by members that have one block each.
void huge_sample_counts() {
  const std::size_t samples = 3'000'000'000'017;
  std::size_t next = 0;
  for (unsigned member = 0; member < 5; ++member) {
    SampleBlocks{samples, samples}.each(member, 5, [&](Rows rows) {
      check_equal(rows.first, next, "first");
      next = rows.first + rows.count;
    });
  }
  check_equal(next, samples, "all covered");
}

template <typename T>
struct Sums {
  double scalar = 0;
  double largest = 0;
  std::vector<double> columns;
  std::vector<T> matrix;
};

template <typename T>
Sums<T> sums_over(Team& team, std::size_t block, MatrixView<const T> r, MatrixView<const T> a, SampleSums<T>& sums) {
  sums.clear();
  team.run([&](unsigned member) {
    auto& partial = sums.of(member);
    SampleBlocks{r.rows, block}.each(member, team.size(), [&](Rows rows) {
      partial.product.add(r.rows_from(rows.first, rows.count), a.rows_from(rows.first, rows.count));
      for (std::size_t i = rows.first; i < rows.first + rows.count; ++i) {
        for (std::size_t j = 0; j < r.columns; ++j) {
          const auto value = static_cast<double>(r.row(i)[j]);
          partial.scalars[2] += value * value;
          partial.scalars[3] = std::max(partial.scalars[3], std::abs(value));
          partial.columns[1][j] += value;
        }
      }
    });
  });
  Sums<T> out;
  out.scalar = sums.scalar(2);
  out.largest = sums.largest(3);
  out.columns.assign(r.columns, 1.0);
  sums.columns(1, out.columns, 2, 3);
  Matrix<T> g(r.columns, a.columns);
  for (T& value : g.flat()) value = std::numeric_limits<T>::quiet_NaN();
  sums.product(team, g.view());
  out.matrix.assign(g.flat().begin(), g.flat().end());
  return out;
}

template <typename T>
void sums_equal_a_plain_loop() {
  Random random(1);
  for (const std::size_t samples : {1, 2, 3, 5, 33, 257}) {
    for (unsigned members = 1; members <= 5; ++members) {
      const std::size_t n = 1 + random.below(9);
      const std::size_t k = 1 + random.below(9);
      Matrix<T> r(samples, n);
      Matrix<T> a(samples, k);
      fill_normal(r.view(), random);
      fill_normal(a.view(), random);
      Team team(members);
      SampleSums<T> sums(members, n + 2, n * k + 5, 0);
      const auto found = sums_over<T>(team, 16, r.view(), a.view(), sums);

      const auto where = text(type_name<T>(), " ", samples, " samples, ", members, " members");
      const double eps = std::numeric_limits<T>::epsilon();
      double norm = 0;
      double largest = 0;
      for (const T value : r.flat()) {
        norm += static_cast<double>(value) * static_cast<double>(value);
        largest = std::max(largest, std::abs(static_cast<double>(value)));
      }
      check_close(found.scalar, norm, 1e-14 * norm, where + ": scalar");
      check_equal(found.largest, largest, where + ": largest");
      for (std::size_t j = 0; j < n; ++j) {
        double column = 0;
        for (std::size_t i = 0; i < samples; ++i) column += static_cast<double>(r.view().row(i)[j]);
        check_close(found.columns[j], 3 + 2 * column, 1e-12, where + ": keep * old + factor * column sum");
        for (std::size_t c = 0; c < k; ++c) {
          double product = 0;
          double magnitude = 0;
          for (std::size_t i = 0; i < samples; ++i) {
            const double term = static_cast<double>(r.view().row(i)[j]) * static_cast<double>(a.view().row(i)[c]);
            product += term;
            magnitude += std::abs(term);
          }
          check_close(static_cast<double>(found.matrix[j * k + c]), product, 20 * eps * magnitude, where + ": RᵀA");
        }
      }

      // Used again, and made again: the same bits.
      const auto again = sums_over<T>(team, 16, r.view(), a.view(), sums);
      Team other_team(members);
      SampleSums<T> other(members, n + 2, n * k + 5, 0);
      const auto afresh = sums_over<T>(other_team, 16, r.view(), a.view(), other);
      for (const auto& it : {again, afresh}) {
        check(it.scalar == found.scalar && it.columns == found.columns && it.matrix == found.matrix,
              where + ": bit for bit");
      }
    }
  }
}

void old_sums_are_forgotten() {
  SampleSums<double> sums(2, 1, 1, 0);
  sums.of(1).columns[0][0] = 3;
  std::vector<double> out{std::numeric_limits<double>::quiet_NaN()};
  sums.columns(0, out, 2, 0);
  check_equal(out[0], 6.0, "0 times NaN is nothing here");
}

void nan_is_the_largest() {
  SampleSums<double> sums(3, 1, 1, 0);
  sums.of(0).scalars[0] = 1;
  sums.of(1).scalars[0] = std::numeric_limits<double>::quiet_NaN();
  sums.of(2).scalars[0] = 2;
  check(std::isnan(sums.largest(0)), "a NaN of any member is reported");
}

}  // namespace

int main() {
  blas::set_own_threads(1);
  fact("shares cover every sample once", shares_cover_every_sample_once);
  fact("sample counts beyond 32 bits", huge_sample_counts);
  fact("float sums equal a plain loop and repeat", sums_equal_a_plain_loop<float>);
  fact("double sums equal a plain loop and repeat", sums_equal_a_plain_loop<double>);
  fact("old sums are forgotten", old_sums_are_forgotten);
  fact("NaN is the largest", nan_is_the_largest);
  return report();
}
