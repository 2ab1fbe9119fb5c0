// What is done before an MPI is loaded. Training by one is tested under mpirun (test/training/distributed.test.ts).
#include "core/runtime/mpi.hpp"

#include <unistd.h>

#include <cstdlib>
#include <string_view>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "test/check.hpp"

namespace {

using namespace dladmm;
using namespace dladmm::test;

#if defined(__linux__)
char* end_of_heap() { return static_cast<char*>(sbrk(0)); }

void heap() {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  setenv("DLADMM_MPI", "/nowhere/libmpi.so", 1);
  unsetenv("UCX_MEM_EVENTS");

  fact("before an MPI is loaded the heap gets a last page that nobody has", [&] {
    const char* const before = end_of_heap();
    check_throws<RanksFailure>([] { World::join(); }, "there is no such library");
    check(end_of_heap() >= before + page, "a page more");
    check(std::getenv("UCX_MEM_EVENTS") == nullptr, "UCX may have its hooks");
  });

  fact("where there is no room for one, UCX is told to do without memory hooks", [&] {
    const auto end = reinterpret_cast<std::uintptr_t>(end_of_heap());
    void* const above = reinterpret_cast<void*>((end + page - 1) / page * page);
    const int how = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
    void* const neighbour = mmap(above, page, PROT_NONE, how, -1, 0);
    check(neighbour == above, "a neighbour right above the heap");
    check_throws<RanksFailure>([] { World::join(); }, "there is no such library");
    check(std::getenv("UCX_MEM_EVENTS") == std::string_view("n"), "UCX is told");
    munmap(neighbour, page);
  });
}
#else
void heap() {}
#endif

}  // namespace

int main() {
  heap();
  return report();
}
