// The measurement of products: every way of every product runs, whatever the sizes, and leaves OpenBLAS as it was.
#include "core/measure/products.hpp"

#include <new>

#include "core/linalg/library.hpp"
#include "test/check.hpp"

namespace {

using namespace dladmm;
using namespace dladmm::test;

template <typename T>
void every_way_of_every_product() {
  for (const Product product : {Product::gradient, Product::image, Product::back}) {
    for (const Way way : {Way::openblas_threads, Way::team_blocks, Way::team_shares, Way::team_slices}) {
      for (const unsigned threads : {1U, 2U, 5U}) {
        for (const std::size_t samples : {1, 3, 2100}) {
          const double seconds = product_seconds<T>(product, way, samples, 7, 5, threads, 2);
          check(seconds >= 0 && seconds < 100, text(type_name<T>(), " product ", static_cast<int>(product), " way ",
                                                    static_cast<int>(way), " threads ", threads, ": ", seconds, " s"));
          check_equal(blas::own_threads().value_or(1), 1, "BLAS has one thread again");
        }
      }
    }
  }
}

void sizes_that_nothing_can_hold() {
  check_throws<std::bad_alloc>(
      [] {
        product_seconds<float>(Product::gradient, Way::openblas_threads, 1, std::size_t{1} << 62, std::size_t{1} << 62,
                               1, 1);
      },
      "2^124 entries");
}

void a_pass_over_numbers() {
  for (const unsigned threads : {1U, 3U}) {
    for (const std::size_t count : {std::size_t{0}, std::size_t{2}, std::size_t{100000}}) {
      const double seconds = pass_seconds<float>(count, threads, 2);
      check(seconds >= 0 && seconds < 100, text("a pass over ", count, " numbers: ", seconds, " s"));
    }
  }
}

}  // namespace

int main() {
  blas::set_own_threads(1);
  fact("float: every way of every product", every_way_of_every_product<float>);
  fact("double: every way of every product", every_way_of_every_product<double>);
  fact("a pass over numbers", a_pass_over_numbers);
  fact("sizes that nothing can hold", sizes_that_nothing_can_hold);
  return report();
}
