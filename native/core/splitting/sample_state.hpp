// What the states of all splittings on samples have in common: the samples with what they should become, the threads,
// and the loss of the network itself.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <vector>

#include "core/functions/proximal.hpp"
#include "core/gradient/forward.hpp"
#include "core/gradient/network.hpp"
#include "core/linalg/matrix.hpp"
#include "core/linalg/sparse.hpp"
#include "core/runtime/team.hpp"
#include "core/splitting/storage_plan.hpp"

namespace dladmm {

// Setup: network, samples, threads. State, derived from this and its friend: State(setup, Shell), as declared with
// nothing allocated; declare(plan), which says what it holds; parameters(), W_l and b_l of all layers.
template <typename State, typename T, typename Setup>
class SampleState {
 public:
  // Bytes that the constructor will allocate.
  [[nodiscard]] static double required_bytes(const Setup& setup) {
    State state(setup, Shell());
    StoragePlan plan = state.plan();
    state.declare(plan);
    return plan.bytes();
  }

  [[nodiscard]] const Setup& setup() const { return setup_; }

  // To be filled before a training begins.
  [[nodiscard]] MatrixView<T> input() { return x_.view(); }
  // Sparse features, samples x n_0, in the place of these: rows are appended until all are there.
  [[nodiscard]] Csr<T>& sparse_input() { return sparse_; }
  [[nodiscard]] std::span<std::int32_t> labels() { return labels_; }
  [[nodiscard]] MatrixView<T> target_values() { return y_.view(); }
  // What each sample counts for in training; empty where all count alike.
  [[nodiscard]] std::vector<double>& weights() { return weights_; }

  // Rows that lie on a disk need not stay in memory.
  void release_rows() const { file_.release(); }

  // Loss and accuracy of the network (not of split variables) on given samples, dense or sparse.
  template <typename X>
  ForwardLoss evaluate(const X& x, const Targets<T>& goals) {
    return dladmm::evaluate<T>(team_, spaces_, spaces_.front().first.rows(), self().parameters(),
                               setup_.network.activation, setup_.network.loss, x, goals);
  }
  ForwardLoss evaluate_training() {
    need_all_rows();
    const Targets<T> goals{labels_, y_.view()};
    const ForwardLoss here = is_sparse() ? evaluate(sparse_.view(), goals) : evaluate(x_.view(), goals);
    std::array<double, 2> all{here.loss, static_cast<double>(here.correct)};
    if constexpr (kMayBeShared) setup_.share.sum(std::span<double>(all));
    return {all[0], static_cast<std::size_t>(all[1])};
  }

 protected:
  struct Shell {};
  static constexpr std::size_t kEvaluationBlock = 256;

  explicit SampleState(const Setup& setup) : setup_(setup), team_(setup.threads) {}

  // Throws std::bad_alloc, std::length_error, FileFailure.
  void allocate() {
    StoragePlan made = plan();
    self().declare(made);
    if constexpr (kMayLieOnDisk) {
      if (setup_.file) file_ = RowFile(*setup_.file, made.disk_bytes());
    }
    made.allocate();
    if constexpr (kMayLieOnDisk) {
      if (setup_.file) file_.hold(setup_.held_bytes);
    }
  }
  // Whether rows of samples may lie in a file: Setup has its descriptor, std::optional<int> file, and how many bytes of
  // them are held in memory yet.
  static constexpr bool kMayLieOnDisk = requires(const Setup& setup) { setup.file; };
  [[nodiscard]] StoragePlan plan() {
    if constexpr (kMayLieOnDisk) return StoragePlan(setup_.file ? &file_ : nullptr);
    return StoragePlan();
  }
  // Whether samples may be spread over ranks: Setup has `share`.
  static constexpr bool kMayBeShared = requires(const Setup& setup) { setup.share; };
  // A request to stop, where it is heeded. Ranks end together or not at all: who asks them to does so between two runs.
  [[nodiscard]] const std::atomic<bool>& heeded(const std::atomic<bool>& asked) const {
    static const std::atomic<bool> never{false};
    if constexpr (kMayBeShared) return setup_.share.ranks == nullptr ? asked : never;
    return asked;
  }
  // Room for the singular values of W_l of any layer.
  void declare_spectral(StoragePlan& plan, SpectralRoom& room) const {
    const Network& net = setup_.network;
    std::size_t largest = 0, side = 0;
    for (std::size_t l = 1; l <= net.layers(); ++l) {
      largest = std::max(largest, net.outputs(l) * net.inputs(l));
      side = std::max(side, std::min(net.inputs(l), net.outputs(l)));
    }
    plan.made(room, largest, side);
  }
  // The samples, their labels or values, and for every member of the team a workspace of so many rows.
  void declare_samples(StoragePlan& plan, std::size_t rows = kEvaluationBlock) {
    const Network& net = setup_.network;
    const std::size_t outputs = net.widths.back();
    if constexpr (kMayBeSparse) {
      if (is_sparse()) {
        const double entries = static_cast<double>(setup_.entries) * (sizeof(std::int32_t) + sizeof(T));
        plan.other(entries + sizeof(std::int64_t) * static_cast<double>(setup_.samples), [this] {
          sparse_.columns = setup_.network.widths.front();
          sparse_.indptr.reserve(setup_.samples + 1);
          sparse_.indices.reserve(setup_.entries);
          sparse_.values.reserve(setup_.entries);
        });
      }
    }
    if (!is_sparse()) plan.rows(x_, setup_.samples, net.widths.front());
    if (net.loss.classifies()) {
      plan.vector(labels_, setup_.samples);
    } else {
      plan.rows(y_, setup_.samples, outputs);
    }
    plan.other(team_.size() * Workspace<T>::required_bytes(rows, net.widest(), outputs), [this, rows, outputs] {
      for (unsigned i = 0; i < team_.size(); ++i) spaces_.emplace_back(rows, setup_.network.widest(), outputs);
    });
  }

  // Whether the features are sparse: Setup says so by `sparse`, and by `entries` how many these have, or not at all.
  static constexpr bool kMayBeSparse = requires(const Setup& setup) { setup.sparse; };
  [[nodiscard]] bool is_sparse() const {
    if constexpr (kMayBeSparse) return setup_.sparse;
    return false;
  }
  void need_all_rows() const {
    if (is_sparse() && sparse_.rows != setup_.samples) throw std::logic_error("rows of the samples are missing");
  }
  [[nodiscard]] std::size_t depth() const { return setup_.network.layers(); }
  [[nodiscard]] bool is_output(std::size_t l) const { return l == depth(); }
  [[nodiscard]] Activation activation_of(std::size_t l) const {
    return is_output(l) ? Activation::identity() : setup_.network.activation;
  }
  [[nodiscard]] Targets<T> targets() const { return {labels_, y_.view(), weights_}; }

  Setup setup_;
  Team team_;
  RowFile file_;                      // rows of samples, where they are not in memory
  Matrix<T> x_;                       // samples x n_0, unless
  Csr<T> sparse_;                     // they are sparse
  Matrix<T> y_;                       // samples x n_L, where there are no labels
  std::vector<std::int32_t> labels_;  // or one a sample
  std::vector<double> weights_;
  std::vector<Workspace<T>> spaces_;  // one a member

 private:
  [[nodiscard]] State& self() { return static_cast<State&>(*this); }
};

}  // namespace dladmm
