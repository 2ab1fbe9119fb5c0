// A trained network that answers: forward passes over weights that are laid out for them once.
#pragma once

#include <span>
#include <vector>

#include "core/gradient/forward.hpp"
#include "core/gradient/network.hpp"
#include "core/linalg/packed.hpp"

namespace dladmm {

// What it says of a sample has the same bits whether the sample comes alone or among others, whichever thread answers.
template <typename T>
class ServedNetwork {
 public:
  // Answers of a team of `members`; parameters are zero until they are set. Throws std::bad_alloc.
  ServedNetwork(const Network& network, unsigned members);

  // Layer l = 1 … L: W n_l x n_{l-1}, b n_l. Not while a pass is at work.
  void set_layer(std::size_t l, MatrixView<const T> W, std::span<const T> b);

  // out <- outputs of the network. x: samples x n_0, out: samples x n_L.
  void predict(Team& team, MatrixView<const T> x, MatrixView<T> out);
  // The same by the calling thread alone, also while the team is at work on another pass.
  void predict_alone(MatrixView<const T> x, MatrixView<T> out);

  // R of the outputs, summed over the samples, and how many are correct.
  ForwardLoss evaluate(Team& team, MatrixView<const T> x, const Targets<T>& targets);

 private:
  struct Layer {
    PackedMatrix<T> W;
    std::vector<T> b;
  };

  MatrixView<const T> forward(MatrixView<const T> x, Workspace<T>& space) const;
  void predict_rows(MatrixView<const T> x, MatrixView<T> out, Rows rows, Workspace<T>& space) const;

  Network network_;
  std::vector<Layer> layers_;
  std::size_t stride_ = 0;            // of the rows of a workspace
  std::vector<Workspace<T>> spaces_;  // one a member
  Workspace<T> alone_;
};

}  // namespace dladmm
