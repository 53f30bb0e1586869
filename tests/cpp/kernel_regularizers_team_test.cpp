// The arithmetic that GPUs run for kernel_regularizers, run on the host, against the op on the CPU.
#include "ops/kernel_regularizers/kernel_regularizers_team.h"

#include "teams.h"
#include "tensors.h"

using namespace kgf;
using test::random_tensor;
using test::Tensor;

namespace {

template <class T>
void agrees_with_the_cpu(int side, double power, bool idle, bool by_threads) {
  const int64_t problems = 3;
  Tensor<T> kernel = random_tensor<T>({problems, side, side}, 1), mask({side, side});
  Tensor<T> weights = random_tensor<T>({problems, regularizer_terms}, 2);
  if (side > 1) kernel.data[0] = 0;
  for (T& value : kernel.data) value += T(0.5) * (value != 0);
  for (size_t i = 0; i < mask.data.size(); ++i) mask.data[i] = static_cast<T>(i % 7);
  if (idle) {
    // A kernel that sums to nothing has no centre of mass, which must do no harm to an idle term.
    std::fill(kernel.data.begin(), kernel.data.end(), T(0));
    for (int64_t n = 0; n < problems; ++n) weights.data[n * regularizer_terms + 2] = 0;
  }
  Tensor<T> loss({problems}), terms({problems, regularizer_terms}), grad(kernel.shape);
  Tensor<T> my_loss = loss, my_terms = terms, my_grad = grad;
  kernel_regularizers_forward(kernel.array(), mask.array(), weights.array(), power, loss.array(),
                              terms.array(), grad.array());
  const Launch launch = regularizer_launch(problems, sizeof(T));
  EXPECT(test::fits_all(launch));
  test::run_blocks(by_threads, launch, [&](auto& team, int64_t n, int, void* shared) {
    regularize(team, side, n, kernel.at(), mask.at(), weights.at(), static_cast<T>(power),
               my_loss.at(), my_terms.at(), my_grad.at(), static_cast<RegularizerSums<T>*>(shared));
  });
  EXPECT_NEAR(test::distance(my_loss, loss), 0, test::rounding<T>);
  EXPECT_NEAR(test::distance(my_grad, grad), 0, test::rounding<T>);
  for (int64_t i = 0; i < problems * regularizer_terms; ++i) {
    if (idle && i % regularizer_terms == 2) continue;
    // The centre of mass is a difference of numbers as large as the kernel's side.
    const double size = side * (1 + std::abs(terms.data[i]));
    EXPECT_NEAR(my_terms.data[i], terms.data[i], test::rounding<T> * size);
  }
}

template <class T>
void all_kernels(bool by_threads) {
  for (int side : {1, 4, 7, 13, 40}) {
    agrees_with_the_cpu<T>(side, 0.2, false, by_threads);
    agrees_with_the_cpu<T>(side, 1, true, by_threads);
  }
}

}  // namespace

int main() {
  for (bool by_threads : {false, true}) {
    all_kernels<float>(by_threads);
#ifdef KGF_FLOAT64
    all_kernels<double>(by_threads);
#endif
  }
  return test::finish();
}
