// The proximal step of Ω_l that follows on a step of a method.
#include <cmath>

#include "core/consensus/trainer.hpp"

namespace dladmm {

// W_l <- argmin Ω_l(W) + ½‖W − W_l‖² in the metric that the step of the method was the shortest in: 1/γ of the plain
// step, (1 − μ)/γ of momentum, (√v + ε)/γ of the adaptive ones, σ/γ + λ of the aggregate of consensus ADMM.
template <typename T>
bool Trainer<T>::take_proximal_steps(const Step& now) {
  const auto by_metric = [&](std::size_t l, std::size_t k, auto size) {
    const MatrixView<const T> w = layers_[l - 1].W;
    separable_step<T>(team_, setup_.regularisers[l - 1], MatrixView<T>(weights(l).data(), w.rows, w.columns),
                      {part_of(state_, ParameterBlock::W, l, k * parameters_count_).data(), w.rows, w.columns}, size);
  };
  const auto by_size = [&](std::size_t l, double size) {
    const MatrixView<const T> w = layers_[l - 1].W;
    const MatrixView<T> own(weights(l).data(), w.rows, w.columns);
    return proximal_step<T>(team_, setup_.regularisers[l - 1], size, own, spectral_);
  };
  const auto t = static_cast<double>(now.number);
  bool found = true;
  for (std::size_t l = 1; l <= setup_.regularisers.size(); ++l) {
    if (setup_.regularisers[l - 1].none()) continue;
    if (const auto* const adam = std::get_if<Adam>(&setup_.optimiser)) {
      const T root = static_cast<T>(1 / std::sqrt(1 - std::pow(adam->beta2, t)));
      by_metric(l, 1,
                [rate = static_cast<T>(now.rate), root, epsilon = static_cast<T>(adam->epsilon)](T second)
                    DLADMM_INLINE { return rate / (std::sqrt(second) * root + epsilon); });
    } else if (const auto* const adagrad = std::get_if<Adagrad>(&setup_.optimiser)) {
      const T rate = static_cast<T>(now.rate / (1 + (t - 1) * adagrad->rate_decay));
      by_metric(l, 0, [rate, epsilon = static_cast<T>(adagrad->epsilon)](T sum) DLADMM_INLINE {
        return rate / (std::sqrt(sum) + epsilon);
      });
    } else if (const auto* const badm = std::get_if<Badm>(&setup_.optimiser)) {
      found = by_size(l, now.rate / (badm->sigma + now.rate * badm->weight_decay)) && found;
    } else if (const auto* const sisa = std::get_if<Sisa>(&setup_.optimiser)) {
      found = by_size(l, now.rate / (sisa->sigma + now.rate * sisa->weight_decay)) && found;
    } else if (const auto* const sgd = std::get_if<Sgd>(&setup_.optimiser)) {
      // Of a gradient that stays, momentum makes so many times itself: only with it does Ω weigh against F.
      const double gain = (1 - sgd->dampening) / (1 - sgd->momentum);
      const double times = sgd->momentum == 0 ? 1 : sgd->nesterov ? 1 + sgd->momentum * gain : gain;
      found = by_size(l, now.rate * times) && found;
    }
    // The norms of what grows without bounds overflow before it does.
    found = found && std::isfinite(elementwise::square_norm<T>(team_, layers_[l - 1].W));
  }
  return found;
}

#define DLADMM_INSTANTIATE(T) template bool Trainer<T>::take_proximal_steps(const Step&);
DLADMM_INSTANTIATE(float)
DLADMM_INSTANTIATE(double)
#undef DLADMM_INSTANTIATE

}  // namespace dladmm
