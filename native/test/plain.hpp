// The algorithm written as simply as it can be, in double: nothing is kept, every product is multiplied afresh, every
// step size is found by trial. The oracle for core/layered.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "core/gradient/network.hpp"
#include "core/layered/types.hpp"
#include "test/activations.hpp"

namespace dladmm::test {

struct Mat {
  std::size_t rows = 0;
  std::size_t columns = 0;
  std::vector<double> values;

  Mat() = default;
  Mat(std::size_t rows_, std::size_t columns_) : rows(rows_), columns(columns_), values(rows_ * columns_, 0.0) {}
  double& operator()(std::size_t i, std::size_t j) { return values[i * columns + j]; }
  double operator()(std::size_t i, std::size_t j) const { return values[i * columns + j]; }
};

// A Bᵀ
inline Mat times_transposed(const Mat& a, const Mat& b) {
  Mat c(a.rows, b.rows);
  for (std::size_t i = 0; i < a.rows; ++i) {
    for (std::size_t j = 0; j < b.rows; ++j) {
      for (std::size_t k = 0; k < a.columns; ++k) c(i, j) += a(i, k) * b(j, k);
    }
  }
  return c;
}

// A B
inline Mat times(const Mat& a, const Mat& b) {
  Mat c(a.rows, b.columns);
  for (std::size_t i = 0; i < a.rows; ++i) {
    for (std::size_t k = 0; k < a.columns; ++k) {
      for (std::size_t j = 0; j < b.columns; ++j) c(i, j) += a(i, k) * b(k, j);
    }
  }
  return c;
}

// Aᵀ B
inline Mat transposed_times(const Mat& a, const Mat& b) {
  Mat c(a.columns, b.columns);
  for (std::size_t k = 0; k < a.rows; ++k) {
    for (std::size_t i = 0; i < a.columns; ++i) {
      for (std::size_t j = 0; j < b.columns; ++j) c(i, j) += a(k, i) * b(k, j);
    }
  }
  return c;
}

inline double square_norm(const Mat& a) {
  double sum = 0;
  for (const double value : a.values) sum += value * value;
  return sum;
}

// a − factor b
inline Mat minus(const Mat& a, double factor, const Mat& b) {
  Mat c = a;
  for (std::size_t i = 0; i < c.values.size(); ++i) c.values[i] -= factor * b.values[i];
  return c;
}

// min R(z_L) + Σ Ω + penalties, and dlADMM's updates on it. Vectors are indexed by layer; index 0 is unused but for
// a[0] = X.
struct Plain {
  Network network;
  Multiplier multiplier = Multiplier::residual;
  bool joint_bias = false;
  Steps steps;
  std::vector<std::int32_t> labels;  // cross-entropy
  Mat values;                        // squared error
  std::vector<Mat> W, z, a;
  std::vector<std::vector<double>> b;
  Mat u;

  struct Step {
    double size = 0;
    double kappa = 0;
    double step_norm = 0;
    int steps = 0;
  };

  [[nodiscard]] std::size_t depth() const { return network.layers(); }
  [[nodiscard]] std::size_t samples() const { return a[0].rows; }
  // Whether u stands in the constraint of layer l.
  [[nodiscard]] bool multiplied(std::size_t l) const { return l == depth() && multiplier == Multiplier::residual; }
  [[nodiscard]] StepKind step_of_W(std::size_t l) const {
    return steps.W.empty() ? StepKind::quadratic : steps.W[l - 1];
  }
  [[nodiscard]] StepKind step_of_a(std::size_t l) const {
    return steps.a.empty() ? StepKind::quadratic : steps.a[l - 1];
  }
  [[nodiscard]] double f(double x) const { return value_of(network.activation, x); }
  [[nodiscard]] double penalty(std::size_t l, const Penalties& p) const { return l == depth() ? p.rho : p.nu; }

  // W_l a_{l-1} + b_l, sample by sample
  [[nodiscard]] Mat linear(std::size_t l) const {
    Mat m = times_transposed(a[l - 1], W[l]);
    for (std::size_t i = 0; i < m.rows; ++i) {
      for (std::size_t j = 0; j < m.columns; ++j) m(i, j) += b[l][j];
    }
    return m;
  }

  // R of one sample's outputs x, and ∇R.
  double loss_of(std::size_t sample, const std::vector<double>& x, std::vector<double>& gradient) const {
    gradient.assign(x.size(), 0.0);
    double loss = 0;
    if (network.loss.kind == LossKind::squared_error) {
      for (std::size_t j = 0; j < x.size(); ++j) {
        gradient[j] = x[j] - values(sample, j);
        loss += gradient[j] * gradient[j] / 2;
      }
      return loss;
    }
    if (network.loss.kind == LossKind::hinge) {
      for (std::size_t j = 0; j < x.size(); ++j) {
        const bool on = network.loss.is_on(labels[sample], j, x.size());
        const double miss = on ? 1 - x[j] : x[j];
        loss += std::max(miss, 0.0);
        gradient[j] = miss > 0 ? (on ? -1 : 1) : 0;
      }
      return loss;
    }
    const double top = *std::max_element(x.begin(), x.end());
    double sum = 0;
    for (const double value : x) sum += std::exp(value - top);
    for (std::size_t j = 0; j < x.size(); ++j) gradient[j] = std::exp(x[j] - top) / sum;
    const auto label = static_cast<std::size_t>(labels[sample]);
    gradient[label] -= 1;
    return top + std::log(sum) - x[label];
  }

  [[nodiscard]] std::vector<double> row(const Mat& m, std::size_t i) const {
    return {m.values.begin() + static_cast<std::ptrdiff_t>(i * m.columns),
            m.values.begin() + static_cast<std::ptrdiff_t>((i + 1) * m.columns)};
  }

  void start(bool signed_labels, bool stationary_dual) {
    z.assign(depth() + 1, {});
    a.resize(depth());
    for (std::size_t l = 1; l <= depth(); ++l) {
      z[l] = linear(l);
      if (l == depth()) continue;
      a[l] = z[l];
      for (double& value : a[l].values) value = f(value);
    }
    Mat& out = z[depth()];
    u = Mat(out.rows, out.columns);
    for (std::size_t i = 0; i < out.rows; ++i) {
      for (std::size_t j = 0; j < out.columns && signed_labels; ++j) {
        out(i, j) = network.loss.is_on(labels[i], j, out.columns) ? 1 : -1;
      }
      if (!stationary_dual) continue;
      std::vector<double> gradient;
      loss_of(i, row(out, i), gradient);
      for (std::size_t j = 0; j < out.columns; ++j) u(i, j) = -gradient[j];
    }
  }

  // The first of start, start growth, start growth², … for which φ(x − s/(size + λ)) ≤ its model, or the smallest of
  // all; `rise(step)` is what φ has above its linearisation, `kappa` the smallest size.
  template <typename Rise>
  static double search(const Penalties& p, double start, double l2, double kappa, const Mat& s, Rise&& rise) {
    if (p.search == StepSearch::exact) return kappa;
    double size = start;
    for (;; size *= p.growth) {
      Mat step = s;
      for (double& value : step.values) value /= size + l2;
      if (rise(step) <= size / 2 * square_norm(step)) return size;
    }
  }

  Step update_W(std::size_t l, const Penalties& p) {
    const double weight = penalty(l, p);
    Mat r = minus(linear(l), 1, z[l]);
    for (double& value : r.values) value *= weight;
    if (multiplied(l)) r = minus(r, 1, u);
    const Mat s = minus(transposed_times(r, a[l - 1]), -p.l2, W[l]);
    if (square_norm(s) == 0) return {p.theta0, 0, 0, 0};
    Step out;
    out.kappa = weight * square_norm(times_transposed(a[l - 1], s)) / square_norm(s);
    out.size = search(p, p.theta0, p.l2, out.kappa, s,
                      [&](const Mat& step) { return weight / 2 * square_norm(times_transposed(a[l - 1], step)); });
    W[l] = minus(W[l], 1 / (out.size + p.l2), s);
    out.step_norm = square_norm(s) / ((out.size + p.l2) * (out.size + p.l2));
    return out;
  }

  Step update_b(std::size_t l, const Penalties& p) {
    const Mat product = times_transposed(a[l - 1], W[l]);
    for (std::size_t j = 0; j < b[l].size(); ++j) {
      double sum = 0;
      for (std::size_t i = 0; i < samples(); ++i) {
        sum += z[l](i, j) - product(i, j);
        if (multiplied(l)) sum += u(i, j) / p.rho;
      }
      b[l][j] = sum / static_cast<double>(samples());
    }
    return {};
  }

  // What W_l a_{l-1} is to be near to.
  [[nodiscard]] Mat target(std::size_t l, const Penalties& p) const {
    Mat t = z[l];
    for (std::size_t i = 0; i < t.rows; ++i) {
      for (std::size_t j = 0; j < t.columns; ++j) {
        if (!joint_bias) t(i, j) -= b[l][j];
        if (multiplied(l)) t(i, j) += u(i, j) / p.rho;
      }
    }
    return t;
  }

  // The stationary point of the quadratic in W_l, by elimination on its normal equations.
  Step update_W_exactly(std::size_t l, const Penalties& p) {
    Mat in(samples(), a[l - 1].columns + (joint_bias ? 1 : 0));
    for (std::size_t i = 0; i < in.rows; ++i) {
      for (std::size_t k = 0; k < in.columns; ++k) in(i, k) = k < a[l - 1].columns ? a[l - 1](i, k) : 1;
    }
    const Mat right = transposed_times(target(l, p), in);
    const Mat gram = transposed_times(in, in);
    for (std::size_t j = 0; j < right.rows; ++j) {
      Mat h(in.columns, in.columns + 1);
      for (std::size_t i = 0; i < in.columns; ++i) {
        for (std::size_t k = 0; k < in.columns; ++k) h(i, k) = gram(i, k) + (i == k ? p.l2 / penalty(l, p) : 0);
        h(i, in.columns) = right(j, i);
      }
      const std::vector<double> w = eliminate(h);
      for (std::size_t k = 0; k < a[l - 1].columns; ++k) W[l](j, k) = w[k];
      if (joint_bias) b[l][j] = w.back();
    }
    return {};
  }

  Step update_a_exactly(std::size_t l, const Penalties& p) {
    const double weight = penalty(l + 1, p);
    Mat t = z[l + 1];
    for (std::size_t i = 0; i < t.rows; ++i) {
      for (std::size_t j = 0; j < t.columns; ++j) {
        t(i, j) += (multiplied(l + 1) ? u(i, j) / p.rho : 0) - b[l + 1][j];
      }
    }
    const Mat right = times(t, W[l + 1]);
    const Mat gram = transposed_times(W[l + 1], W[l + 1]);
    const std::size_t n = right.columns;
    for (std::size_t i = 0; i < right.rows; ++i) {
      Mat h(n, n + 1);
      for (std::size_t j = 0; j < n; ++j) {
        for (std::size_t k = 0; k < n; ++k) h(j, k) = weight * gram(j, k) + (j == k ? p.gamma : 0);
        h(j, n) = weight * right(i, j) + p.gamma * f(z[l](i, j));
      }
      const std::vector<double> row_of_a = eliminate(h);
      std::copy(row_of_a.begin(), row_of_a.end(), &a[l](i, 0));
    }
    return {};
  }

  // The deepest minimum by a grid; within two of its steps, where the derivative changes its sign.
  template <typename Cost, typename Derivative>
  static double smallest(Cost&& cost, Derivative&& derivative, double low, double high) {
    constexpr int points = 1000;
    const double step = (high - low) / points;
    double best = low;
    for (int i = 1; i <= points; ++i) best = cost(low + i * step) < cost(best) ? low + i * step : best;
    low = best - step;
    high = best + step;
    for (int i = 0; i < 60; ++i) {
      const double middle = low + (high - low) / 2;
      (derivative(middle) < 0 ? low : high) = middle;
    }
    return low;
  }

  Step update_hidden_z(std::size_t l, const Penalties& p) {
    const double ratio = p.gamma / p.nu;
    const Mat m = linear(l);
    const double s = network.activation.slope;
    for (std::size_t i = 0; i < m.values.size(); ++i) {
      const double mi = m.values[i];
      const double ai = a[l].values[i];
      const auto cost = [&](double x) { return (x - mi) * (x - mi) + ratio * (ai - f(x)) * (ai - f(x)); };
      if (network.activation.is_smooth()) {
        const auto derivative = [&](double x) {
          return x - mi + ratio * (f(x) - ai) * slope_of(network.activation, x);
        };
        const double reach = 1 + std::sqrt(cost(mi));
        z[l].values[i] = smallest(cost, derivative, mi - reach, mi + reach);
        continue;
      }
      const double below = std::min((mi + ratio * s * ai) / (1 + ratio * s * s), 0.0);
      const double above = std::max((mi + ratio * ai) / (1 + ratio), 0.0);
      z[l].values[i] = cost(below) <= cost(above) ? below : above;
    }
    return {};
  }

  Step update_a(std::size_t l, const Penalties& p) {
    const double weight = penalty(l + 1, p);
    Mat r = minus(linear(l + 1), 1, z[l + 1]);
    for (double& value : r.values) value *= weight;
    if (multiplied(l + 1)) r = minus(r, 1, u);
    Mat g = times(r, W[l + 1]);
    for (std::size_t i = 0; i < g.values.size(); ++i) g.values[i] += p.gamma * (a[l].values[i] - f(z[l].values[i]));
    if (square_norm(g) == 0) return {p.tau0, 0, 0, 0};
    const auto rise = [&](const Mat& step) {
      return weight / 2 * square_norm(times_transposed(step, W[l + 1])) + p.gamma / 2 * square_norm(step);
    };
    Step out;
    out.kappa = 2 * rise(g) / square_norm(g);
    out.size = search(p, p.tau0, 0, out.kappa, g, rise);
    a[l] = minus(a[l], 1 / out.size, g);
    out.step_norm = square_norm(g) / (out.size * out.size);
    return out;
  }

  // max(1 − z, 0) or max(z, 0), plus (ρ/2)(z − c)²: the best of the two vertices and the kink.
  [[nodiscard]] double hinge_minimiser(std::int32_t label, std::size_t j, std::size_t n, double c, double rho) const {
    const bool on = network.loss.is_on(label, j, n);
    const double kink = on ? 1 : 0;
    const auto cost = [&](double x) { return std::max(on ? 1 - x : x, 0.0) + rho / 2 * (x - c) * (x - c); };
    double best = kink;
    for (const double x : {c, on ? c + 1 / rho : c - 1 / rho}) best = cost(x) < cost(best) ? x : best;
    return best;
  }

  // Newton's method with dense elimination and a step halved until the objective falls.
  Step update_output_z(const Penalties& p) {
    const Mat m = linear(depth());
    const std::size_t n = m.columns;
    std::vector<double> gradient;
    for (std::size_t i = 0; i < samples(); ++i) {
      std::vector<double> x = row(z[depth()], i);
      if (network.loss.kind == LossKind::hinge) {
        for (std::size_t j = 0; j < n; ++j)
          z[depth()](i, j) = hinge_minimiser(labels[i], j, n, m(i, j) - u(i, j) / p.rho, p.rho);
        continue;
      }
      const auto value_at = [&](const std::vector<double>& at) {
        double value = loss_of(i, at, gradient);
        for (std::size_t j = 0; j < n; ++j) {
          value += u(i, j) * at[j] + p.rho / 2 * (at[j] - m(i, j)) * (at[j] - m(i, j));
        }
        return value;
      };
      for (int step = 0; step < 100; ++step) {
        const double value = value_at(x);
        std::vector<double> probability = gradient;
        const bool entropy = network.loss.kind == LossKind::softmax_cross_entropy;
        if (entropy) probability[static_cast<std::size_t>(labels[i])] += 1;
        Mat h(n, n + 1);
        double largest = 0;
        for (std::size_t j = 0; j < n; ++j) {
          const double g = gradient[j] + u(i, j) + p.rho * (x[j] - m(i, j));
          largest = std::max(largest, std::abs(g));
          h(j, n) = -g;
          for (std::size_t k = 0; k < n && entropy; ++k) h(j, k) = -probability[j] * probability[k];
          h(j, j) += p.rho + (entropy ? probability[j] : 1);
        }
        if (largest < 1e-14) break;
        const std::vector<double> d = eliminate(h);
        double t = 1;
        std::vector<double> trial(n);
        for (; t > 1e-10; t /= 2) {
          for (std::size_t j = 0; j < n; ++j) trial[j] = x[j] + t * d[j];
          if (value_at(trial) <= value || largest < 1e-7) break;
        }
        x = trial;
      }
      for (std::size_t j = 0; j < n; ++j) z[depth()](i, j) = x[j];
    }
    return {};
  }

  // Gauss without pivoting: the matrices are symmetric and positive definite.
  static std::vector<double> eliminate(Mat& h) {
    const std::size_t n = h.rows;
    for (std::size_t k = 0; k < n; ++k) {
      for (std::size_t i = k + 1; i < n; ++i) {
        const double factor = h(i, k) / h(k, k);
        for (std::size_t j = k; j <= n; ++j) h(i, j) -= factor * h(k, j);
      }
    }
    std::vector<double> x(n);
    for (std::size_t k = n; k-- > 0;) {
      x[k] = h(k, n);
      for (std::size_t j = k + 1; j < n; ++j) x[k] -= h(k, j) * x[j];
      x[k] /= h(k, k);
    }
    return x;
  }

  // FISTA on R(x) + (ρ/2)‖x − m + u/ρ‖², all samples sharing the stop.
  Step update_output_z_fista(const Penalties& p) {
    const Mat m = minus(linear(depth()), 1 / p.rho, u);
    Mat x = z[depth()];
    Mat y = x;
    std::vector<double> gradient;
    const auto objective = [&] {
      double value = p.rho / 2 * square_norm(minus(x, 1, m));
      for (std::size_t i = 0; i < samples(); ++i) value += loss_of(i, row(x, i), gradient);
      return value;
    };
    double before = 1e11;
    double value = objective();
    double t = 1;
    Step out;
    while (out.steps < p.fista.limit && !(std::abs(value - before) < p.fista.tolerance)) {
      const double t_next = (1 + std::sqrt(1 + 4 * t * t)) / 2;
      for (std::size_t i = 0; i < samples(); ++i) {
        loss_of(i, row(x, i), gradient);
        for (std::size_t j = 0; j < x.columns; ++j) {
          const double next =
              (p.rho * m(i, j) + (x(i, j) - p.fista.step * gradient[j]) / p.fista.step) / (p.rho + 1 / p.fista.step);
          x(i, j) = next + (t - 1) / t_next * (next - y(i, j));
          y(i, j) = next;
        }
      }
      t = t_next;
      before = value;
      value = objective();
      ++out.steps;
    }
    z[depth()] = x;
    return out;
  }

  Step update_u(const Penalties& p) {
    u = minus(u, -p.rho, minus(z[depth()], 1, linear(depth())));
    return {};
  }

  Step update(const Update& it, const Penalties& p) {
    switch (it.block) {
      case Block::W: {
        if (step_of_W(it.layer) != StepKind::quadratic) return update_W_exactly(it.layer, p);
        const Step step = update_W(it.layer, p);
        if (joint_bias) update_b(it.layer, p);
        return step;
      }
      case Block::b:
        return update_b(it.layer, p);
      case Block::a:
        return step_of_a(it.layer) == StepKind::quadratic ? update_a(it.layer, p) : update_a_exactly(it.layer, p);
      case Block::u:
        return update_u(p);
      case Block::z:
        break;
    }
    if (it.layer < depth()) return update_hidden_z(it.layer, p);
    return p.output == OutputSolver::fista ? update_output_z_fista(p) : update_output_z(p);
  }

  [[nodiscard]] Measures measure(const Penalties& p) const {
    Measures out;
    std::vector<double> gradient;
    for (std::size_t l = 1; l <= depth(); ++l) {
      const Mat r = minus(z[l], 1, linear(l));
      out.residual.push_back(square_norm(r));
      out.regularisation += p.l2 / 2 * square_norm(W[l]);
      for (const double value : b[l]) out.regularisation += joint_bias ? p.l2 / 2 * value * value : 0;
      out.lagrangian += penalty(l, p) / 2 * square_norm(r);
      if (l < depth()) {
        double sum = 0;
        for (std::size_t i = 0; i < z[l].values.size(); ++i) {
          const double miss = a[l].values[i] - f(z[l].values[i]);
          sum += miss * miss;
        }
        out.activation.push_back(sum);
        out.lagrangian += p.gamma / 2 * sum;
        continue;
      }
      for (std::size_t i = 0; i < samples(); ++i) {
        out.loss += loss_of(i, row(z[l], i), gradient);
        for (std::size_t j = 0; j < r.columns; ++j) {
          out.dual_product += u(i, j) * (multiplier == Multiplier::output ? z[l](i, j) : r(i, j));
          out.dual_norm += u(i, j) * u(i, j);
          double miss = gradient[j] + u(i, j);
          // At the kink every slope between 0 and the loss's own will do.
          if (network.loss.kind == LossKind::hinge) {
            const bool on = network.loss.is_on(labels[i], j, r.columns);
            if (z[l](i, j) == (on ? 1 : 0))
              miss = on ? std::max({u(i, j) - 1, -u(i, j), 0.0}) : std::max({-u(i, j) - 1, u(i, j), 0.0});
          }
          out.dual_identity = std::max(out.dual_identity, std::abs(miss));
        }
      }
    }
    out.lagrangian += out.loss + out.regularisation + out.dual_product;
    return out;
  }
};

}  // namespace dladmm::test
