// Samples on their way from JavaScript: a training set inside a state, and evaluation sets beside it. What the handles
// of the splittings have in common.
#pragma once

#include <memory>
#include <span>
#include <stdexcept>
#include <vector>

#include "addon/records.hpp"
#include "addon/sparse.hpp"
#include "core/gradient/forward.hpp"
#include "core/gradient/network.hpp"
#include "core/linalg/matrix.hpp"
#include "core/runtime/mpi.hpp"

namespace dladmm::addon {

// Samples kept for validation or test, whose features are sparse where they are told so.
template <typename T>
struct EvaluationSet {
  std::size_t samples;
  Matrix<T> x;
  Csr<T> sparse;
  std::vector<std::int32_t> labels;
  Matrix<T> values;

  EvaluationSet(const Network& network, std::size_t count, bool is_sparse) : samples(count) {
    if (is_sparse) {
      sparse.columns = network.widths.front();
    } else {
      x = Matrix<T>(samples, network.widths.front());
    }
    if (network.loss.classifies()) {
      labels.resize(samples);
    } else {
      values = Matrix<T>(samples, network.widths.back());
    }
  }
  [[nodiscard]] Targets<T> targets() const { return {labels, values.view()}; }
  [[nodiscard]] bool is_sparse() const { return sparse.columns > 0; }
};

// What the set-ups of all splittings on samples have in common.
template <typename Setup>
Setup setup_on_samples(const Napi::Object& options) {
  Setup setup;
  setup.network = network_from(options);
  setup.samples = member_count(options, "samples");
  setup.threads = threads_from(options);
  return setup;
}

// share: { first, samples }, the first of the samples here among those of all ranks, and how many these have; absent
// where all are here.
inline Share share_from(const Napi::Object& options, std::size_t here) {
  if (!options.Has("share")) return {};
  const Napi::Env env = options.Env();
  const Napi::Value given = options.Get("share");
  if (!given.IsObject()) reject(env, "share must be an object");
  const auto object = given.As<Napi::Object>();
  const Share share{World::joined(), member_size(object, "first"), member_count(object, "samples")};
  if (share.ranks == nullptr) throw coded_error(env, "ERR_DLADMM_STATE", "the ranks have not joined");
  if (share.first > share.samples || here > share.samples - share.first) {
    reject(env, "a share must lie among the samples of all ranks");
  }
  return share;
}

// −1 names the training set, whole numbers from 0 the evaluation sets.
inline void need_set(Napi::Env env, double set, std::size_t sets) {
  if (set == -1) return;
  if (!(set >= 0 && set < static_cast<double>(sets)) || set != std::floor(set)) reject(env, "no such evaluation set");
}

// A state, and the evaluation sets beside it. State: input(), target_values(), labels(), evaluate(x, targets),
// evaluate_training().
template <typename T, typename State>
struct WithSets {
  using Number = T;
  std::shared_ptr<State> state;  // shared with who reads rows into it
  std::vector<EvaluationSet<T>> sets;

  [[nodiscard]] EvaluationSet<T>& evaluation(double set) { return sets[static_cast<std::size_t>(set)]; }
  [[nodiscard]] MatrixView<T> input(double set) { return set < 0 ? state->input() : evaluation(set).x.view(); }
  [[nodiscard]] MatrixView<T> values(double set) {
    return set < 0 ? state->target_values() : evaluation(set).values.view();
  }
  [[nodiscard]] std::span<std::int32_t> labels(double set) {
    return set < 0 ? state->labels() : std::span(evaluation(set).labels);
  }
  auto evaluate(double set) {
    if (set < 0) return state->evaluate_training();
    const EvaluationSet<T>& own = evaluation(set);
    if (!own.is_sparse()) return state->evaluate(own.x.view(), own.targets());
    if (own.sparse.rows != own.samples) throw std::logic_error("rows of the samples are missing");
    return state->evaluate(own.sparse.view(), own.targets());
  }
  // Sparse features of a set, where it has such.
  [[nodiscard]] Csr<T>* sparse(double set) {
    if (set >= 0) return evaluation(set).is_sparse() ? &evaluation(set).sparse : nullptr;
    if constexpr (requires { state->setup().sparse; }) return state->setup().sparse ? &state->sparse_input() : nullptr;
    return nullptr;
  }
  [[nodiscard]] std::size_t samples(double set) { return set < 0 ? state->setup().samples : evaluation(set).samples; }
};

// Copies rows `first` … of `matrix`, as arguments 1 and 2 of a load have them: (set, firstRow, chunk). Returns the
// index in the chunk of the first value that is not finite, or −1.
template <typename T>
Napi::Value load_rows(const Napi::CallbackInfo& info, MatrixView<T> matrix) {
  const std::size_t first = size_argument(info, 1, "firstRow");
  if (!info[2].IsTypedArray()) reject(info.Env(), "a chunk must be a typed array");
  const std::size_t length = info[2].As<Napi::TypedArray>().ElementLength();
  if (matrix.columns == 0 || length % matrix.columns != 0) reject(info.Env(), "a chunk must hold whole rows");
  const std::size_t count = length / matrix.columns;
  if (first > matrix.rows || count > matrix.rows - first) reject(info.Env(), "a chunk reaches past the last sample");
  const std::span<T> to(matrix.data + first * matrix.columns, length);
  return Napi::Number::New(info.Env(), copy_numbers(info, 2, "chunk", to));
}

// Argument i is the labels. Returns the index of the first that names no class, or −1.
inline Napi::Value load_labels_into(const Napi::CallbackInfo& info, std::size_t i, std::span<std::int32_t> to,
                                    std::size_t classes) {
  const auto labels = int32_argument(info, i, "labels");
  if (labels.size() != to.size()) reject(info.Env(), "one label a sample is needed");
  for (std::size_t k = 0; k < labels.size(); ++k) {
    const std::int32_t label = labels[k];
    if (label < 0 || label >= static_cast<std::int32_t>(classes)) {
      return Napi::Number::New(info.Env(), static_cast<double>(k));
    }
    to[k] = label;
  }
  return Napi::Number::New(info.Env(), -1);
}

// Makes room for a set; returns its number.
template <typename Holder>
Napi::Value add_set(Napi::Env env, Holder& holder, const Network& network, std::size_t samples, bool is_sparse) {
  coded(env, [&] { holder.sets.emplace_back(network, samples, is_sparse); });
  return Napi::Number::New(env, static_cast<double>(holder.sets.size() - 1));
}

}  // namespace dladmm::addon
