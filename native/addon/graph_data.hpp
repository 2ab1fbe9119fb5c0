// Graphs from JavaScript: { adjacency, features, labels, training }, the adjacency as the user has it, features sparse
// or { rows, columns, values } row-major. Copied, and checked as if nobody had.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "addon/arguments.hpp"
#include "addon/sparse.hpp"
#include "core/gradient/network.hpp"
#include "core/graph/data.hpp"

namespace dladmm::addon {

inline bool has_sparse_features(const Napi::Object& options) {
  const Napi::Value features = options.Get("features");
  if (!features.IsObject()) reject(options.Env(), "features must be an object");
  return features.As<Napi::Object>().Has("indptr");
}

// Features as { rows, columns, values }, row-major.
template <typename T>
Matrix<T> dense_features(const Napi::Object& options) {
  const Napi::Env env = options.Env();
  const auto object = options.Get("features").As<Napi::Object>();
  Matrix<T> out(member_size(object, "rows"), member_size(object, "columns"));
  if (copy_values<T>(env, object.Get("values"), "features.values", out.flat()) >= 0) {
    reject(env, "features must be finite");
  }
  return out;
}

// Every node that a list names is there, and has a class.
inline void check_nodes(Napi::Env env, std::span<const std::int32_t> nodes, std::span<const std::int32_t> labels,
                        std::size_t classes) {
  for (const std::int32_t node : nodes) {
    if (node < 0 || static_cast<std::size_t>(node) >= labels.size()) reject(env, "no such node");
    const std::int32_t label = labels[static_cast<std::size_t>(node)];
    if (label < 0 || static_cast<std::size_t>(label) >= classes) reject(env, "a node has no class");
  }
}

// { adjacency, features } that go through a network.
template <typename T>
void read_graph(const Napi::Object& options, const Network& network, Csr<T>& adjacency, Features<T>& features) {
  const Napi::Env env = options.Env();
  adjacency = csr_member<T>(options, "adjacency");
  if (adjacency.rows != adjacency.columns) reject(env, "adjacency must be square");
  for (const T value : adjacency.values) {
    if (value < 0) reject(env, "adjacency must not be negative");
  }
  features.is_sparse = has_sparse_features(options);
  if (features.is_sparse) {
    features.sparse = csr_member<T>(options, "features");
  } else {
    features.dense = dense_features<T>(options);
  }
  if (features.rows() != adjacency.rows) reject(env, "one row of features a node is needed");
  if (features.columns() != network.widths.front()) reject(env, "as many features as inputs are needed");
}

template <typename T>
GraphData<T> graph_data(const Napi::Object& options, const Network& network) {
  const Napi::Env env = options.Env();
  GraphData<T> out;
  read_graph(options, network, out.adjacency, out.features);
  out.labels = int32_member(options, "labels");
  if (out.labels.size() != out.adjacency.rows) reject(env, "one label a node is needed");
  out.training = int32_member(options, "training");
  if (out.training.empty()) reject(env, "training must not be empty");
  check_nodes(env, out.training, out.labels, network.loss.classes(network.widths.back()));
  if (options.Has("weights")) {
    out.weights = doubles_member(options, "weights");
    check_weights(env, out.weights, out.labels.size());
  }
  std::vector<bool> seen(out.labels.size());
  for (const std::int32_t node : out.training) {
    if (seen[static_cast<std::size_t>(node)]) reject(env, "a training node is named twice");
    seen[static_cast<std::size_t>(node)] = true;
  }
  return out;
}

}  // namespace dladmm::addon
