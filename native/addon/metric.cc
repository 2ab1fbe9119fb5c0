// The splitting with matrix penalties, as a JavaScript object.
#include <cmath>

#include "addon/registry.hpp"
#include "addon/state_handle.hpp"
#include "addon/sweeps.hpp"
#include "core/metric/state.hpp"

namespace dladmm::addon {

using namespace metric;

template <>
inline constexpr auto fields<UpdateRecord> =
    std::tuple{Field<&UpdateRecord::slope>{"slope"}, Field<&UpdateRecord::step_norm>{"stepNorm"},
               Field<&UpdateRecord::seconds>{"seconds"}};
template <>
inline constexpr auto fields<Measures> = std::tuple{Field<&Measures::loss>{"loss"},
                                                    Field<&Measures::regularisation>{"regularisation"},
                                                    Field<&Measures::objective>{"objective"},
                                                    Field<&Measures::kkt>{"kkt"},
                                                    Field<&Measures::tried>{"tried"},
                                                    Field<&Measures::slope>{"slope"},
                                                    Field<&Measures::expected>{"expected"},
                                                    Field<&Measures::reduction>{"reduction"},
                                                    Field<&Measures::kept>{"kept"}};

namespace {

class Metric : public Sweeps<Metric, StateHandle<Metric, State, Setup>, Update, SweepRecord> {
 public:
  using Sweeps::Sweeps;

  static Setup setup_from(const Napi::Object& options) {
    auto setup = setup_on_samples<Setup>(options);
    setup.seed = static_cast<std::uint32_t>(member_size(options, "seed"));
    return setup;
  }

  static bool exists(Update update, std::size_t depth) {
    const std::size_t last = update.block == Block::a ? depth - 1 : depth;
    return update.block <= Block::target && update.layer >= 1 && update.layer <= last;
  }

  [[nodiscard]] static Penalties penalties_from(const Napi::Object& options) {
    Penalties p;
    p.damping = member_number(options, "damping");
    p.output_damping = member_number(options, "outputDamping");
    p.rate = member_number(options, "rate");
    p.momentum = member_number(options, "momentum");
    p.l2 = member_number(options, "l2");
    for (const double value : {p.damping, p.output_damping, p.rate, p.momentum, p.l2}) {
      if (!(value >= 0) || !std::isfinite(value)) reject(options.Env(), "penalties must be finite and at least 0");
    }
    return p;
  }

  static void check_run(Napi::Env env, const std::vector<Update>& updates, const Penalties&) {
    for (const Update& update : updates) {
      if (update.block == Block::b || update.block == Block::velocity || update.block == Block::target) {
        reject(env, "b and the velocity are updated with W, and a target is none");
      }
    }
  }
};

const Exported<Metric> exported("Metric");

}  // namespace
}  // namespace dladmm::addon
