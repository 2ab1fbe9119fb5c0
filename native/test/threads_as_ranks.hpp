// Ranks for tests: threads of one process.
#pragma once

#include <algorithm>
#include <barrier>
#include <cmath>
#include <cstddef>
#include <functional>
#include <span>
#include <thread>
#include <vector>

#include "core/runtime/pieces.hpp"
#include "core/runtime/ranks.hpp"

namespace dladmm::test {

// What all ranks of a test have in common.
struct Table {
  explicit Table(std::size_t count) : size(count), shown(count), all_here(static_cast<std::ptrdiff_t>(count)) {}
  const std::size_t size;
  std::vector<std::vector<double>> shown;
  std::barrier<> all_here;
};

// Each shows its numbers, then all add up what is shown, in the same order.
class Thread final : public Ranks {
 public:
  Thread(Table& table, std::size_t rank) : table_(table), rank_(rank) {}

  void sum(std::span<float> values) override { with_all(values, std::plus<>()); }
  void sum(std::span<double> values) override { with_all(values, std::plus<>()); }
  void largest(std::span<double> values) override {
    with_all(values, [](double a, double b) { return std::max(a, b); });
  }
  [[nodiscard]] std::size_t calls() const { return calls_; }

 private:
  template <typename T, typename Op>
  void with_all(std::span<T> values, Op op) {
    ++calls_;
    table_.shown[rank_].assign(values.begin(), values.end());
    table_.all_here.arrive_and_wait();
    for (std::size_t i = 0; i < values.size(); ++i) {
      double found = table_.shown[0].at(i);
      for (std::size_t r = 1; r < table_.size; ++r) found = op(found, table_.shown[r].at(i));
      values[i] = static_cast<T>(found);
    }
    table_.all_here.arrive_and_wait();
  }

  Table& table_;
  const std::size_t rank_;
  std::size_t calls_ = 0;
};

// body(rank, its rows of so many samples, what it adds up with) on every rank at once; shares as even as can be.
template <typename Body>
void each_rank(std::size_t samples, std::size_t ranks, Body&& body) {
  Table table(ranks);
  const Pieces shares{samples, ranks};
  std::vector<std::thread> threads;
  for (std::size_t r = 0; r < ranks; ++r) {
    threads.emplace_back([&, r] {
      Thread own(table, r);
      body(r, shares[r], own);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// The largest difference, as a share of the largest number; NaN where one is met.
inline double distance(const std::vector<double>& a, const std::vector<double>& b) {
  double most = 0, largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    most = std::max(most, std::abs(a[i] - b[i]));
    largest = std::max(largest, std::abs(b[i]));
    if (std::isnan(a[i])) return a[i];
  }
  return most / largest;
}

}  // namespace dladmm::test
