// MPI as it is found when it is asked for: nothing of it is linked, and without it all the rest works.
//
// An MPI is known by its library (dlopen) and by what its handles are: numbers of the standard ABI of MPI 5, addresses
// of symbols in Open MPI, numbers of 32 bits in MPICH and what descends from it. DLADMM_MPI names the library; else it
// is the one in the process, else the first that the loader finds, that of the launcher at work before the others.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <stdexcept>
#include <string>

#include "core/runtime/ranks.hpp"

namespace dladmm {

// There is no MPI, or it does not do what it is to.
struct RanksFailure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The few calls that are made, whatever the ABI.
class Mpi {
 public:
  virtual ~Mpi() = default;
  // Of MPI_THREAD_SERIALIZED.
  virtual void init() = 0;
  virtual void finalize() = 0;
  virtual int rank() = 0;
  virtual int size() = 0;
  virtual void sum(std::span<float> values) = 0;
  virtual void sum(std::span<double> values) = 0;
  virtual void largest(std::span<double> values) = 0;
  virtual void broadcast(std::span<char> bytes, int from) = 0;
  virtual void send(std::span<const std::byte> bytes, int to) = 0;
  virtual void receive(std::span<std::byte> bytes, int from) = 0;
  virtual void abort(int code) = 0;
  [[nodiscard]] virtual const std::string& library() const = 0;

  // Throws RanksFailure.
  static std::unique_ptr<Mpi> load();
};

// All processes that a launcher has started together, as this one sees them. A thread of its own makes all calls to
// MPI; it is never destroyed, as the process may end within one.
class World : public Ranks {
 public:
  // Returns when all ranks have come. Throws RanksFailure. May be called again.
  static World& join();
  // Null before.
  [[nodiscard]] static World* joined();

  [[nodiscard]] std::size_t rank() const override { return static_cast<std::size_t>(rank_); }
  [[nodiscard]] std::size_t size() const override { return static_cast<std::size_t>(size_); }
  [[nodiscard]] const std::string& library() const { return mpi_->library(); }
  // What was added up so far: calls, and bytes of one rank's numbers.
  struct Traffic {
    std::uint64_t calls = 0, bytes = 0;
  };
  [[nodiscard]] Traffic traffic() const { return {calls_.load(), bytes_.load()}; }

  void sum(std::span<float> values) override {
    reduce(values.size_bytes(), [&] { mpi_->sum(values); });
  }
  void sum(std::span<double> values) override {
    reduce(values.size_bytes(), [&] { mpi_->sum(values); });
  }
  void largest(std::span<double> values) override {
    reduce(values.size_bytes(), [&] { mpi_->largest(values); });
  }
  void send(std::span<const std::byte> bytes, std::size_t to) override {
    call([&] { mpi_->send(bytes, static_cast<int>(to)); });
  }
  void receive(std::span<std::byte> bytes, std::size_t from) override {
    call([&] { mpi_->receive(bytes, static_cast<int>(from)); });
  }
  // The text of one rank, to all.
  [[nodiscard]] std::string broadcast(std::string text, int from);
  // Returns when all ranks have done so.
  void leave();
  // Ends all ranks with this exit code. A call under way is waited for, but not for long.
  void abort(int code);

 private:
  World();
  void begin();
  void serve();
  // On the own thread.
  void call(const std::function<void()>& work);
  template <typename Work>
  void reduce(std::size_t bytes, Work&& work) {
    calls_.fetch_add(1, std::memory_order_relaxed);
    bytes_.fetch_add(bytes, std::memory_order_relaxed);
    call(work);
  }

  std::unique_ptr<Mpi> mpi_;
  int rank_ = 0, size_ = 1;
  std::atomic<std::uint64_t> calls_{0}, bytes_{0};

  std::timed_mutex turn_;  // of who calls
  std::mutex mutex_;       // for what follows
  std::condition_variable asked_, done_;
  const std::function<void()>* work_ = nullptr;
  std::exception_ptr failure_;
};

}  // namespace dladmm
