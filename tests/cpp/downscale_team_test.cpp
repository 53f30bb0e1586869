// The arithmetic that GPUs run for downscale, run on the host, against the op on the CPU.
#include "ops/downscale/downscale_team.h"

#include "teams.h"
#include "tensors.h"

using namespace kgf;
using test::random_tensor;
using test::Tensor;

namespace {

// Limits so small that a tile has to shrink, or that nothing can be staged.
constexpr DeviceLimits small_device{75, 1, 4 << 10, 6 << 10, 1024, 1};
constexpr DeviceLimits no_memory{75, 1, 64, 64, 1024, 1};

template <class T>
struct Problem {
  DownscaleShape shape;
  int64_t images, channels, kernels;
  Tensor<T> pixels, kernel, grad_out;

  Problem(int64_t n, int64_t c, int64_t k, const DownscaleShape& s)
      : shape(s),
        images(n),
        channels(c),
        kernels(k),
        pixels(random_tensor<T>({n, c, s.height, s.width}, 1)),
        kernel(random_tensor<T>({k, s.kernel_side, s.kernel_side}, 2)),
        grad_out(random_tensor<T>({n, c, s.out_height(), s.out_width()}, 3)) {}

  int64_t planes() const { return images * channels; }
  int64_t planes_a_kernel() const { return planes() / kernels; }
};

template <class T>
void forward_agrees(Problem<T>& p, const DeviceLimits& limits, bool staged, bool by_threads) {
  Tensor<T> out(p.grad_out.shape), mine = out;
  downscale_forward(p.pixels.array(), p.kernel.array(), p.shape.scale, out.array());
  const DownscalePlan plan = downscale_plan(p.shape, p.planes(), sizeof(T), limits);
  EXPECT(plan.staged == staged);
  check_launch(plan.launch, limits, "downscale");
  test::run_blocks(by_threads, plan.launch, [&](auto& team, int64_t block, int, void* shared) {
    const auto tile = [&](auto is_staged) {
      downscale_tile<decltype(is_staged)::value>(team, p.shape, plan, block, p.planes_a_kernel(),
                                                 p.pixels.at(), p.kernel.at(), mine.at(),
                                                 static_cast<T*>(shared));
    };
    plan.staged ? tile(std::true_type{}) : tile(std::false_type{});
  });
  EXPECT_NEAR(test::distance(mine, out), 0, test::rounding<T>);
}

template <class T>
void backward_agrees(Problem<T>& p, bool by_threads) {
  Tensor<T> grad_images(p.pixels.shape), my_images = grad_images;
  downscale_backward_images(p.grad_out.array(), p.kernel.array(), p.shape.scale,
                            grad_images.array());
  const DownscaleGatherPlan gather = downscale_gather_plan(p.shape, p.planes());
  EXPECT(test::fits_all(gather.launch));
  test::run_blocks(by_threads, gather.launch, [&](auto& team, int64_t block, int, void*) {
    downscale_gather(team, p.shape, gather, block, p.planes_a_kernel(), p.grad_out.at(),
                     p.kernel.at(), my_images.at());
  });
  EXPECT_NEAR(test::distance(my_images, grad_images), 0, test::rounding<T>);

  Tensor<T> grad_kernel(p.kernel.shape), my_kernel = grad_kernel;
  downscale_backward_kernel(p.grad_out.array(), p.pixels.array(), p.shape.scale,
                            grad_kernel.array());
  const DownscaleKernelPlan plan = downscale_kernel_plan(p.shape, p.planes(), p.kernels, sizeof(T));
  EXPECT(test::fits_all(plan.partial) && test::fits_all(plan.total));
  EXPECT(plan.bands ==
         downscale_bands(p.images, p.channels, p.shape.height, p.shape.scale, p.kernels));
  Tensor<T> partials({p.kernels, plan.bands, p.shape.kernel_side, p.shape.kernel_side});
  test::run_blocks(by_threads, plan.partial, [&](auto& team, int64_t block, int s, void* shared) {
    downscale_kernel_band(team, p.shape, plan, block / plan.bands,
                          static_cast<int>(block % plan.bands), s, p.grad_out.at(), p.pixels.at(),
                          partials.at(), static_cast<TapSums<T>*>(shared));
  });
  test::run_blocks(by_threads, plan.total, [&](auto& team, int64_t k, int tile, void* shared) {
    downscale_kernel_total(team, p.shape, plan, k, tile, partials.at(), my_kernel.at(),
                           static_cast<T*>(shared));
  });
  EXPECT_NEAR(test::distance(my_kernel, grad_kernel), 0, 10 * test::rounding<T>);
}

template <class T>
void agrees_with_the_cpu(int64_t n, int64_t c, int64_t k, const DownscaleShape& shape,
                         bool by_threads) {
  Problem<T> problem(n, c, k, shape);
  forward_agrees(problem, known_devices[1], true, by_threads);
  if (shape.kernel_side < 20) forward_agrees(problem, small_device, true, by_threads);
  forward_agrees(problem, no_memory, false, by_threads);
  backward_agrees(problem, by_threads);
}

template <class T>
void all_shapes(bool by_threads) {
  agrees_with_the_cpu<T>(1, 3, 1, {37, 53, 13, 2}, by_threads);
  agrees_with_the_cpu<T>(3, 1, 3, {23, 19, 7, 3}, by_threads);
  agrees_with_the_cpu<T>(2, 2, 1, {11, 101, 5, 1}, by_threads);
  agrees_with_the_cpu<T>(2, 2, 2, {5, 4, 25, 4}, by_threads);
  agrees_with_the_cpu<T>(1, 1, 1, {1, 1, 3, 2}, by_threads);
  agrees_with_the_cpu<T>(1, 1, 1, {70, 9, 1, 64}, by_threads);
}

void photos_of_any_size_fit() {
  for (const DeviceLimits& limits : known_devices) {
    for (int side : {1, 13, 25, 101, 255, 1001}) {
      for (int scale : {1, 2, 4, 64}) {
        for (int64_t element : {4, 8}) {
          const DownscaleShape shape{6000, 9000, side, scale};
          const DownscalePlan plan = downscale_plan(shape, 3, element, limits);
          check_launch(plan.launch, limits, "downscale");
          EXPECT(plan.tile_height >= 1 && plan.tile_width >= 1);
          EXPECT(plan.staged || side > 80);
          check_launch(downscale_gather_plan(shape, 3).launch, limits, "downscale");
          const DownscaleKernelPlan kernel = downscale_kernel_plan(shape, 3, 1, element);
          check_launch(kernel.partial, limits, "downscale");
          check_launch(kernel.total, limits, "downscale");
          EXPECT(kernel.bands <= kernel_most_bands);
        }
      }
    }
  }
}

void no_images_leave_a_gradient_of_zero() {
  const DownscaleKernelPlan plan = downscale_kernel_plan({9, 9, 3, 2}, 0, 1, 4);
  EXPECT(plan.partial.empty() && !plan.total.empty() && plan.bands == 0);
  Tensor<float> grad({1, 3, 3});
  grad.data[4] = 7;
  test::run_by_one(plan.total, [&](auto& team, int64_t k, int tile, void* shared) {
    downscale_kernel_total(team, {9, 9, 3, 2}, plan, k, tile, static_cast<float*>(nullptr),
                           grad.at(), static_cast<float*>(shared));
  });
  EXPECT(grad.data[4] == 0);
}

}  // namespace

int main() {
  photos_of_any_size_fit();
  no_images_leave_a_gradient_of_zero();
  for (bool by_threads : {false, true}) {
    all_shapes<float>(by_threads);
#ifdef KGF_FLOAT64
    all_shapes<double>(by_threads);
#endif
  }
  return test::finish();
}
