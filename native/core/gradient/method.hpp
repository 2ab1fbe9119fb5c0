// The methods that train by gradients, each a set of constants and a rule for a stretch of the parameters.
#pragma once

#include <variant>

#include "core/gradient/badm.hpp"
#include "core/gradient/isaac.hpp"
#include "core/gradient/kfac.hpp"
#include "core/gradient/muon.hpp"
#include "core/gradient/optimiser.hpp"
#include "core/gradient/schedule_free.hpp"
#include "core/gradient/soap.hpp"

namespace dladmm {

using Optimiser = std::variant<Sgd, Adagrad, Adadelta, Adam, ScheduleFree, Muon, Soap, Kfac, Isaac, Badm, Sisa>;

// Whether a method takes slices of the parameters and their gradients as they come, and needs nothing else.
[[nodiscard]] inline bool by_slices(const Optimiser& method) {
  return !std::holds_alternative<ScheduleFree>(method) && !std::holds_alternative<Muon>(method) &&
         !std::holds_alternative<Soap>(method) && !std::holds_alternative<Kfac>(method) &&
         !std::holds_alternative<Isaac>(method);
}

// F of a batch is the mean of R over its samples, or the sum. ∇F_s of a sub-batch with share α_s is scaled so that
// Σ α_s ∇F_s = ∇F.
enum class Reduction { mean, sum };

}  // namespace dladmm
