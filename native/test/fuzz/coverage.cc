// Where the edges of this library are counted, for whoever guides a fuzzer by them: Clang puts a counter of eight bits
// on every edge (-fsanitize-coverage=inline-8bit-counters) and tells of them as the library is loaded. The program they
// are in reads and clears them at that address; with none but the environment between them the addon itself stays as it
// is.
#include <cstdint>
#include <cstdlib>
#include <string>

extern "C" void __sanitizer_cov_8bit_counters_init(char* begin, char* end) {
  const std::string where = std::to_string(reinterpret_cast<std::uintptr_t>(begin)) + ' ' + std::to_string(end - begin);
  setenv("DLADMM_COVERAGE", where.c_str(), 1);
}
