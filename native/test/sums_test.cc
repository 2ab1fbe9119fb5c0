// How samples are cut, and the sums over them: what a plain loop adds up, the same bits whoever does it.
#include "core/linalg/sums.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include "core/linalg/library.hpp"
#include "test/check.hpp"
#include "test/numbers.hpp"

namespace {

using namespace dladmm;
using namespace dladmm::test;

void pieces_cover_everything_once() {
  for (const std::size_t total : {0, 1, 2, 3, 7, 64, 255, 256, 257, 1025, 60000, 1000003}) {
    const SampleCut cut(total);
    for (const Pieces& pieces : {pieces_of(total, 10), pieces_for_many(total, 16), cut.pieces}) {
      std::size_t next = 0;
      std::size_t most = 0;
      std::size_t least = total;
      for (std::size_t i = 0; i < pieces.count; ++i) {
        check_equal(pieces[i].first, next, text("piece ", i, " of ", pieces.count, " follows the last"));
        next += pieces[i].count;
        most = std::max(most, pieces[i].count);
        least = std::min(least, pieces[i].count);
      }
      check_equal(next, total, "covered");
      check_equal(most, pieces.largest(), "the largest piece");
      check(total == 0 || (least >= 1 && most - least <= 1), "equal but for one");
    }
    check_equal(cut.segments.total, cut.pieces.count, "segments are made of pieces");
    check(cut.pieces.largest() <= 1024 && cut.segments.count <= 32, "bounded");
  }
  check(pieces_of(3'000'000'000'017, 1024)[2'000'000'000].first > (std::size_t{1} << 40), "beyond 32 bits");
}

void pairs_are_the_same_for_a_count() {
  // 1 + ε/2 + ε/2 is 1 from the left and more from the right: the tree adds neighbours first.
  const double half = std::numeric_limits<double>::epsilon() / 2;
  const std::vector<double> values{1, 0, half, half, half};
  const auto sum = sum_pairwise(values.size(), [&](std::size_t i) { return values[i]; });
  check_equal(sum, ((1.0 + 0) + (half + half)) + half, "((0 1) (2 3)) 4");
  check_equal(sum_pairwise(0, [](std::size_t) { return 1.0; }), 0.0, "nothing");
}

template <typename T>
struct Found {
  double scalar = 0;
  double largest = 0;
  std::vector<double> columns;
  std::vector<T> product;
  std::vector<T> gram;

  bool operator==(const Found&) const = default;
};

template <typename T>
Found<T> sums_over(unsigned threads, std::size_t tile, MatrixView<const T> r, MatrixView<const T> a,
                   PieceSums<T>& sums) {
  Team team(threads);
  const SampleCut& cut = sums.cut();
  const Pieces tiles = pieces_of(r.columns, tile);
  team.run(cut.pieces.count, 1e12, [&](std::size_t piece, unsigned) {
    auto& partial = sums.begin(piece);
    const Rows rows = cut.pieces[piece];
    for (std::size_t i = rows.first; i < rows.first + rows.count; ++i) {
      for (std::size_t j = 0; j < r.columns; ++j) {
        const auto value = static_cast<double>(r.row(i)[j]);
        partial.scalars[2] += value * value;
        partial.scalars[3] = std::max(partial.scalars[3], std::abs(value));
        partial.columns[1][j] += value;
      }
    }
  });
  team.run(cut.segments.count * tiles.count, 1e12, [&](std::size_t task, unsigned) {
    const std::size_t segment = task / tiles.count;
    const Rows columns = tiles[task % tiles.count];
    const Rows pieces = cut.segments[segment];
    for (std::size_t i = 0; i < pieces.count; ++i) {
      const Rows rows = cut.pieces[pieces.first + i];
      const MatrixView<const T> own = r.rows_from(rows.first, rows.count);
      sums.add_product(segment, columns, {own.data + columns.first, own.rows, columns.count, own.stride},
                       a.rows_from(rows.first, rows.count), i == 0);
      if (task % tiles.count == 0) sums.add_gram(segment, a.rows_from(rows.first, rows.count), i == 0);
    }
  });
  Found<T> out;
  out.scalar = sums.scalar(2);
  out.largest = sums.largest(3);
  out.columns.assign(r.columns, 1.0);
  sums.columns(1, out.columns, 2, 3);
  Matrix<T> product(r.columns, a.columns);
  Matrix<T> gram(a.columns, a.columns);
  for (T& value : product.flat()) value = std::numeric_limits<T>::quiet_NaN();
  for (T& value : gram.flat()) value = 0;
  sums.product(team, product.view());
  sums.gram(team, gram.view());
  out.product.assign(product.flat().begin(), product.flat().end());
  out.gram.assign(gram.flat().begin(), gram.flat().end());
  return out;
}

template <typename T>
void sums_equal_a_plain_loop() {
  Random random(1);
  for (const std::size_t samples : {1, 2, 5, 257, 2100, 4099}) {
    const std::size_t n = 1 + random.below(300);
    const std::size_t k = 1 + random.below(9);
    Matrix<T> r(samples, n);
    Matrix<T> a(samples, k);
    fill_normal(r.view(), random);
    fill_normal(a.view(), random);
    PieceSums<T> sums(SampleCut(samples), {n + 2, n * k + 5, k * k});
    const auto found = sums_over<T>(1, 100, r.view(), a.view(), sums);

    const auto where = text(type_name<T>(), " ", samples, " samples");
    const double eps = std::numeric_limits<T>::epsilon();
    double norm = 0;
    double largest = 0;
    for (const T value : r.flat()) {
      norm += static_cast<double>(value) * static_cast<double>(value);
      largest = std::max(largest, std::abs(static_cast<double>(value)));
    }
    check_close(found.scalar, norm, 1e-12 * norm, where + ": scalar");
    check_equal(found.largest, largest, where + ": largest");
    const auto check_product = [&](double got, MatrixView<const T> left, std::size_t j, std::size_t c) {
      double product = 0;
      double magnitude = 0;
      for (std::size_t i = 0; i < samples; ++i) {
        const double term = static_cast<double>(left.row(i)[j]) * static_cast<double>(a.view().row(i)[c]);
        product += term;
        magnitude += std::abs(term);
      }
      check_close(got, product, 20 * eps * magnitude, where + ": product");
    };
    for (std::size_t j = 0; j < n; ++j) {
      double column = 0;
      for (std::size_t i = 0; i < samples; ++i) column += static_cast<double>(r.view().row(i)[j]);
      check_close(found.columns[j], 3 + 2 * column, 1e-10, where + ": keep * old + factor * column sum");
      for (std::size_t c = 0; c < k; ++c) check_product(static_cast<double>(found.product[j * k + c]), r.view(), j, c);
    }
    for (std::size_t j = 0; j < k; ++j) {
      for (std::size_t c = 0; c <= j; ++c) check_product(static_cast<double>(found.gram[j * k + c]), a.view(), j, c);
    }

    for (const unsigned threads : {1, 2, 3, 5, 8}) {
      check(sums_over<T>(threads, 100, r.view(), a.view(), sums) == found,
            where + text(": bit for bit with ", threads, " threads"));
    }
  }
}

void old_sums_are_forgotten() {
  PieceSums<double> sums(SampleCut(3), {1, 1, 0});
  sums.begin(0).columns[0][0] = 3;
  std::vector<double> out{std::numeric_limits<double>::quiet_NaN()};
  sums.columns(0, out, 2, 0);
  check_equal(out[0], 6.0, "0 times NaN is nothing here");
  static_cast<void>(sums.begin(0));
  sums.columns(0, out, 2, 0);
  check_equal(out[0], 0.0, "a piece begins with nothing");
}

void nan_is_the_largest() {
  PieceSums<double> sums(SampleCut(600), {1, 1, 0});
  check_equal(sums.cut().pieces.count, std::size_t{3}, "pieces");
  sums.begin(0).scalars[0] = 1;
  sums.begin(1).scalars[0] = std::numeric_limits<double>::quiet_NaN();
  sums.begin(2).scalars[0] = 2;
  check(std::isnan(sums.largest(0)), "a NaN of any piece is reported");
}

}  // namespace

int main() {
  blas::set_own_threads(1);
  fact("pieces cover everything once", pieces_cover_everything_once);
  fact("pairs are the same for a count", pairs_are_the_same_for_a_count);
  fact("float sums equal a plain loop, the same bits for any number of threads", sums_equal_a_plain_loop<float>);
  fact("double sums equal a plain loop, the same bits for any number of threads", sums_equal_a_plain_loop<double>);
  fact("old sums are forgotten", old_sums_are_forgotten);
  fact("NaN is the largest", nan_is_the_largest);
  return report();
}
