// Sparse matrices against dense ones that are looked at entry by entry.
#include "core/linalg/sparse.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

#include "core/linalg/sums.hpp"
#include "test/check.hpp"
#include "test/numbers.hpp"

using namespace dladmm;
using namespace dladmm::test;

namespace {

using Dense = std::vector<std::vector<double>>;

Dense zeros(std::size_t rows, std::size_t columns) { return Dense(rows, std::vector<double>(columns)); }

template <typename T>
Dense dense(const CsrView<T>& a) {
  Dense out = zeros(a.rows, a.columns);
  for (std::size_t i = 0; i < a.rows; ++i) {
    for (std::size_t k = a.begin(i); k < a.end(i); ++k) {
      out[i][static_cast<std::size_t>(a.indices[k])] += static_cast<double>(a.values[k]);
    }
  }
  return out;
}

template <typename T>
Csr<T> sparse(const Dense& a, std::size_t columns) {
  Csr<T> out{a.size(), columns, {0}, {}, {}};
  for (const auto& row : a) {
    for (std::size_t j = 0; j < columns; ++j) {
      if (row[j] == 0) continue;
      out.indices.push_back(static_cast<std::int32_t>(j));
      out.values.push_back(static_cast<T>(row[j]));
    }
    out.indptr.push_back(static_cast<std::int64_t>(out.indices.size()));
  }
  return out;
}

// Entries anywhere, in any order within a row, some of them twice.
template <typename T>
Csr<T> scattered(std::size_t rows, std::size_t columns, std::size_t longest, Random& random) {
  Csr<T> out{rows, columns, {0}, {}, {}};
  for (std::size_t i = 0; i < rows; ++i) {
    const std::size_t entries = columns == 0 ? 0 : random.below(longest + 1);
    for (std::size_t k = 0; k < entries; ++k) {
      out.indices.push_back(static_cast<std::int32_t>(random.below(columns)));
      out.values.push_back(static_cast<T>(random.normal()));
    }
    out.indptr.push_back(static_cast<std::int64_t>(out.indices.size()));
  }
  return out;
}

double farthest(const Dense& a, const Dense& b) {
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    for (std::size_t j = 0; j < a[i].size(); ++j) {
      const double difference = std::abs(a[i][j] - b[i][j]);
      if (!(difference <= largest)) largest = difference;
    }
  }
  return largest;
}

template <typename T>
bool is_tidy(const Csr<T>& a) {
  const CsrView<T> v = a.view();
  for (std::size_t i = 0; i < a.rows; ++i) {
    for (std::size_t k = v.begin(i); k < v.end(i); ++k) {
      if (v.values[k] == 0) return false;
      if (k > v.begin(i) && v.indices[k] <= v.indices[k - 1]) return false;
    }
  }
  return true;
}

// Y = A X for every width that a kernel has its own way with, operands with gaps, and any number of threads.
template <typename T>
void products() {
  const double tolerance = std::is_same_v<T, float> ? 2e-5 : 1e-13;
  for (const std::size_t columns : {1U, 7U, 15U, 16U, 17U, 64U, 71U, 128U, 135U, 256U, 300U}) {
    for (const unsigned threads : {1U, 2U, 3U}) {
      fact(text("A X with ", columns, " columns on ", threads, " threads in ", type_name<T>()), [&] {
        Random random(columns + threads);
        const Csr<T> a = scattered<T>(523, 90, 9, random);
        Strided<T> x(90, columns, 3);
        Strided<T> y(523, columns, 5);
        fill_normal(x.view(), random);
        fill_normal(y.view(), random);
        Team team(threads);
        multiply<T>(team, a.view(), x.view(), y.view());
        const Dense full = dense(a.view());
        double worst = 0;
        for (std::size_t i = 0; i < a.rows; ++i) {
          for (std::size_t j = 0; j < columns; ++j) {
            double sum = 0;
            for (std::size_t k = 0; k < a.columns; ++k) sum += full[i][k] * static_cast<double>(x.view().row(k)[j]);
            const double off = std::abs(sum - static_cast<double>(y.view().row(i)[j]));
            if (!(off <= worst)) worst = off;
          }
        }
        check_at_most(worst, tolerance, "the farthest entry");
        check(x.gap_intact() && y.gap_intact(), "what lies between the rows stays");
      });
    }
  }

  fact("the product does not depend on the number of threads", [&] {
    Random random(5);
    const Csr<T> a = scattered<T>(400, 400, 30, random);
    Matrix<T> x(400, 33);
    Matrix<T> one(400, 33);
    Matrix<T> three(400, 33);
    fill_normal(x.view(), random);
    Team alone(1);
    Team team(3);
    multiply<T>(alone, a.view(), x.view(), one.view());
    multiply<T>(team, a.view(), x.view(), three.view());
    check(std::equal(one.flat().begin(), one.flat().end(), three.flat().begin()), "bit for bit");
  });

  fact("rows named are written, others are not", [&] {
    Random random(6);
    const Csr<T> a = scattered<T>(20, 10, 4, random);
    Matrix<T> x(10, 18);
    Matrix<T> y(20, 18);
    fill_normal(x.view(), random);
    std::fill(y.flat().begin(), y.flat().end(), T(-7));
    multiply_rows<T>(a.view(), x.view(), {5, 3}, y.view());
    for (std::size_t i = 0; i < 20; ++i) {
      const bool untouched = std::all_of(y.view().row(i), y.view().row(i) + 18, [](T v) { return v == T(-7); });
      check_equal(untouched, i < 5 || i >= 8, "whether the row is as it was");
    }
  });

  fact("a matrix without entries gives zeros, one without rows nothing", [&] {
    const Csr<T> empty{4, 3, {0, 0, 0, 0, 0}, {}, {}};
    const Csr<T> none{0, 3, {0}, {}, {}};
    Matrix<T> x(3, 130);
    Matrix<T> y(4, 130);
    Matrix<T> nothing(0, 130);
    std::fill(x.flat().begin(), x.flat().end(), T(1));
    std::fill(y.flat().begin(), y.flat().end(), T(1));
    Team team(2);
    multiply<T>(team, empty.view(), x.view(), y.view());
    multiply<T>(team, none.view(), x.view(), nothing.view());
    check(std::all_of(y.flat().begin(), y.flat().end(), [](T v) { return v == 0; }), "all zero");
  });
}

template <typename T>
void matrices() {
  const double tolerance = std::is_same_v<T, float> ? 1e-5 : 1e-13;
  Random random(11);
  const Csr<T> a = scattered<T>(40, 25, 12, random);
  const Dense full = dense(a.view());

  fact("the transpose has every entry at its mirror place, rows sorted", [&] {
    const Csr<T> t = transposed(a.view());
    Dense mirrored = zeros(25, 40);
    for (std::size_t i = 0; i < 40; ++i) {
      for (std::size_t j = 0; j < 25; ++j) mirrored[j][i] = full[i][j];
    }
    check_at_most(farthest(dense(t.view()), mirrored), tolerance, "distance");
    check_equal(t.entries(), a.entries(), "entries, duplicates among them");
    check(!find_fault(t.view()), "no fault");
  });

  fact("a tidy matrix is the same one, sorted, without duplicates and zeros", [&] {
    Csr<T> b = a;
    // An entry and its opposite, and an explicit zero.
    b.indices.insert(b.indices.end(), {3, 3, 4});
    b.values.insert(b.values.end(), {T(2), T(-2), T(0)});
    b.indptr.back() += 3;
    const Csr<T> t = tidied(b.view());
    check_at_most(farthest(dense(t.view()), full), tolerance, "distance");
    check(is_tidy(t) && !find_fault(t.view()), "tidy");
    check(!is_tidy(b), "as it was not before");
  });

  fact("rows and columns may be picked", [&] {
    const std::vector<std::int32_t> rows{7, 0, 39, 7};
    const Csr<T> picked = with_rows<T>(a.view(), rows);
    Dense expected = zeros(4, 25);
    for (std::size_t i = 0; i < 4; ++i) expected[i] = full[static_cast<std::size_t>(rows[i])];
    check_at_most(farthest(dense(picked.view()), expected), tolerance, "rows");
    const std::vector<std::int32_t> columns = columns_of(picked.view());
    check(columns.size() < 25 && std::is_sorted(columns.begin(), columns.end()), "some columns are empty");
    const Csr<T> narrow = with_columns<T>(picked.view(), columns);
    check_equal(narrow.entries(), picked.entries(), "nothing is lost");
    Dense left = zeros(4, columns.size());
    for (std::size_t i = 0; i < 4; ++i) {
      for (std::size_t j = 0; j < columns.size(); ++j) left[i][j] = expected[i][static_cast<std::size_t>(columns[j])];
    }
    check_at_most(farthest(dense(narrow.view()), left), tolerance, "columns");
    check_equal(with_columns<T>(picked.view(), std::span(columns).first(1)).columns, std::size_t{1}, "one column");
  });

  fact("the product of two sparse matrices", [&] {
    const Csr<T> b = scattered<T>(25, 30, 5, random);
    const Dense right = dense(b.view());
    Dense expected = zeros(40, 30);
    for (std::size_t i = 0; i < 40; ++i) {
      for (std::size_t j = 0; j < 30; ++j) {
        for (std::size_t k = 0; k < 25; ++k) expected[i][j] += full[i][k] * right[k][j];
      }
    }
    const Csr<T> c = product(a.view(), b.view());
    check_at_most(farthest(dense(c.view()), expected), tolerance, "distance");
    check_equal(c.entries(), product_entries(a.view(), b.view()), "entries, counted beforehand");
    check(is_tidy(c), "tidy");
  });
}

// Ã by its formula on a dense matrix.
Dense normalised(Dense a) {
  const std::size_t n = a.size();
  Dense both = zeros(n, n);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) both[i][j] = std::max(a[i][j], a[j][i]) + (i == j ? 1 : 0);
  }
  std::vector<double> degree(n);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) degree[i] += both[i][j];
  }
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) both[i][j] /= std::sqrt(degree[i] * degree[j]);
  }
  return both;
}

template <typename T>
void adjacency() {
  const double tolerance = std::is_same_v<T, float> ? 1e-6 : 1e-15;

  fact("the normalised adjacency of a small graph", [&] {
    const Dense path{{0, 1, 0}, {1, 0, 1}, {0, 1, 0}};
    const Csr<T> p = normalised_adjacency(sparse<T>(path, 3).view());
    const double s = 1 / std::sqrt(6.0);
    check_at_most(farthest(dense(p.view()), {{.5, s, 0}, {s, 1. / 3, s}, {0, s, .5}}), tolerance, "by hand");
    check(is_tidy(p) && !find_fault(p.view()), "tidy");
  });

  fact("a directed graph counts in both directions, with the larger of two weights", [&] {
    const Dense arrows{{0, 2, 0}, {3, 0, 0}, {4, 0, 0}};
    const Csr<T> p = normalised_adjacency(sparse<T>(arrows, 3).view());
    check_at_most(farthest(dense(p.view()), normalised({{0, 3, 4}, {3, 0, 0}, {4, 0, 0}})), tolerance, "distance");
  });

  fact("a self-loop adds its weight to the one that every node gets", [&] {
    const Dense loop{{2, 1}, {1, 0}};
    const Csr<T> p = normalised_adjacency(sparse<T>(loop, 2).view());
    check_at_most(farthest(dense(p.view()), {{3. / 4, 1 / std::sqrt(8.)}, {1 / std::sqrt(8.), .5}}), tolerance, "");
  });

  fact("a node without edges keeps its own features: its row is that of the identity", [&] {
    const Dense lonely{{0, 0, 1}, {0, 0, 0}, {1, 0, 0}};
    const Csr<T> p = normalised_adjacency(sparse<T>(lonely, 3).view());
    check_at_most(farthest(dense(p.view()), {{.5, 0, .5}, {0, 1, 0}, {.5, 0, .5}}), tolerance, "distance");
    const Csr<T> none = normalised_adjacency(Csr<T>{2, 2, {0, 0, 0}, {}, {}}.view());
    check_at_most(farthest(dense(none.view()), {{1, 0}, {0, 1}}), 0, "no edges at all");
  });

  fact("duplicates add up before anything else", [&] {
    const Csr<T> twice{2, 2, {0, 3, 3}, {1, 1, 0}, {T(1), T(1), T(0)}};
    const Csr<T> p = normalised_adjacency(twice.view());
    check_at_most(farthest(dense(p.view()), normalised({{0, 2}, {0, 0}})), tolerance, "distance");
  });

  fact("any graph, against the formula; the matrix is symmetric", [&] {
    Random random(3);
    Csr<T> a = scattered<T>(30, 30, 5, random);
    for (T& value : a.values) value = std::abs(value);
    const Dense p = dense(normalised_adjacency(a.view()).view());
    check_at_most(farthest(p, normalised(dense(a.view()))), 4 * tolerance, "distance");
    for (std::size_t i = 0; i < 30; ++i) {
      for (std::size_t j = 0; j < i; ++j) check_equal(p[i][j], p[j][i], "mirror entries");
    }
  });

  fact("weights that add up to infinity are refused", [&] {
    const T most = std::numeric_limits<T>::max();
    const Csr<T> heavy{3, 3, {0, 2, 2, 2}, {1, 2}, {most, most}};
    check_throws<std::length_error>([&] { static_cast<void>(normalised_adjacency(heavy.view())); }, "node 0");
  });
}

template <typename T>
void faults() {
  const auto defect = [](std::size_t rows, std::size_t columns, std::vector<std::int64_t> indptr,
                         std::vector<std::int32_t> indices, std::vector<T> values) {
    return find_fault(CsrView<T>{rows, columns, indptr, indices, values});
  };
  const auto is = [](const std::optional<CsrFault>& got, CsrDefect what, std::size_t at) {
    return got && got->defect == what && got->at == at;
  };
  fact("what is wrong with a sparse matrix is found, and where", [&] {
    check(!defect(2, 3, {0, 1, 3}, {2, 0, 1}, {1, 1, 1}), "nothing");
    check(!defect(0, 0, {0}, {}, {}), "nothing, with no rows");
    check(is(defect(2, 3, {0, 1}, {2}, {1}), CsrDefect::indptr_length, 2), "length of indptr");
    check(is(defect(2, 3, {}, {}, {}), CsrDefect::indptr_length, 0), "no indptr");
    check(is(defect(2, 3, {1, 1, 3}, {2, 0, 1}, {1, 1, 1}), CsrDefect::indptr_start, 0), "start");
    check(is(defect(2, 3, {0, 4, 3}, {2, 0, 1}, {1, 1, 1}), CsrDefect::indptr_decreases, 1), "decreasing");
    check(is(defect(2, 3, {0, 1, 4}, {2, 0, 1}, {1, 1, 1}), CsrDefect::indptr_end, 2), "end");
    check(is(defect(2, 3, {0, 1, 3}, {2, 0, 1}, {1, 1}), CsrDefect::values_length, 2), "values");
    check(is(defect(2, 3, {0, 1, 3}, {2, 3, 1}, {1, 1, 1}), CsrDefect::index_range, 1), "index too large");
    check(is(defect(2, 3, {0, 1, 3}, {2, 0, -1}, {1, 1, 1}), CsrDefect::index_range, 2), "index negative");
    const T nan = std::numeric_limits<T>::quiet_NaN();
    check(is(defect(2, 3, {0, 1, 3}, {2, 0, 1}, {1, nan, 1}), CsrDefect::not_finite, 1), "NaN");
    check(is(defect(std::size_t{1} << 31, 3, {}, {}, {}), CsrDefect::too_large, 0), "rows past 2^31 - 1");
  });
}

// X Wᵀ and Rᵀ X against sums over dense rows; some of the rows, and what is added to.
template <typename T>
void layers() {
  fact(text("X Wᵀ and Rᵀ X of sparse samples in ", type_name<T>()), [] {
    const double tolerance = std::is_same_v<T, float> ? 2e-5 : 1e-13;
    Random random(12);
    const Csr<T> all = scattered<T>(40, 30, 9, random);
    const Rows part{7, 21};
    const CsrView<T> x = all.view().rows_from(part);
    const Dense full = dense(x);
    Strided<T> w(5, 30, 2), y(part.count, 5, 3), g(5, 30, 1);
    fill_normal(w.view(), random);
    multiply_transposed<T>(x, w.view(), y.view());
    fill_normal(g.view(), random);
    Dense before = zeros(5, 30);
    for (std::size_t j = 0; j < 5; ++j) {
      for (std::size_t c = 0; c < 30; ++c) before[j][c] = static_cast<double>(g.view().row(j)[c]);
    }
    for (const double keep : {0.0, 1.0, 0.5}) {
      for (std::size_t j = 0; j < 5; ++j) {
        for (std::size_t c = 0; c < 30; ++c) g.view().row(j)[c] = static_cast<T>(before[j][c]);
      }
      sum_products<T>(T(2), y.view(), x, static_cast<T>(keep), g.view());
      double worst = 0;
      for (std::size_t j = 0; j < 5; ++j) {
        for (std::size_t c = 0; c < 30; ++c) {
          double sum = keep * before[j][c];
          for (std::size_t i = 0; i < part.count; ++i) sum += 2 * static_cast<double>(y.view().row(i)[j]) * full[i][c];
          worst = std::max(worst, std::abs(sum - static_cast<double>(g.view().row(j)[c])));
        }
      }
      check_at_most(worst, tolerance, "Rᵀ X");
    }
    double worst = 0;
    for (std::size_t i = 0; i < part.count; ++i) {
      for (std::size_t j = 0; j < 5; ++j) {
        double sum = 0;
        for (std::size_t c = 0; c < 30; ++c) sum += full[i][c] * static_cast<double>(w.view().row(j)[c]);
        worst = std::max(worst, std::abs(sum - static_cast<double>(y.view().row(i)[j])));
      }
    }
    check_at_most(worst, tolerance, "X Wᵀ");
  });
  fact(text("rows are appended and taken in ", type_name<T>()), [] {
    Random random(3);
    const Csr<T> all = scattered<T>(20, 8, 5, random);
    Csr<T> joined;
    joined.columns = 8;
    std::vector<std::int32_t> order;
    for (std::int32_t i = 0; i < 20; ++i) order.push_back(i);
    for (const Rows rows : {Rows{0, 3}, Rows{3, 0}, Rows{3, 17}}) {
      const std::span<const std::int32_t> own = std::span<const std::int32_t>(order).subspan(rows.first, rows.count);
      append(joined, with_rows(all.view(), own).view());
    }
    check(joined.indptr == all.indptr && joined.indices == all.indices && joined.values == all.values, "the same");
    const std::vector<std::uint32_t> some{4, 19, 4};
    take_rows(all.view(), std::span<const std::uint32_t>(some), joined);
    check(farthest(dense(joined.view()), {dense(all.view())[4], dense(all.view())[19], dense(all.view())[4]}) == 0,
          "rows in any order");
  });
}

void balance() {
  fact("members get about as many entries each, every row once", [&] {
    // One row as heavy as all the others.
    Csr<float> a{101, 100, {0}, {}, {}};
    for (std::size_t i = 0; i < 101; ++i) {
      const std::size_t entries = i == 0 ? 100 : 1;
      for (std::size_t k = 0; k < entries; ++k) {
        a.indices.push_back(static_cast<std::int32_t>(k));
        a.values.push_back(1);
      }
      a.indptr.push_back(static_cast<std::int64_t>(a.indices.size()));
    }
    for (const unsigned members : {1U, 2U, 3U, 7U}) {
      std::size_t next = 0;
      for (unsigned m = 0; m < members; ++m) {
        const Rows rows = balanced_rows(a.view(), m, members);
        check_equal(rows.first, next, "where a share begins");
        next += rows.count;
      }
      check_equal(next, std::size_t{101}, "the end");
    }
    check_at_most(static_cast<double>(balanced_rows(a.view(), 0, 2).count), 30, "rows beside the heavy one");
    const Csr<float> empty{5, 5, {0, 0, 0, 0, 0, 0}, {}, {}};
    check_at_most(static_cast<double>(balanced_rows(empty.view(), 0, 2).count), 3, "half of the empty rows");
  });
}

}  // namespace

int main() {
  products<float>();
  products<double>();
  matrices<float>();
  matrices<double>();
  adjacency<float>();
  adjacency<double>();
  layers<float>();
  layers<double>();
  faults<float>();
  faults<double>();
  balance();
  return report();
}
