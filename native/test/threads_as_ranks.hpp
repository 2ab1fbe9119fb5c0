// Ranks for tests: threads of one process.
#pragma once

#include <algorithm>
#include <barrier>
#include <cmath>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <span>
#include <stdexcept>
#include <thread>
#include <vector>

#include "core/runtime/pieces.hpp"
#include "core/runtime/ranks.hpp"

namespace dladmm::test {

// What all ranks of a test have in common.
struct Table {
  explicit Table(std::size_t count)
      : size(count), shown(count), sent(count * count), all_here(static_cast<std::ptrdiff_t>(count)) {}
  const std::size_t size;
  std::vector<std::vector<double>> shown;
  std::vector<std::deque<std::vector<std::byte>>> sent;  // from each to each
  std::mutex mutex;                                      // of these
  std::condition_variable came;
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

  [[nodiscard]] std::size_t rank() const override { return rank_; }
  [[nodiscard]] std::size_t size() const override { return table_.size; }
  void send(std::span<const std::byte> bytes, std::size_t to) override {
    const std::lock_guard lock(table_.mutex);
    table_.sent[to * table_.size + rank_].emplace_back(bytes.begin(), bytes.end());
    table_.came.notify_all();
  }
  void receive(std::span<std::byte> bytes, std::size_t from) override {
    std::unique_lock lock(table_.mutex);
    auto& queue = table_.sent[rank_ * table_.size + from];
    table_.came.wait(lock, [&] { return !queue.empty(); });
    if (queue.front().size() != bytes.size()) throw std::logic_error("what was sent has another length");
    std::ranges::copy(queue.front(), bytes.begin());
    queue.pop_front();
  }

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
