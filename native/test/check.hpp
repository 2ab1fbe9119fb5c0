// What the tests of the core are written with: named tests, checks that report and go on, and an exit code.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <source_location>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <typeinfo>

namespace dladmm::test {

using Where = std::source_location;

// Ends a fact that has been checked for as many seconds as DLADMM_FACT_SECONDS allows: valgrind is fifty times as slow.
struct Enough {};

// The checks of a process; any thread may fail one.
class Tally {
 public:
  static Tally& instance() {
    static Tally tally;
    return tally;
  }

  void begin(std::string_view name) {
    name_ = name;
    thread_ = std::this_thread::get_id();
    if (limit_ > 0)
      ends_ = Clock::now() + std::chrono::duration_cast<Clock::duration>(limit_ * std::chrono::seconds(1));
  }
  // Throws Enough.
  void passed() {
    {
      const std::lock_guard lock(mutex_);
      ++checks_;
    }
    if (limit_ > 0 && std::this_thread::get_id() == thread_ && Clock::now() > ends_) throw Enough();
  }
  void cut() { ++cut_; }
  [[nodiscard]] bool in_haste() const { return limit_ > 0; }
  void failed(const std::string& what, Where where) {
    const std::lock_guard lock(mutex_);
    ++checks_;
    if (++failures_ > kShown) return;
    std::fprintf(stderr, "%s:%u: in \"%s\": %s\n", where.file_name(), static_cast<unsigned>(where.line()),
                 name_.c_str(), what.c_str());
  }
  // 0 when all is well. A test that checked nothing is not.
  [[nodiscard]] int exit_code() const {
    if (failures_ > kShown) std::fprintf(stderr, "… and %zu more\n", failures_ - kShown);
    std::printf("%zu checks, %zu failures", checks_, failures_);
    if (cut_ > 0) std::printf(", %zu facts cut short after %g s each", cut_, limit_);
    std::printf("\n");
    return failures_ == 0 && checks_ > 0 ? 0 : 1;
  }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr std::size_t kShown = 30;
  std::mutex mutex_;
  std::string name_;
  std::thread::id thread_;
  Clock::time_point ends_;
  double limit_ = std::strtod(std::getenv("DLADMM_FACT_SECONDS") ? std::getenv("DLADMM_FACT_SECONDS") : "0", nullptr);
  std::size_t cut_ = 0;
  std::size_t checks_ = 0;
  std::size_t failures_ = 0;
};

inline void check(bool holds, std::string_view what, Where where = Where::current()) {
  if (holds) return Tally::instance().passed();
  Tally::instance().failed(std::string(what), where);
}

template <typename A, typename B>
void check_equal(const A& got, const B& expected, std::string_view what, Where where = Where::current()) {
  if (got == expected) return Tally::instance().passed();
  std::ostringstream message;
  message.precision(17);
  message << what << ": expected " << expected << ", got " << got;
  Tally::instance().failed(message.str(), where);
}

// |got − expected| ≤ tolerance; false for NaN.
inline void check_close(double got, double expected, double tolerance, std::string_view what,
                        Where where = Where::current()) {
  if (std::abs(got - expected) <= tolerance) return Tally::instance().passed();
  std::ostringstream message;
  message.precision(17);
  message << what << ": expected " << expected << " within " << tolerance << ", got " << got;
  Tally::instance().failed(message.str(), where);
}

// got ≤ limit; false for NaN.
inline void check_at_most(double got, double limit, std::string_view what, Where where = Where::current()) {
  if (got <= limit) return Tally::instance().passed();
  std::ostringstream message;
  message.precision(17);
  message << what << ": " << got << " exceeds " << limit;
  Tally::instance().failed(message.str(), where);
}

template <typename Error, typename Body>
void check_throws(Body&& body, std::string_view what, Where where = Where::current()) {
  try {
    body();
  } catch (const Error&) {
    return Tally::instance().passed();
  } catch (const Enough&) {
    throw;
  } catch (...) {
    return Tally::instance().failed(std::string(what) + ": threw something else", where);
  }
  Tally::instance().failed(std::string(what) + ": did not throw", where);
}

// A named fact, shown by its checks; what the body throws is a failure.
template <typename Body>
void fact(std::string_view name, Body&& body, Where where = Where::current()) {
  Tally::instance().begin(name);
  try {
    body();
  } catch (const Enough&) {
    Tally::instance().cut();
  } catch (const std::exception& error) {
    Tally::instance().failed(std::string("threw ") + error.what(), where);
  }
}

// Whether the time of a fact is limited: what computes for long before its first check then takes a smaller case.
[[nodiscard]] inline bool in_haste() { return Tally::instance().in_haste(); }

[[nodiscard]] inline int report() { return Tally::instance().exit_code(); }

template <typename T>
constexpr const char* type_name() {
  return std::is_same_v<T, float> ? "float" : "double";
}

template <typename... Parts>
std::string text(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

}  // namespace dladmm::test
