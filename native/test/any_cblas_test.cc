// Built against CBLAS alone, what is particular to a library is found when it is there. OpenBLAS stands in here for
// any.
#include <string>

#include "core/linalg/library.hpp"
#include "test/check.hpp"

namespace {

using namespace dladmm;
using namespace dladmm::test;

void the_library_is_named() {
  check(blas::library().find("OpenBLAS") != std::string::npos, "library: " + blas::library());
  check(!blas::kernels().empty(), "its kernels are named");
}

void its_threads_are_set() {
  for (const int count : {2, 1}) {
    blas::set_own_threads(count);
    check_equal(blas::own_threads().value_or(0), count, "threads");
  }
}

}  // namespace

int main() {
  fact("the library is named", the_library_is_named);
  fact("its threads are set", its_threads_are_set);
  return report();
}
