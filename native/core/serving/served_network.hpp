// A trained network that answers: forward passes over weights that are laid out for them once.
#pragma once

#include <atomic>
#include <chrono>
#include <span>
#include <vector>

#include "core/gradient/forward.hpp"
#include "core/gradient/network.hpp"
#include "core/linalg/packed.hpp"
#include "core/parallel/helpers.hpp"

namespace dladmm {

// What it says of a sample has the same bits whether the sample comes alone or among others, whichever threads answer.
// Two threads may ask at once, each in its own lane: one of them has the helpers, the other works alone.
template <typename T>
class ServedNetwork {
 public:
  static constexpr unsigned kLanes = 2;

  // Parameters are zero until they are set. Throws std::bad_alloc.
  ServedNetwork(const Network& network, unsigned threads);

  // Bytes of the parameters.
  [[nodiscard]] double bytes() const;

  // Layer l = 1 … L: W n_l x n_{l-1}, b n_l. Not while a pass is at work.
  void set_layer(std::size_t l, MatrixView<const T> W, std::span<const T> b);

  // out <- outputs of the network. x: samples x n_0, out: samples x n_L.
  void predict(unsigned lane, MatrixView<const T> x, MatrixView<T> out);

  // R of the outputs, summed over the samples in an order that is always the same, and how many are correct.
  ForwardLoss evaluate(unsigned lane, MatrixView<const T> x, const Targets<T>& targets);

 private:
  struct Layer {
    PackedMatrix<T> W;
    std::vector<T> b;
  };
  using Sleepers = Helpers::Sleepers;
  using Clock = std::chrono::steady_clock;

  // The helpers, where no other lane has them.
  class Loan;

  MatrixView<const T> forward(MatrixView<const T> x, Workspace<T>& space) const;
  MatrixView<const T> forward_together(Helpers& helpers, Sleepers sleepers, MatrixView<const T> x,
                                       Workspace<T>& space) const;
  void apply_panels(std::size_t l, MatrixView<const T> h, std::size_t first, std::size_t count, T* out) const;
  template <typename Body>
  void each_block(unsigned lane, std::size_t samples, Body&& body);
  Workspace<T>& space(unsigned lane, unsigned member) { return spaces_[lane * threads_ + member]; }

  Network network_;
  std::vector<Layer> layers_;
  std::size_t stride_ = 0;  // of the rows of a workspace
  unsigned threads_;
  std::vector<Workspace<T>> spaces_;  // one a member, for each lane
  Helpers helpers_;
  std::atomic<bool> lent_{false};
  Clock::time_point last_few_{};  // when few samples were last asked for with the helpers at hand
};

}  // namespace dladmm
