// What a splitting offers to JavaScript whose iterations are steps on batches.
#pragma once

#include <initializer_list>
#include <utility>
#include <vector>

#include "addon/records.hpp"
#include "addon/samples.hpp"
#include "core/gradient/network.hpp"

namespace dladmm::addon {

// What the set-ups of all splittings have in common that visit samples in batches.
template <typename Setup>
void take_batches(const Napi::Object& options, Setup& setup) {
  const Napi::Env env = options.Env();
  setup.network = network_from(options);
  setup.samples = member_count(options, "samples");
  setup.batch = member_size(options, "batch");
  std::size_t samples = setup.samples;
  if constexpr (requires { setup.share; }) {
    setup.share = share_from(options, setup.samples);
    samples = setup.all_samples();
  }
  if (setup.batch < 1 || setup.batch > samples) reject(env, "batch must be from 1 to the number of samples");
  setup.threads = threads_from(options);
  setup.shuffle = member_flag(options, "shuffle");
  setup.seed = static_cast<std::uint32_t>(member_size(options, "seed"));
  setup.sparse = options.Has("entries");
  if (setup.sparse) setup.entries = member_size(options, "entries");
}

// On: the handle on samples, or on a graph.
template <typename Derived, typename On>
class Steps : public On {
 public:
  using Place = Parameter;
  using On::On;

  static bool exists(Parameter place, std::size_t depth) {
    return place.block <= ParameterBlock::b && place.layer >= 1 && place.layer <= depth;
  }

  static std::vector<typename On::Property> properties(std::initializer_list<typename On::Property> more = {}) {
    auto all = On::properties(more);
    all.push_back(On::method("run", &Steps::run));
    all.push_back(On::method("reset", &Steps::reset));
    return all;
  }

 private:
  // run(count, rates: Float64Array of one step size, or one a step) → Promise of a record of the steps
  Napi::Value run(const Napi::CallbackInfo& info) {
    this->need_ready(info.Env());
    const std::size_t count = size_argument(info, 0, "count");
    std::vector<double> rates = doubles_argument(info, 1, "rates");
    if (rates.size() != 1 && rates.size() != count) reject(info.Env(), "one step size is needed, or one a step");
    return this->template run_later<StepsRecord>(
        info.Env(),
        [this, count, rates = std::move(rates)](auto& typed, StepsRecord& record) {
          typed.state->run(count, rates, this->stop(), record);
        },
        to_object<StepsRecord>);
  }

  Napi::Value reset(const Napi::CallbackInfo& info) {
    return this->later_with_state(info.Env(), [](auto& typed) { typed.state->reset(); });
  }
};

}  // namespace dladmm::addon
