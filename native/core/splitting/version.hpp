// What a quantity is made of.
//
// A variable has a version, which every change of it advances. What is derived from variables (a product, a residual, a
// column sum, a Gram matrix, the image of a direction) keeps a stamp: the versions that it was made from. It is valid
// exactly when these are the present ones; nobody tells it that something changed. A step that waits to be applied
// leads from one stamp to another: applying it late makes of what has the first what has the second.
#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <stdexcept>

namespace dladmm {

class Version {
 public:
  void advance() { ++number_; }
  [[nodiscard]] constexpr std::uint64_t number() const { return number_; }

 private:
  std::uint64_t number_ = 1;  // 0 is the version of nothing
};

// What a state looks at only once it has been started, or restored, which advance this version.
inline void need_start(const Version& started) {
  if (started.number() == Version().number()) throw std::logic_error("the state has not been started");
}

// The versions of up to six variables, always named in the same order. A stamp of none is never that of a quantity.
class Stamp {
 public:
  constexpr Stamp() = default;
  template <std::same_as<Version>... Versions>
  constexpr explicit Stamp(const Versions&... of) : of_{of.number()...} {
    static_assert(sizeof...(of) <= 6);
  }
  bool operator==(const Stamp&) const = default;

 private:
  std::array<std::uint64_t, 6> of_{};
};

// A derived number or small array together with its stamp: `value` counts where `made == now`.
template <typename Value>
struct Derived {
  Value value{};
  Stamp made;

  [[nodiscard]] bool valid(const Stamp& now) const { return made == now; }
  void set(Value found, const Stamp& of) {
    value = found;
    made = of;
  }
  void forget() { made = {}; }
};

// target <- target − scale · direction, to be done before the target is next looked at. `slot` says where the direction
// waits. Worth something only while the target still has the stamp `from` and the present stamp is `to`: a target
// that was overwritten, or made afresh, has neither.
template <typename T>
struct LateStep {
  Stamp from;
  Stamp to;
  T scale = 0;

  [[nodiscard]] bool applies(const Stamp& held, const Stamp& now) const { return held == from && now == to; }
};

}  // namespace dladmm
