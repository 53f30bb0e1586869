// What happens after a problem's passes: their shares of the gradient of the weights become the gradient,
// with that of σ, cut into tasks that do not depend on each other (see combine_tasks).
#pragma once

#include "ops/discriminate/discriminate_team.h"

namespace kgf::discriminator {

template <class Team, class T>
struct Combine {
  Team& team;
  const DiscriminatorLayout& layout;
  int passes, ranks;
  const T *weights, *saved;
  const T* partials;  // (passes, partial_elements)
  T* grad;            // (weights)
  T* scratch;         // weights_scratch

  KGF_DEVICE const T* pass_part(int pass) const {
    return saved + layout.problem_part() + int64_t{pass} * layout.pass_part();
  }
  KGF_DEVICE const T* partial(int pass) const {
    return partials + pass * partial_elements(layout, ranks);
  }

  // <dŴ, Ŵ> of convolution l in a pass, as sum_ends parts; those of the ranks are there already.
  KGF_DEVICE T inner_end(int l, int pass, int end) const {
    const T* share = partial(pass);
    T total = 0;
    if (l <= layout.blocks) {
      for (int rank = 0; rank < ranks; ++rank)
        total += share[inner_at(layout, ranks, l, rank) + end];
      return total;
    }
    for (int c = end; c < layout.features; c += sum_ends) {
      total += share[layout.weight(l) + c] * weights[layout.weight(l) + c];
    }
    return total;
  }

  // grad of convolution l -= Σ over passes of <dŴ, Ŵ>/σ·uvᵀ, on some columns of it: dσ = uvᵀ, so with
  // Ŵ = W/σ, dW = dŴ/σ - <dŴ, Ŵ>/σ·uvᵀ. The inner product is the same for the two halves of the composed
  // convolution. grad holds the rest already.
  KGF_DEVICE void add_sigma_part(int l, int col, int cols) const {
    constexpr int together = 4;
    for (int first = 0; first < passes; first += together) {
      const int now = smaller(together, passes - first);
      team.sync();
      team.each(now * sum_ends, [&](int i) {
        scratch[i] = inner_end(l < 2 ? 0 : l, first + i / sum_ends, i % sum_ends);
      });
      team.sync();
      team.each(layout.fan_out(l) * cols, [&](int i) {
        const int o = i / cols, t = col + i % cols;
        T total = 0;
        KGF_UNROLL_BY(1)
        for (int b = 0; b < now; ++b) {
          const T* pass = pass_part(first + b);
          total += add_ends(scratch + b * sum_ends) / pass[layout.sigma() + l] *
                   pass[layout.saved_u() + layout.u(l) + o] *
                   pass[layout.saved_v() + layout.v(l) + t];
        }
        grad[layout.weight(l) + int64_t{o} * layout.fan_in(l) + t] -= total;
      });
    }
  }

  KGF_DEVICE void sum_shares(int at, int count) const {
    team.each(count, [&](int i) {
      T total = 0;
      for (int b = 0; b < passes; ++b) total += partial(b)[at + i];
      grad[at + i] = total;
    });
  }

  KGF_DEVICE void norms_and_biases() const {
    const int F = layout.features;
    sum_shares(layout.bias(layout.blocks + 1), 1 + 2 * layout.blocks * F);
    team.each((layout.blocks + 1) * F, [&](int i) { grad[layout.bias(i / F) + i % F] = 0; });
  }

  // Calls run(d), d(tap, feature) the gradient of the composed convolution over all passes. Up to two
  // passes are added without a loop, so that many of a caller's reads are under way at once.
  template <class Run>
  KGF_DEVICE void with_composed(Run run) const {
    const int F = layout.features;
    if (passes <= 2) {
      const T *one = partial(0), *two = partial(passes - 1), weight = static_cast<T>(passes - 1);
      run([=](int tap, int c) { return one[tap * F + c] + weight * two[tap * F + c]; });
    } else {
      run([=](int tap, int c) {
        T total = 0;
        KGF_UNROLL_BY(1)
        for (int b = 0; b < passes; ++b) total += partial(b)[tap * F + c];
        return total;
      });
    }
  }

  // composed = W0ᵀW1ᵀ, so dW0ᵀ = d·W1 with d its gradient: some taps of all rows of W0.
  KGF_DEVICE void convolution_0(int first) const {
    const int F = layout.features, taps = layout.taps(), count = smaller(task_span, taps - first);
    const T* w1 = weights + layout.weight(1);
    with_composed([&](auto composed) {
      team.each(quads(count) * F, [&](int i) {
        const int m = i % F, quad = i / F;
        Quad<T> sum = {};
        KGF_UNROLL_BY(4)
        for (int c = 0; c < F; ++c) {
          const T w = w1[c * F + m];
          for (int j = 0; j < 4; ++j) {
            sum.v[j] += w * composed(first + smaller(4 * quad + j, count - 1), c);
          }
        }
        for (int j = 0; j < 4; ++j) {
          const int t = 4 * quad + j;
          if (t < count) grad[int64_t{m} * taps + first + t] = sum.v[j];
        }
      });
    });
  }

  // dW1ᵀ = W0·d: some columns of all rows of W1, the taps in slices so that all threads have work.
  KGF_DEVICE void convolution_1(int first) const {
    const int F = layout.features, taps = layout.taps(), count = smaller(task_span, F - first);
    const int results = quads(count) * F;
    const int slices = larger(1, smaller(4, sum_parts / (4 * results)));
    T* to = grad + layout.weight(1);
    const auto put = [&](int i, const Quad<T>& value) {
      for (int j = 0; j < 4; ++j) {
        const int m = i / F * 4 + j;
        if (m < count) to[i % F * F + first + m] = value.v[j];
      }
    };
    with_composed([&](auto composed) {
      team.each(results * slices, [&](int i) {
        const int result = i % results, c = result % F, quad = result / F;
        Quad<T> sum = {};
        KGF_UNROLL_BY(8)
        for (int t = i / results; t < taps; t += slices) {
          const T d = composed(t, c);
          for (int j = 0; j < 4; ++j) {
            const int m = first + smaller(4 * quad + j, count - 1);
            sum.v[j] += d * weights[int64_t{m} * taps + t];
          }
        }
        if (slices == 1) {
          put(result, sum);
        } else {
          store(scratch + 4 * i, sum);
        }
      });
    });
    if (slices == 1) return;
    team.sync();
    team.each(results, [&](int i) {
      Quad<T> total = {};
      for (int slice = 0; slice < slices; ++slice) {
        const Quad<T> part = load(scratch + 4 * (slice * results + i));
        for (int j = 0; j < 4; ++j) total.v[j] += part.v[j];
      }
      put(i, total);
    });
  }

  KGF_DEVICE void run(int task) const {
    const int spans = ceil_div(layout.taps(), task_span);
    if (task == layout.blocks) return norms_and_biases();
    int l = task + 2, first = 0;
    if (task < layout.blocks) {
      sum_shares(layout.weight(l), layout.fan_out(l) * layout.fan_in(l));
    } else if (task - layout.blocks - 1 < spans) {
      l = 0;
      first = (task - layout.blocks - 1) * task_span;
      convolution_0(first);
    } else {
      l = 1;
      first = (task - layout.blocks - 1 - spans) * task_span;
      convolution_1(first);
    }
    const int cols = layout.fan_in(l);
    add_sigma_part(l, first, l < 2 ? smaller(task_span, cols - first) : cols);
  }
};

}  // namespace kgf::discriminator
