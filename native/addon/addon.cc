// The addon's face: its classes, and what it knows of the machine.
#include "addon/convert.hpp"
#include "addon/registry.hpp"
#include "addon/sparse.hpp"
#include "addon/storage.hpp"
#include "core/linalg/blas.hpp"
#include "core/linalg/lapack.hpp"
#include "core/linalg/library.hpp"
#include "core/linalg/simd.hpp"
#include "core/measure/products.hpp"
#include "core/runtime/memory.hpp"
#include "core/runtime/processors.hpp"
#include "core/runtime/team.hpp"
#include "core/runtime/trace.hpp"

namespace dladmm::addon {
namespace {

Napi::Value info(const Napi::CallbackInfo& call) {
  auto out = Napi::Object::New(call.Env());
  out.Set("config", blas::library());
  out.Set("core", blas::kernels());
  out.Set("simd", simd::name());
  const Processors found = processors();
  out.Set("bound", found.bound);
  out.Set("quota", found.quota);
  out.Set("available", found.available);
  out.Set("poolThreads", pool_threads());
  return out;
}

int repeats_from(const Napi::Object& options) {
  return static_cast<int>(std::clamp<std::size_t>(member_size(options, "repeats"), 1, 1000));
}

// productSeconds({ dtype, product, way, samples, inputs, outputs, threads, repeats }): blocks; for benchmarks.
Napi::Value measure_product(const Napi::CallbackInfo& call) {
  const Napi::Object options = object_argument(call, 0, "options");
  const auto product = choice<Product>(
      options, "product", {{"gradient", Product::gradient}, {"image", Product::image}, {"back", Product::back}});
  const auto way = choice<Way>(options, "way",
                               {{"openblas", Way::openblas_threads},
                                {"team-blocks", Way::team_blocks},
                                {"team-shares", Way::team_shares},
                                {"team-slices", Way::team_slices}});
  const std::size_t samples = member_count(options, "samples");
  const std::size_t inputs = member_count(options, "inputs");
  const std::size_t outputs = member_count(options, "outputs");
  const unsigned threads = threads_from(options);
  const int repeats = repeats_from(options);
  return in_type_of(options, [&]<typename T>(T) -> Napi::Value {
    return Napi::Number::New(call.Env(), product_seconds<T>(product, way, samples, inputs, outputs, threads, repeats));
  });
}

// passSeconds({ dtype, count, threads, repeats }): blocks; for benchmarks.
Napi::Value measure_pass(const Napi::CallbackInfo& call) {
  const Napi::Object options = object_argument(call, 0, "options");
  const std::size_t count = member_count(options, "count");
  const unsigned threads = threads_from(options);
  const int repeats = repeats_from(options);
  return in_type_of(options, [&]<typename T>(T) -> Napi::Value {
    return Napi::Number::New(call.Env(), pass_seconds<T>(count, threads, repeats));
  });
}

// sparseProductSeconds({ dtype, adjacency, columns, threads, repeats }): of the normalised adjacency times a dense
// matrix, and of a copy of that; blocks; for benchmarks. → { product, copy, entries, bytes }
Napi::Value measure_sparse_product(const Napi::CallbackInfo& call) {
  const Napi::Object options = object_argument(call, 0, "options");
  const std::size_t columns = member_count(options, "columns");
  const unsigned threads = threads_from(options);
  const int repeats = repeats_from(options);
  return in_type_of(options, [&]<typename T>(T) -> Napi::Value {
    const Csr<T> given = csr_member<T>(options, "adjacency");
    if (given.rows != given.columns || given.rows == 0) reject(call.Env(), "sizes must be positive");
    const Csr<T> a = normalised_adjacency(given.view());
    const SparseSeconds seconds = sparse_product_seconds<T>(a.view(), columns, threads, repeats);
    auto out = Napi::Object::New(call.Env());
    out.Set("product", seconds.product);
    out.Set("copy", seconds.copy);
    out.Set("entries", static_cast<double>(a.entries()));
    out.Set("bytes", product_bytes(a.entries(), a.rows, columns, sizeof(T)));
    return out;
  });
}

// traceRounds(go on) → what was written down since it was called last (Trace::take); for benchmarks.
Napi::Value trace_rounds(const Napi::CallbackInfo& call) {
  return typed_array<double>(call.Env(), Trace::take(call[0].ToBoolean()));
}

// singularValues(W, rows, columns): of a row-major matrix, greatest first, as the roots of the eigenvalues of its
// smaller Gram matrix; blocks.
Napi::Value singular_values(const Napi::CallbackInfo& call) {
  const std::size_t rows = size_argument(call, 1, "rows");
  const std::size_t columns = size_argument(call, 2, "columns");
  const std::size_t size = std::min(rows, columns);
  if (size == 0 || size > 4096 || std::max(rows, columns) > (std::size_t{1} << 30)) {
    reject(call.Env(), "sizes must be positive, the smaller at most 4096");
  }
  return coded(call.Env(), [&] {
    const Buffer<double> w(rows * columns), gram(size * size), values(size), work(lapack::syev_work(size));
    if (copy_numbers<double>(call, 0, "W", w.span()) >= 0) reject(call.Env(), "W must be finite");
    const MatrixView<double> g(gram.data(), size, size);
    blas::syrk<double>(rows == size ? blas::Op::none : blas::Op::transpose, {w.data(), rows, columns}, 0.0, g);
    if (!lapack::syev(g, values.span(), work.span())) reject(call.Env(), "the eigenvalues were not found");
    std::ranges::reverse(values.span());
    for (double& value : values.span()) value = std::sqrt(std::max(0.0, value));
    return typed_array<double>(call.Env(), values.span());
  });
}

// availableMemory() → bytes that control groups and the limits of the process leave, Infinity without any
Napi::Value memory_left(const Napi::CallbackInfo& call) { return Napi::Number::New(call.Env(), available_memory()); }

Napi::Object init(Napi::Env env, Napi::Object exports) {
  // Our team is the one source of parallelism (DESIGN: never both at once).
  blas::set_own_threads(1);
  for (const auto& [name, define] : exported_classes()) exports.Set(name, define(env, name));
  const auto set = [&](const char* name, auto function) {
    exports.Set(name, Napi::Function::New(env, function, name));
  };
  set("lockFile", lock_file);
  set("availableMemory", memory_left);
  set("info", info);
  set("productSeconds", measure_product);
  set("passSeconds", measure_pass);
  set("sparseProductSeconds", measure_sparse_product);
  set("traceRounds", trace_rounds);
  set("singularValues", singular_values);
  return exports;
}

}  // namespace
}  // namespace dladmm::addon

namespace {
Napi::Object init_addon(Napi::Env env, Napi::Object exports) { return dladmm::addon::init(env, exports); }
}  // namespace

NODE_API_MODULE(NODE_GYP_MODULE_NAME, init_addon)
