// The arithmetic that GPUs run for downscale_crops, run on the host, against the op on the CPU.
#include "ops/downscale_crops/downscale_crops_team.h"

#include "ops/downscale_crops/downscale_crops.h"
#include "teams.h"
#include "tensors.h"

using namespace kgf;
using test::random_tensor;
using test::Tensor;

namespace {

template <class T>
void agrees_with_the_cpu(int channels, int side, int taps, bool by_threads) {
  const int64_t problems = 2;
  const int out_side = (side - taps) / 2 + 1;
  const CropShape shape{channels, side, taps, out_side};
  Tensor<T> crops = random_tensor<T>({problems, channels, side, side}, 1);
  Tensor<T> kernel = random_tensor<T>({problems, taps, taps}, 2);
  Tensor<T> grad_out = random_tensor<T>({problems, channels, out_side, out_side}, 3);
  Tensor<T> out(grad_out.shape), grad(kernel.shape), my_out = out, my_grad = grad;
  downscale_crops_forward(crops.array(), kernel.array(), out.array());
  downscale_crops_backward(grad_out.array(), crops.array(), grad.array());

  const Launch launch = downscale_crops_launch(shape, problems, sizeof(T));
  EXPECT(test::fits_all(launch));
  const int tiles = static_cast<int>(launch.blocks_y);
  test::run_blocks(by_threads, launch, [&](auto& team, int64_t n, int tile, void* shared) {
    downscale_crops_tile(team, shape, n, tile, tiles, crops.at(), kernel.at(), my_out.at(),
                         static_cast<CropSums<T>*>(shared));
  });
  EXPECT_NEAR(test::distance(my_out, out), 0, test::rounding<T>);
  test::run_blocks(by_threads, launch, [&](auto& team, int64_t n, int tile, void* shared) {
    downscale_crops_tile_backward(team, shape, n, tile, tiles, grad_out.at(), crops.at(),
                                  my_grad.at(), static_cast<CropSums<T>*>(shared));
  });
  EXPECT_NEAR(test::distance(my_grad, grad), 0, test::rounding<T>);
}

void published_crops_keep_many_multiprocessors_busy() {
  const int tiles = downscale_crops_tiles({3, 64, 13, 26});
  EXPECT(tiles >= 16 && tiles <= 64);
  EXPECT(downscale_crops_tiles({0, 1, 1, 1}) == 1);
  EXPECT(test::fits_all(downscale_crops_launch({3, 4096, 31, 2033}, 5, 8)));
}

template <class T>
void all_sizes(bool by_threads) {
  agrees_with_the_cpu<T>(3, 64, 13, by_threads);
  agrees_with_the_cpu<T>(3, 31, 7, by_threads);
  agrees_with_the_cpu<T>(1, 13, 13, by_threads);
  agrees_with_the_cpu<T>(6, 24, 4, by_threads);
  agrees_with_the_cpu<T>(2, 5, 1, by_threads);
}

}  // namespace

int main() {
  published_crops_keep_many_multiprocessors_busy();
  for (bool by_threads : {false, true}) {
    all_sizes<float>(by_threads);
#ifdef KGF_FLOAT64
    all_sizes<double>(by_threads);
#endif
  }
  return test::finish();
}
