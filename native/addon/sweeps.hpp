// What a splitting offers to JavaScript whose iterations are sweeps of updates.
#pragma once

#include <cmath>
#include <initializer_list>
#include <utility>
#include <vector>

#include "addon/records.hpp"
#include "core/splitting/search.hpp"

namespace dladmm::addon {

// The penalties of the constraints that all splittings with quadratic steps have, and how the sizes of these are
// searched for.
template <typename Penalties>
void take_search(const Napi::Object& options, Penalties& p) {
  p.nu = member_number(options, "nu");
  p.rho = member_number(options, "rho");
  p.theta0 = member_number(options, "theta0");
  p.tau0 = member_number(options, "tau0");
  p.growth = member_number(options, "growth");
  p.search =
      choice<StepSearch>(options, "search", {{"exact", StepSearch::exact}, {"backtracking", StepSearch::backtracking}});
  for (const double value : {p.nu, p.rho, p.theta0, p.tau0}) {
    if (!(value > 0) || !std::isfinite(value)) {
      reject(options.Env(), "penalties and step sizes must be positive and finite");
    }
  }
  // The doubling loop must end.
  if (!(p.growth > 1.001) || !std::isfinite(p.growth)) reject(options.Env(), "growth must be above 1.001");
}

// On: the handle on samples, or on a graph. Derived: static bool exists(Update, depth), penalties_from(object).
template <typename Derived, typename On, typename Update, typename Record>
class Sweeps : public On {
 public:
  using Place = Update;
  using On::On;

  static std::vector<typename On::Property> properties(std::initializer_list<typename On::Property> more = {}) {
    auto all = On::properties(more);
    all.push_back(On::method("run", &Sweeps::run));
    all.push_back(On::method("measure", &Sweeps::measure));
    all.push_back(Derived::StaticMethod("recordNames", &Sweeps::record_names));
    if constexpr (kRefreshes) all.push_back(On::method("refresh", &Sweeps::refresh));
    if constexpr (kStarts) all.push_back(On::method("start", &Sweeps::start));
    return all;
  }

 protected:
  // An Int32Array of (block, layer) pairs.
  [[nodiscard]] std::vector<Update> updates_argument(const Napi::CallbackInfo& info) const {
    const auto pairs = int32_argument(info, 0, "updates");
    if (pairs.size() % 2 != 0) reject(info.Env(), "updates must be pairs of block and layer");
    std::vector<Update> updates;
    for (std::size_t i = 0; i < pairs.size(); i += 2) {
      updates.push_back(this->checked_place(info.Env(), pairs[i], pairs[i + 1]));
    }
    return updates;
  }

 private:
  using Measures = decltype(Record::measures);
  static constexpr bool kRefreshes = requires(typename On::template Typed<float> & typed) { typed.state->refresh(); };
  static constexpr bool kStarts = requires(typename On::template Typed<float> & typed) { typed.state->start(); };

  // run(updates, penalties) → Promise of a sweep record
  Napi::Value run(const Napi::CallbackInfo& info) {
    this->need_ready(info.Env());
    auto updates = updates_argument(info);
    auto penalties = this->self().penalties_from(object_argument(info, 1, "penalties"));
    if constexpr (requires { this->self().check_run(info.Env(), updates, penalties); }) {
      this->self().check_run(info.Env(), updates, penalties);
    }
    return this->template run_later<Record>(
        info.Env(),
        [this, updates = std::move(updates), penalties = std::move(penalties)](auto& typed, Record& record) {
          typed.state->run(updates, penalties, this->stop(), record);
        },
        sweep_object<Record>);
  }

  Napi::Value measure(const Napi::CallbackInfo& info) {
    this->need_ready(info.Env());
    auto penalties = this->self().penalties_from(object_argument(info, 0, "penalties"));
    return this->template answer_later<Measures>(
        info.Env(),
        [penalties = std::move(penalties)](auto& typed, Measures& measures) {
          typed.state->measure(penalties, measures);
        },
        to_object<Measures>);
  }

  // recordNames() → { update, measures }: what the fields of its records are called
  static Napi::Value record_names(const Napi::CallbackInfo& info) {
    auto out = Napi::Object::New(info.Env());
    out.Set("update", names_of<typename decltype(Record::updates)::value_type>(info.Env()));
    out.Set("measures", names_of<Measures>(info.Env()));
    return out;
  }

  Napi::Value refresh(const Napi::CallbackInfo& info) {
    return this->later_with_state(info.Env(), [](auto& typed) { typed.state->refresh(); });
  }
  Napi::Value start(const Napi::CallbackInfo& info) {
    return this->later_with_state(info.Env(), [](auto& typed) { typed.state->start(); });
  }
};

}  // namespace dladmm::addon
