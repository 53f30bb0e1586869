// What happens to a problem's weights before its passes: power iterations, composition, transposes, cut
// into tasks that do not depend on each other (see prepare_tasks).
#pragma once

#include "ops/discriminate/discriminate_team.h"

namespace kgf::discriminator {

template <class Team, class T>
struct Prepare {
  Team& team;
  const DiscriminatorLayout& layout;
  int passes;
  const T *weights, *u;
  T *u_next, *saved;
  T* scratch;       // weights_scratch, then room for `vectors`
  int64_t vectors;  // elements for a convolution's u and v; too few, and they stay in saved

  KGF_DEVICE T* pass_part(int pass) const {
    return saved + layout.problem_part() + int64_t{pass} * layout.pass_part();
  }

  // value / max(|value|, ε) is value times this.
  KGF_DEVICE static T inverse_norm(const T* squares) {
    const T norm = root(add_ends(squares));
    return 1 / (norm > T(norm_epsilon) ? norm : T(norm_epsilon));
  }

  KGF_DEVICE void sum_squares(const T* value, int count, T* squares) const {
    team.each(sum_ends, [&](int j) {
      T total = 0;
      for (int i = j; i < count; i += sum_ends) total += value[i] * value[i];
      squares[j] = total;
    });
  }

  // One power iteration a pass on W (rows, cols): v = normalize(Wᵀu), u = normalize(Wv), σ = uᵀWv.
  KGF_DEVICE void power_iterations(int l) const {
    const int rows = layout.fan_out(l), cols = layout.fan_in(l);
    const T* w = weights + layout.weight(l);
    const bool near = rounded(rows) + rounded(cols) <= vectors;
    T *parts = scratch, *squares = scratch + sum_parts, *vector = scratch + weights_scratch;
    T* const left = near ? vector + rounded(cols) : u_next + layout.u(l);
    const int slices = larger(1, smaller(8, sum_parts / cols));
    const int lanes = larger(1, smaller(8, sum_parts / rows));
    team.each(rows, [&](int o) { left[o] = u[layout.u(l) + o]; });
    for (int b = 0; b < passes; ++b) {
      T* const pass = pass_part(b);
      T* const saved_v = pass + layout.saved_v() + layout.v(l);
      T* const right = near ? vector : saved_v;
      team.sync();
      team.each(cols * slices, [&](int i) {
        const int t = i % cols, slice = i / cols;
        T total = 0;
        for (int o = slice; o < rows; o += slices) total += w[int64_t{o} * cols + t] * left[o];
        (slices > 1 ? parts : right)[i] = total;
      });
      team.sync();
      if (slices > 1) {
        team.each(cols, [&](int t) {
          T total = 0;
          for (int slice = 0; slice < slices; ++slice) total += parts[slice * cols + t];
          right[t] = total;
        });
        team.sync();
      }
      sum_squares(right, cols, squares);
      team.sync();
      team.each(rows * lanes, [&](int i) {
        const int o = i / lanes;
        T total = 0;
        for (int t = i % lanes; t < cols; t += lanes) total += w[int64_t{o} * cols + t] * right[t];
        (lanes > 1 ? parts : left)[i] = total * inverse_norm(squares);
      });
      team.sync();
      team.each(cols, [&](int t) { saved_v[t] = right[t] * inverse_norm(squares); });
      if (lanes > 1) {
        team.each(rows, [&](int o) {
          T total = 0;
          for (int lane = 0; lane < lanes; ++lane) total += parts[o * lanes + lane];
          left[o] = total;
        });
        team.sync();
      }
      sum_squares(left, rows, squares + sum_ends);
      team.sync();
      team.each(rows, [&](int o) {
        const T inverse = inverse_norm(squares + sum_ends);
        left[o] *= inverse;
        pass[layout.saved_u() + layout.u(l) + o] = left[o];
        if (b == passes - 1) u_next[layout.u(l) + o] = left[o];
        // u was Wv before it was normalised, so uᵀWv = |Wv|²/max(|Wv|, ε).
        if (o == 0) pass[layout.sigma() + l] = add_ends(squares + sum_ends) * inverse;
      });
    }
  }

  // Taps first .. first + task_span - 1 of the composed convolution (taps, features) = W0ᵀ·W1ᵀ.
  KGF_DEVICE void compose(int first) const {
    const int F = layout.features, taps = layout.taps(), count = smaller(task_span, taps - first);
    const T *w0 = weights, *w1 = weights + layout.weight(1);
    const int pairs = ceil_div(count, 2);
    team.each(pairs * quads(F), [&](int i) {
      const int pair = i % pairs, quad = i / pairs;
      const int t = first + 2 * pair, next = smaller(t + 1, first + count - 1);
      int row[4];
      for (int c = 0; c < 4; ++c) row[c] = smaller(4 * quad + c, F - 1) * F;
      Quad<T> sum[2] = {};
      KGF_UNROLL_BY(4)
      for (int m = 0; m < F; ++m) {
        const T a = w0[int64_t{m} * taps + t], b = w0[int64_t{m} * taps + next];
        KGF_UNROLL
        for (int c = 0; c < 4; ++c) {
          const T w = w1[row[c] + m];
          sum[0].v[c] += a * w;
          sum[1].v[c] += b * w;
        }
      }
      const Rows<T> to = Rows<T>::dense(saved, F);
      to.put(t, quad, sum[0]);
      if (next > t) to.put(next, quad, sum[1]);
    });
  }

  KGF_DEVICE void transpose(int l) const {
    const int F = layout.features;
    const T* from = weights + layout.weight(l);
    T* to = saved + layout.transposed(l);
    team.each(F * F, [&](int i) { to[i] = from[i % F * F + i / F]; });
  }

  // Padding is output like the rest, and equal calls give equal outputs.
  KGF_DEVICE void pad() const {
    const int end = layout.transposed(layout.blocks + 1), of_pass = layout.saved_v() + layout.vs();
    fill(team, saved + end, layout.problem_part() - end, T(0));
    for (int b = 0; b < passes; ++b) {
      fill(team, pass_part(b) + of_pass, layout.pass_part() - of_pass, T(0));
    }
  }

  KGF_DEVICE void run(int task) const {
    if (task == 0) pad();
    if (task < layout.convolutions()) return power_iterations(task);
    task -= layout.convolutions();
    const int spans = ceil_div(layout.taps(), task_span);
    if (task < spans) return compose(task * task_span);
    transpose(task - spans + 2);
  }
};

}  // namespace kgf::discriminator
