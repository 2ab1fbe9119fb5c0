// The layered splitting before a sweep: its first variables, XᵀX, and all that is kept found afresh.
#include <algorithm>

#include "core/functions/normals.hpp"
#include "core/layered/pass.hpp"
#include "core/layered/state.hpp"

namespace dladmm {

template <typename T>
void LayeredState<T>::start(const Start& start) {
  const AtWork here;
  const std::size_t outputs = setup_.network.widths.back();
  x_version_.advance();
  const auto fill_at_random = [&](std::uint64_t stream, MatrixView<T> m) {
    pass({}, {m}, [&](unsigned, Rows rows, Partial&) {
      const MatrixView<T> own = rows_of(m, rows);
      for (std::size_t i = 0; i < rows.count; ++i) {
        fill_normals<T>(start.seed, stream, setup_.share.first + rows.first + i, {own.row(i), m.columns});
      }
    });
  };
  for (std::size_t l = 1; l <= depth(); ++l) {
    Layer& it = layer(l);
    const bool at_random = is_output(l) ? start.output == OutputStart::gaussian : start.hidden == HiddenStart::gaussian;
    if (at_random) {
      fill_at_random(2 * l, it.z.view());
      if (!is_output(l)) fill_at_random(2 * l + 1, it.a.view());
    } else {
      pass({product(l)}, {it.z.view(), it.a.view()}, [&](unsigned, Rows rows, Partial&) {
        const auto z = rows_of(it.z.view(), rows);
        elementwise::add_bias<T>(rows_of(it.P.view(), rows), it.b, z);
        if (!is_output(l)) elementwise::activate<T>(function(), z, rows_of(it.a.view(), rows));
      });
    }
    version(Block::z, l).advance();
    if (!is_output(l)) overwrote_a(l);
  }
  const MatrixView<T> z = layer(depth()).z.view();
  pass({}, {}, [&](unsigned member, Rows rows, Partial&) {
    const OutputWork work(spaces_[member].work, outputs);
    for (std::size_t i = rows.first; i < rows.first + rows.count; ++i) {
      if (start.output == OutputStart::signed_labels) {
        for (std::size_t j = 0; j < outputs; ++j) {
          z.row(i)[j] = setup_.network.loss.is_on(labels_[i], j, outputs) ? T(1) : T(-1);
        }
      }
      std::fill_n(u_.view().row(i), outputs, T(0));
      if (start.dual == DualStart::zero) continue;
      std::copy_n(z.row(i), outputs, work.z.begin());
      loss_and_gradient(setup_.network.loss, work.z, targets().of(i, work.target), work.gradient);
      for (std::size_t j = 0; j < outputs; ++j) u_.view().row(i)[j] = static_cast<T>(-work.gradient[j]);
    }
  });
  u_version_.advance();
}

// C = XᵀX and Σ X.
template <typename T>
const Matrix<T>& LayeredState<T>::gram() {
  if (gram_made_ == Stamp(x_version_)) return gram_;
  const std::size_t n = gram_.rows();
  summing_pass({activation(0)}, 1, 0, true, [&](Rows rows, Partial& partial, MatrixView<T>) {
    elementwise::add_columns<T>(rows_of(x_.view(), rows), std::span(partial.columns[0]).first(n));
  });
  sums_.columns(0, input_sums_, 1, 0);
  sums_.gram(team_, gram_.view());
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < i; ++j) gram_.view().row(j)[i] = gram_.view().row(i)[j];
  }
  gram_made_ = Stamp(x_version_);
  return gram_;
}

template <typename T>
void LayeredState<T>::refresh() {
  need_start(x_version_);
  const AtWork here;
  bring_activations();
  for (std::size_t l = 1; l <= depth(); ++l) {
    Layer& it = layer(l);
    // All afresh: nothing but the variables themselves decides what comes after a refresh.
    it.P_holds = it.differences_made = {};
    it.residual.forget();
    it.activation.forget();
    bring(product(l));
  }
  output_.forget();
  direction_made_ = {};
}

#define DLADMM_INSTANTIATE(T)                         \
  template void LayeredState<T>::start(const Start&); \
  template const Matrix<T>& LayeredState<T>::gram();  \
  template void LayeredState<T>::refresh();
DLADMM_INSTANTIATE(float)
DLADMM_INSTANTIATE(double)
#undef DLADMM_INSTANTIATE

}  // namespace dladmm
