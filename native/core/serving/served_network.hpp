// A trained network that answers: forward passes over weights that are laid out for them once.
#pragma once

#include <atomic>
#include <chrono>
#include <span>
#include <vector>

#include "core/gradient/forward.hpp"
#include "core/gradient/network.hpp"
#include "core/linalg/packed.hpp"
#include "core/runtime/team.hpp"

namespace dladmm {

// What it says of a sample has the same bits whether the sample comes alone or among others, whichever threads answer,
// and however many ask at once. It holds its weights and nothing else: threads are the process's, and each keeps the
// scratch memory that a pass takes for whichever network comes next.
template <typename T>
class ServedNetwork {
 public:
  // Parameters are zero until they are set. Throws std::bad_alloc.
  ServedNetwork(const Network& network, unsigned threads);

  // Bytes of the parameters.
  [[nodiscard]] double bytes() const;

  // Layer l = 1 … L: W n_l x n_{l-1}, b n_l. Not while a pass is at work.
  void set_layer(std::size_t l, MatrixView<const T> W, std::span<const T> b);

  // out <- outputs of the network. x: samples x n_0, out: samples x n_L.
  void predict(MatrixView<const T> x, MatrixView<T> out);

  // R of the outputs, summed over the samples in an order that is always the same, and how many are correct.
  ForwardLoss evaluate(MatrixView<const T> x, const Targets<T>& targets);

 private:
  struct Layer {
    PackedMatrix<T> W;
    std::vector<T> b;
  };
  // The outputs of one layer, and of the next; what a loss works in.
  struct Scratch {
    Buffer<T> first, second;
    std::vector<double> work;
  };

  Scratch& scratch() const;
  MatrixView<const T> forward(MatrixView<const T> x, const Scratch& space) const;
  MatrixView<const T> forward_together(Sleepers sleepers, MatrixView<const T> x, const Scratch& space);
  void apply_panels(std::size_t l, MatrixView<const T> h, std::size_t first, std::size_t count, T* out) const;
  template <typename Body>
  void each_block(std::size_t samples, Body&& body);

  Network network_;
  std::vector<Layer> layers_;
  std::size_t stride_ = 0;  // of the rows of a scratch matrix
  double flops_ = 0;        // of a sample
  Team team_;
  std::atomic<std::int64_t> last_few_{0};  // when few samples were last asked for, ns of the steady clock
};

}  // namespace dladmm
