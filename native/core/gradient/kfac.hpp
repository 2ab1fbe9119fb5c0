// K-FAC (J. Martens, R. Grosse, ICML 2015, arXiv 1503.05671), with length, momentum and damping of a step from the
// quadratic model of the batch, as the authors' library has it (google-deepmind/kfac-jax). A sample's ã_{l-1} has a one
// behind it; v_l are multipliers for labels that the model draws (draw.hpp); F is the loss with (λ₂/2)‖θ‖².
//
//   A_l ← ε A_l + Σ ã ãᵀ / B,  S_l ← ε S_l + Σ v vᵀ / B,  n ← ε n + 1;  the factors are A_l / n and S_l / n
//   every `inverse_every` steps  (A_l/n + π √λ' I)⁻¹,  (S_l/n + √λ'/π I)⁻¹,  λ' = λ + λ₂,
//                                π² = tr(A_l) n_l / (tr(S_l) (n_{l-1} + 1))
//   Δ_l = (S_l/n + …)⁻¹ ∂F/∂[W_l b_l] (A_l/n + …)⁻¹
//   V ← −α Δ + μ V,  θ ← θ + V: α and μ minimise M(V) + (λ/2)‖V‖²,
//   M(V) = ½ Vᵀ(C + λ₂ I)V + ⟨∇F, V⟩, C the Fisher matrix of the batch: Σ żᵀ(∇²R) ż / B, ż how z_L moves with V
//   every `damping_every` steps  ρ = (F(θ + V) − F(θ)) / M(V) on the same batch;
//                                λ ← λ / ω where ρ < ¼, λ ω where ρ > ¾,  ω = `damping_decay`^`damping_every`
//
// Samples of weight w: R and the summands of all sums over the samples times w. Of a batch that lies on several ranks
// each forms the sums over its samples; Δ, V and the inverses are found on every rank.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/functions/elementwise.hpp"
#include "core/gradient/draw.hpp"
#include "core/gradient/network.hpp"
#include "core/gradient/optimiser.hpp"
#include "core/linalg/cholesky.hpp"
#include "core/linalg/gram_solver.hpp"
#include "core/linalg/section.hpp"
#include "core/linalg/tiled.hpp"
#include "core/runtime/ranks.hpp"

namespace dladmm {

struct Kfac {
  double damping = 150;  // λ to begin with
  double damping_decay = 0.95;
  std::size_t damping_every = 5;
  double factor_memory = 0.95;  // ε
  std::size_t inverse_every = 5;
  double weight_decay = 1e-5;  // λ₂

  // V_l, n_l x (n_{l-1} + 1) behind each other.
  [[nodiscard]] std::size_t gradients() const { return 1; }
  [[nodiscard]] std::size_t states() const { return 1; }
  [[nodiscard]] double initial_state() const { return 0; }

  static constexpr double kLeastDamping = 1e-8;
};

// No entry is moved by itself.
template <typename T>
bool apply(const Kfac& /*method*/, const Step& /*step*/, const Slice<T>& /*slice*/) {
  return true;
}

// Of a layer and the samples of a batch that are here, B of them.
template <typename T>
struct KfacLayer {
  MatrixView<T> w, velocity;     // n_l x n_{l-1}; V_l
  MatrixView<const T> g;         // ∂/∂W_l without decay
  std::span<T> b;                // n_l
  std::span<const T> gb;         // ∂/∂b_l
  MatrixView<const T> input, y;  // a_{l-1}, B x n_{l-1}; what f'(z_l) is told from, B x n_l
  MatrixView<const T> drawn;     // √w v_l, B x n_l
};

template <typename T>
class KfacFactors {
 public:
  template <typename Plan>
  void declare(Plan& plan, const Network& net, std::size_t batch) {
    layers_.resize(net.layers());
    std::size_t inputs = 0, outputs = 0, joint = 0, all = 0;
    for (std::size_t l = 1; l <= net.layers(); ++l) {
      const std::size_t in = net.inputs(l) + 1, out = net.outputs(l);
      Layer& it = layers_[l - 1];
      for (Matrix<T>* const each : {&it.inner, &it.inner_inverse}) plan.matrix(*each, in, in);
      for (Matrix<T>* const each : {&it.outer, &it.outer_inverse}) plan.matrix(*each, out, out);
      it.first = all;
      all += in * out;
      inputs = std::max(inputs, in);
      outputs = std::max(outputs, out);
      joint = std::max(joint, in * out);
    }
    plan.buffer(step_, all);
    for (Buffer<T>* const each : {&gradient_, &half_}) plan.buffer(*each, joint);
    plan.buffer(input_, batch, inputs);
    for (auto& pair : tangents_) {
      for (Buffer<T>& each : pair) plan.buffer(each, batch, outputs);
    }
    plan.made(solver_, typename GramSolver<T>::Room{.size = std::max(inputs, outputs)});
  }

  void reset(const Kfac& method) {
    for (Layer& it : layers_) {
      for (Matrix<T>* const each : {&it.inner, &it.outer, &it.inner_inverse, &it.outer_inverse}) {
        std::ranges::fill(each->flat(), T(0));
      }
    }
    weight_ = 0;
    damping_ = method.damping;
  }

  void add_sections(std::vector<Section>& out) {
    for (std::size_t l = 1; l <= layers_.size(); ++l) {
      Layer& it = layers_[l - 1];
      out.push_back(section(section_name("inner", l), it.inner));
      out.push_back(section(section_name("outer", l), it.outer));
      out.push_back(section(section_name("inner.inverse", l), it.inner_inverse));
      out.push_back(section(section_name("outer.inverse", l), it.outer_inverse));
    }
    out.push_back(section("factors", weight_));
    out.push_back(section("damping", damping_));
  }

  [[nodiscard]] double damping() const { return damping_; }

  // The factors, and where it is due their inverses; of(l) is a KfacLayer, root(i) = √w of row i. False where they are
  // not finite. A batch has `batch` samples on all ranks.
  template <typename Of, typename RootOf>
  [[nodiscard]] bool take_in(Team& team, const Kfac& method, std::uint64_t number, std::size_t batch,
                             const Share& ranks, Of&& of, RootOf&& root) {
    weight_ = method.factor_memory * weight_ + 1;
    // What there is already enters the sum over the ranks once.
    const T keep = ranks.ranks == nullptr || ranks.ranks->rank() == 0 ? static_cast<T>(method.factor_memory) : T(0);
    const T share = static_cast<T>(1 / static_cast<double>(batch));
    for (std::size_t l = 1; l <= layers_.size(); ++l) {
      Layer& it = layers_[l - 1];
      const KfacLayer<T> here = of(l);
      const MatrixView<T> input = with_ones(team, here.input, root);
      // (n_{l-1} + 1) x (n_{l-1} + 1) += (B x (n_{l-1} + 1))ᵀ(B x (n_{l-1} + 1)); n_l x n_l += (B x n_l)ᵀ(B x n_l)
      add_products(team, share, input, keep, it.inner);
      add_products(team, share, here.drawn, keep, it.outer);
      ranks.sum(it.inner.flat());
      ranks.sum(it.outer.flat());
      if ((number - 1) % method.inverse_every != 0) continue;
      const double inner = mean_eigenvalue(it.inner), outer = mean_eigenvalue(it.outer);
      // The share of the mean eigenvalue that is added to each.
      const double most = damping_ + method.weight_decay;
      const double added = inner * outer > 0 ? std::sqrt(most / (inner * outer)) : std::sqrt(most);
      if (!invert(team, it.inner, added, it.inner_inverse) || !invert(team, it.outer, added, it.outer_inverse)) {
        return false;
      }
    }
    return true;
  }

  // V and θ; moment(i, member, f) calls f(c, s, w, r) with E v vᵀ = diag(c) + s r rᵀ of row i, of weight w. False where
  // something is not finite.
  template <typename Of, typename Moment>
  [[nodiscard]] bool move(Team& team, const Kfac& method, const Activation& f, std::size_t batch, const Share& ranks,
                          Of&& of, Moment&& moment) {
    // Of Δ and V: products with ∇F, with each other, and through C.
    std::array<double, 2> slope{};
    std::array<double, 3> norms{};
    for (std::size_t l = 1; l <= layers_.size(); ++l) direct(team, method, l, of(l), slope, norms);
    std::array<double, 3> curved{};
    if (of(1).input.rows > 0) curved = curvature(team, f, of, moment);
    ranks.sum(std::span<double>(curved));
    for (double& each : curved) each /= static_cast<double>(batch);
    const std::array<double, 2> by = lengths(method, slope, norms, curved);
    const auto quadratic = [&](const std::array<double, 3>& m) {
      return by[0] * by[0] * m[0] + 2 * by[0] * by[1] * m[1] + by[1] * by[1] * m[2];
    };
    expected_ = (quadratic(curved) + method.weight_decay * quadratic(norms)) / 2 + by[0] * slope[0] + by[1] * slope[1];
    bool finite = std::isfinite(expected_);
    for (std::size_t l = 1; l <= layers_.size(); ++l) {
      const KfacLayer<T> here = of(l);
      const MatrixView<T> delta = step_of(l, here);
      const T a = static_cast<T>(by[0]), m = static_cast<T>(by[1]);
      const double lost = sum_pieces<double>(team, delta.rows, delta.columns, [&](Rows rows, unsigned) {
        const MatrixView<T> v = here.velocity.rows_from(rows);
        entrywise::each([a, m](T d, T& to) DLADMM_INLINE { to = a * d + m * to; }, delta.rows_from(rows), v);
        bool own = entrywise::all_finite<T>([](T& w, T dw) DLADMM_INLINE { return w += dw; }, here.w.rows_from(rows),
                                            window(v, {0, v.rows}, {0, v.columns - 1}));
        for (std::size_t i = 0; i < rows.count; ++i) {
          T& b = here.b[rows.first + i];
          b += v.row(i)[v.columns - 1];
          own = own && std::isfinite(b);
        }
        return own ? 0.0 : 1.0;
      });
      finite = finite && lost == 0;
    }
    return finite;
  }

  // ½ ‖θ‖²
  template <typename Of>
  [[nodiscard]] double half_square(Team& team, Of&& of) const {
    double sum = 0;
    for (std::size_t l = 1; l <= layers_.size(); ++l) {
      const KfacLayer<T> here = of(l);
      sum += elementwise::square_norm<T>(team, here.w);
      sum += elementwise::square_norm<T>(MatrixView<const T>(here.b.data(), 1, here.b.size()));
    }
    return sum / 2;
  }

  // λ by what F changed over the last step.
  void adapt(const Kfac& method, double change) {
    const double ratio = change / expected_;
    const double factor = std::pow(method.damping_decay, static_cast<double>(method.damping_every));
    if (!(ratio >= 0.25)) damping_ /= factor;
    if (ratio > 0.75) damping_ *= factor;
    damping_ = std::max(damping_, Kfac::kLeastDamping);
  }

 private:
  using Op = blas::Op;

  struct Layer {
    Matrix<T> inner, outer;                  // A_l, S_l
    Matrix<T> inner_inverse, outer_inverse;  // as they were last found
    std::size_t first = 0;                   // of Δ_l in step_
  };

  [[nodiscard]] MatrixView<T> step_of(std::size_t l, const KfacLayer<T>& here) const {
    return {step_.data() + layers_[l - 1].first, here.w.rows, here.w.columns + 1};
  }

  // root(i) (a, 1) of each row
  template <typename RootOf>
  [[nodiscard]] MatrixView<T> with_ones(Team& team, MatrixView<const T> a, RootOf&& root) const {
    const MatrixView<T> out(input_.data(), a.rows, a.columns + 1);
    each_piece(team, out.rows, out.columns, [&](Rows rows, unsigned) {
      for (std::size_t i = rows.first; i < rows.first + rows.count; ++i) {
        const T factor = static_cast<T>(root(i));
        for (std::size_t j = 0; j < a.columns; ++j) out.row(i)[j] = factor * a.row(i)[j];
        out.row(i)[a.columns] = factor;
      }
    });
    return out;
  }

  // M <- keep M + factor AᵀA
  static void add_products(Team& team, T factor, MatrixView<const T> a, T keep, const Matrix<T>& m) {
    if (a.rows > 0) return sum_products<T>(team, factor, a, a, keep, m.view());
    for (T& each : m.flat()) each *= keep;
  }

  [[nodiscard]] double mean_eigenvalue(const Matrix<T>& factor) const {
    double trace = 0;
    for (std::size_t i = 0; i < factor.rows(); ++i) trace += static_cast<double>(factor.view().row(i)[i]);
    return trace / weight_ / static_cast<double>(factor.rows());
  }

  // inverse <- (M/n + share · mean eigenvalue I)⁻¹; where the trace is 0, 1 is in place of it.
  [[nodiscard]] bool invert(Team& team, const Matrix<T>& factor, double share, const Matrix<T>& inverse) {
    const std::size_t n = factor.rows();
    const T mean = static_cast<T>(1 / weight_);
    const auto fill = [&](MatrixView<T> to) {
      each_piece(team, n, n, [&](Rows rows, unsigned) {
        for (std::size_t i = rows.first; i < rows.first + rows.count; ++i) {
          for (std::size_t j = 0; j <= i; ++j) to.row(i)[j] = mean * factor.view().row(i)[j];
        }
      });
    };
    if (!solver_.prepare(team, Inversion::cholesky, n, share / static_cast<double>(n), fill)) return false;
    cholesky_invert<T>(team, solver_.room(n), inverse.view());
    return true;
  }

  // Δ_l, and what it adds to the products.
  void direct(Team& team, const Kfac& method, std::size_t l, const KfacLayer<T>& here, std::array<double, 2>& slope,
              std::array<double, 3>& norms) {
    const Layer& it = layers_[l - 1];
    const std::size_t inputs = here.w.columns;
    const MatrixView<T> g(gradient_.data(), here.w.rows, inputs + 1);
    const MatrixView<T> half(half_.data(), g.rows, g.columns);
    const MatrixView<T> delta = step_of(l, here);
    const T decay = static_cast<T>(method.weight_decay);
    each_piece(team, g.rows, g.columns, [&](Rows rows, unsigned) {
      const MatrixView<T> own = g.rows_from(rows);
      entrywise::each([decay](T gi, T w, T& to) DLADMM_INLINE { to = gi + decay * w; }, here.g.rows_from(rows),
                      MatrixView<const T>(here.w.rows_from(rows)), window(own, {0, own.rows}, {0, inputs}));
      for (std::size_t i = 0; i < rows.count; ++i) {
        own.row(i)[inputs] = here.gb[rows.first + i] + decay * here.b[rows.first + i];
      }
    });
    // n_l x (n_{l-1} + 1), times the inverse on the right, then on the left
    multiply<T>(team, Op::none, Op::none, T(1), g, it.inner_inverse.view(), T(0), half);
    multiply<T>(team, Op::none, Op::none, T(1), it.outer_inverse.view(), half, T(0), delta);
    const auto product = [&](MatrixView<const T> a, MatrixView<const T> b) {
      return sum_pieces<double>(team, a.rows, a.columns, [&](Rows rows, unsigned) {
        return elementwise::inner_product<T>(a.rows_from(rows), b.rows_from(rows));
      });
    };
    const MatrixView<const T> v = here.velocity;
    slope[0] += product(g, delta);
    slope[1] += product(g, v);
    norms[0] += product(delta, delta);
    norms[1] += product(delta, v);
    norms[2] += product(v, v);
  }

  // ΔᵀCΔ, ΔᵀCV, VᵀCV, summed over the samples here.
  template <typename Of, typename Moment>
  [[nodiscard]] std::array<double, 3> curvature(Team& team, const Activation& f, Of&& of, Moment&& moment) {
    std::size_t at = 0;  // which of the two rooms ż_{l-1} is in
    for (std::size_t l = 1; l <= layers_.size(); ++l, at = 1 - at) {
      const KfacLayer<T> here = of(l);
      const std::size_t count = here.input.rows;
      const MatrixView<T> input = with_ones(team, here.input, [](std::size_t) { return 1.0; });
      for (const std::size_t which : {std::size_t{0}, std::size_t{1}}) {
        const MatrixView<T> to = tangent(which, 1 - at, count, here.w.rows);
        // ż_l: B x n_l <- (B x (n_{l-1} + 1))(n_l x (n_{l-1} + 1))ᵀ += (B x n_{l-1})(n_l x n_{l-1})ᵀ
        multiply<T>(team, Op::none, Op::transpose, T(1), input, which == 0 ? step_of(l, here) : here.velocity, T(0),
                    to);
        if (l > 1) {
          multiply<T>(team, Op::none, Op::transpose, T(1), tangent(which, at, count, here.w.columns), here.w, T(1), to);
        }
        if (l == layers_.size()) continue;
        each_piece(team, to.rows, to.columns, [&](Rows rows, unsigned) {
          elementwise::times_derivative<T>(f, to.rows_from(rows), here.y.rows_from(rows));
        });
      }
    }
    const KfacLayer<T> last = of(layers_.size());
    const MatrixView<const T> one = tangent(0, at, last.input.rows, last.w.rows);
    const MatrixView<const T> other = tangent(1, at, last.input.rows, last.w.rows);
    const Three sum = sum_pieces<Three>(team, one.rows, one.columns, [&](Rows rows, unsigned member) {
      Three own;
      for (std::size_t i = rows.first; i < rows.first + rows.count; ++i) {
        moment(i, member, [&](std::span<const double> c, double s, double weight, std::span<const double> r) {
          Three row;
          double p = 0, q = 0;
          for (std::size_t j = 0; j < c.size(); ++j) {
            const double d = static_cast<double>(one.row(i)[j]), v = static_cast<double>(other.row(i)[j]);
            row += {{c[j] * d * d, c[j] * d * v, c[j] * v * v}};
            p += r[j] * d;
            q += r[j] * v;
          }
          row += {{s * p * p, s * p * q, s * q * q}};
          for (std::size_t k = 0; k < 3; ++k) own.of[k] += weight * row.of[k];
        });
      }
      return own;
    });
    return sum.of;
  }

  struct Three {
    std::array<double, 3> of{};
    Three& operator+=(const Three& more) {
      for (std::size_t k = 0; k < 3; ++k) of[k] += more.of[k];
      return *this;
    }
  };

  [[nodiscard]] MatrixView<T> tangent(std::size_t which, std::size_t at, std::size_t rows, std::size_t columns) const {
    return {tangents_[which][at].data(), rows, columns};
  }

  // −α and μ. Where V says nothing that Δ does not, Δ alone.
  [[nodiscard]] std::array<double, 2> lengths(const Kfac& method, const std::array<double, 2>& slope,
                                              const std::array<double, 3>& norms,
                                              const std::array<double, 3>& curved) const {
    std::array<double, 3> m{};
    for (std::size_t k = 0; k < 3; ++k) m[k] = curved[k] + (method.weight_decay + damping_) * norms[k];
    const double determinant = m[0] * m[2] - m[1] * m[1];
    if (determinant > 1e-12 * m[0] * m[2]) {
      return {(m[1] * slope[1] - m[2] * slope[0]) / determinant, (m[1] * slope[0] - m[0] * slope[1]) / determinant};
    }
    return {m[0] > 0 ? -slope[0] / m[0] : 0, 0};
  }

  std::vector<Layer> layers_;
  double weight_ = 0;    // n
  double damping_ = 0;   // λ
  double expected_ = 0;  // M(V) of the last step
  Buffer<T> step_;       // Δ
  Buffer<T> gradient_, half_;
  Buffer<T> input_;                                   // ã
  std::array<std::array<Buffer<T>, 2>, 2> tangents_;  // ż of Δ and of V, in turns
  GramSolver<T> solver_;
};

}  // namespace dladmm
