// Every op through its CUDA twin on an emulated GPU (cuda_runtime.h beside this), against the CPU: the
// step from the checks to the twin, the order and geometry of its launches, and their arguments.
#include <cuda_runtime.h>

#include "ops/downscale/downscale.h"
#include "ops/downscale_crops/downscale_crops.h"
#include "ops/extract_kernel/extract_kernel.h"
#include "ops/gaussian_noise/gaussian_noise.h"
#include "ops/kernel_regularizers/kernel_regularizers.h"
#include "ops/sample_crops/sample_crops.h"
#include "tensors.h"

using namespace kgf;
using test::random_tensor;
using test::Tensor;

namespace {

int gpu = 0;
int queue_place;
const Stream queue{&queue_place};

template <class T>
Array on_gpu(Tensor<T>& tensor) {
  Array array = tensor.array();
  array.device = gpu;
  return array;
}

Array on_gpu(Array array) {
  array.device = gpu;
  return array;
}

Array array_of(std::vector<int64_t>& numbers, const std::vector<int64_t>& shape) {
  Array array{numbers.data(), DType::int64, static_cast<int>(shape.size()), {}};
  std::copy(shape.begin(), shape.end(), array.shape.begin());
  return array;
}

// Calls work, which must launch on the right device and stream, and leave the current device alone.
template <class Work>
void expect_launches(int count, Work work) {
  emulated::machine.launches = 0;
  emulated::machine.streams.clear();
  emulated::machine.current = 3;
  work();
  EXPECT(emulated::machine.launches == count);
  EXPECT(count == 0 || emulated::machine.streams == std::set<cudaStream_t>{queue.cuda});
  EXPECT(emulated::machine.current == 3);
}

template <class T>
void extract_kernel() {
  const std::vector<int> sizes{7, 5, 3, 1, 1};
  const int features = 40;
  Tensor<T> weights = random_tensor<T>({2, 40 * 49 + 1600 * 25 + 1600 * 9 + 1600 + 40}, 1, 0.3);
  Tensor<T> grad_kernel = random_tensor<T>({2, 13, 13}, 2), kernel(grad_kernel.shape);
  Tensor<T> saved({2, extract_kernel_saved(sizes, features)}), grads(weights.shape);
  Tensor<T> my_kernel = kernel, my_saved = saved, my_grads = grads, workspace(saved.shape);
  extract_kernel_forward(weights.array(), sizes, features, kernel.array(), saved.array());
  extract_kernel_backward(grad_kernel.array(), weights.array(), saved.array(), sizes, features,
                          grads.array());
  const Array space = on_gpu(workspace);
  expect_launches(3, [&] {
    extract_kernel_forward(on_gpu(weights), sizes, features, on_gpu(my_kernel), on_gpu(my_saved),
                           queue);
  });
  expect_launches(3, [&] {
    extract_kernel_backward(on_gpu(grad_kernel), on_gpu(weights), on_gpu(my_saved), sizes, features,
                            on_gpu(my_grads), &space, queue);
  });
  EXPECT_NEAR(test::distance(my_kernel, kernel), 0, test::rounding<T>);
  EXPECT_NEAR(test::distance(my_saved, saved), 0, test::rounding<T>);
  EXPECT_NEAR(test::distance(my_grads, grads), 0, test::rounding<T>);
  EXPECT(test::throws<Error>([&] {
    extract_kernel_backward(on_gpu(grad_kernel), on_gpu(weights), on_gpu(my_saved), sizes, features,
                            on_gpu(my_grads), nullptr, queue);
  }));
}

template <class T>
void kernel_regularizers() {
  Tensor<T> kernel = random_tensor<T>({3, 13, 13}, 1), mask = random_tensor<T>({13, 13}, 2);
  Tensor<T> weights = random_tensor<T>({3, 4}, 3), loss({3}), terms({3, 4}), grad(kernel.shape);
  for (T& value : kernel.data) value += 1;
  Tensor<T> my_loss = loss, my_terms = terms, my_grad = grad;
  kernel_regularizers_forward(kernel.array(), mask.array(), weights.array(), 0.2, loss.array(),
                              terms.array(), grad.array());
  expect_launches(1, [&] {
    kernel_regularizers_forward(on_gpu(kernel), on_gpu(mask), on_gpu(weights), 0.2, on_gpu(my_loss),
                                on_gpu(my_terms), on_gpu(my_grad), queue);
  });
  EXPECT_NEAR(test::distance(my_loss, loss), 0, test::rounding<T>);
  EXPECT_NEAR(test::distance(my_terms, terms), 0, test::rounding<T>);
  EXPECT_NEAR(test::distance(my_grad, grad), 0, test::rounding<T>);
}

template <class T>
void downscale_crops() {
  Tensor<T> crops = random_tensor<T>({3, 2, 31, 31}, 1), kernel = random_tensor<T>({3, 6, 6}, 2);
  Tensor<T> grad_out = random_tensor<T>({3, 2, 13, 13}, 3), out(grad_out.shape), my_out = out;
  Tensor<T> grad(kernel.shape), my_grad = grad;
  downscale_crops_forward(crops.array(), kernel.array(), out.array());
  downscale_crops_backward(grad_out.array(), crops.array(), grad.array());
  expect_launches(
      1, [&] { downscale_crops_forward(on_gpu(crops), on_gpu(kernel), on_gpu(my_out), queue); });
  expect_launches(1, [&] {
    downscale_crops_backward(on_gpu(grad_out), on_gpu(crops), on_gpu(my_grad), queue);
  });
  EXPECT_NEAR(test::distance(my_out, out), 0, test::rounding<T>);
  EXPECT_NEAR(test::distance(my_grad, grad), 0, test::rounding<T>);
}

template <class T>
void downscale(int64_t kernels, int side, int scale) {
  const int64_t height = 70, width = 37;
  Tensor<T> images = random_tensor<T>({2, 3, height, width}, 1);
  Tensor<T> kernel = random_tensor<T>({kernels, side, side}, 2);
  Tensor<T> grad_out =
      random_tensor<T>({2, 3, (height + scale - 1) / scale, (width + scale - 1) / scale}, 3);
  Tensor<T> out(grad_out.shape), my_out = out, to_images(images.shape), my_images = to_images;
  Tensor<T> to_kernel(kernel.shape), my_kernel = to_kernel;
  downscale_forward(images.array(), kernel.array(), scale, out.array());
  downscale_backward_images(grad_out.array(), kernel.array(), scale, to_images.array());
  downscale_backward_kernel(grad_out.array(), images.array(), scale, to_kernel.array());
  Tensor<T> workspace({kernels, downscale_bands(2, 3, height, scale, kernels), side, side});
  const Array space = on_gpu(workspace);
  expect_launches(
      1, [&] { downscale_forward(on_gpu(images), on_gpu(kernel), scale, on_gpu(my_out), queue); });
  expect_launches(1, [&] {
    downscale_backward_images(on_gpu(grad_out), on_gpu(kernel), scale, on_gpu(my_images), queue);
  });
  expect_launches(2, [&] {
    downscale_backward_kernel(on_gpu(grad_out), on_gpu(images), scale, on_gpu(my_kernel), &space,
                              queue);
  });
  EXPECT_NEAR(test::distance(my_out, out), 0, test::rounding<T>);
  EXPECT_NEAR(test::distance(my_images, to_images), 0, test::rounding<T>);
  EXPECT_NEAR(test::distance(my_kernel, to_kernel), 0, 10 * test::rounding<T>);
}

// More photos than one launch takes, of two sizes and both types.
void draws(float deviation) {
  const int64_t problems = 150, steps = 3, size = 9;
  Tensor<float> photo = random_tensor<float>({3, 12, 31}, 1);
  std::vector<unsigned char> bytes(3 * 20 * 11);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<unsigned char>(i * 31);
  std::vector<double> running(2 * 12);
  for (size_t i = 0; i < running.size(); ++i) running[i] = static_cast<double>(i + 1) / 24;
  const Array choices[2] = {photo.array(), {bytes.data(), DType::uint8, 3, {3, 20, 11}}};
  const Array grids[2] = {{running.data(), DType::float64, 2, {2, 12}},
                          {running.data() + 12, DType::float64, 2, {6, 2}}};
  std::vector<Array> images, cdfs, my_images, my_cdfs;
  std::vector<int64_t> seeds;
  for (int64_t n = 0; n < problems; ++n) {
    images.push_back(choices[n % 3 % 2]);
    cdfs.push_back(grids[n % 3 % 2]);
    my_images.push_back(on_gpu(images.back()));
    my_cdfs.push_back(on_gpu(cdfs.back()));
    seeds.push_back(n << 33 | n);
  }
  std::vector<int64_t> corners(2 * steps * problems), my_corners(corners.size());
  Tensor<float> crops({steps, problems, 3, size, size}), my_crops = crops;
  const Array seed = array_of(seeds, {problems});
  sample_crops(images, cdfs, seed, 1, 5, deviation, crops.array(),
               array_of(corners, {steps, problems, 2}));
  expect_launches(3, [&] {
    sample_crops(my_images, my_cdfs, on_gpu(seed), 1, 5, deviation, on_gpu(my_crops),
                 on_gpu(array_of(my_corners, {steps, problems, 2})), queue);
  });
  EXPECT(my_corners == corners);
  EXPECT_NEAR(test::distance(my_crops, crops), 0, 1e-6);
  EXPECT(test::throws<Error>([&] {
    sample_crops(images, my_cdfs, on_gpu(seed), 1, 5, deviation, on_gpu(my_crops),
                 on_gpu(array_of(my_corners, {steps, problems, 2})), queue);
  }));
  Tensor<float> noise({steps, problems, 7, 11}), my_noise = noise;
  gaussian_noise(seed, 2, 9, noise.array());
  expect_launches(1, [&] { gaussian_noise(on_gpu(seed), 2, 9, on_gpu(my_noise), queue); });
  EXPECT_NEAR(test::distance(my_noise, noise), 0, 1e-6);
}

void nothing_to_do_launches_nothing() {
  Tensor<float> crops({0, 3, 9, 9}), kernel({0, 3, 3}), out({0, 3, 4, 4}), noise({2, 0, 5});
  std::vector<int64_t> seeds;
  expect_launches(0, [&] {
    downscale_crops_forward(on_gpu(crops), on_gpu(kernel), on_gpu(out), queue);
    gaussian_noise(on_gpu(array_of(seeds, {0})), 0, 0, on_gpu(noise), queue);
    sample_crops({}, {}, on_gpu(array_of(seeds, {0})), 0, 0, 0,
                 on_gpu(Array{nullptr, DType::float32, 5, {2, 0, 3, 4, 4}}),
                 on_gpu(Array{nullptr, DType::int64, 3, {2, 0, 2}}), queue);
  });
}

void a_device_that_is_not_there_is_reported() {
  gpu = 99;
  Tensor<float> crops({1, 3, 9, 9}), kernel({1, 3, 3}), out({1, 3, 4, 4});
  try {
    downscale_crops_forward(on_gpu(crops), on_gpu(kernel), on_gpu(out), queue);
    EXPECT(false);
  } catch (const DeviceError& error) {
    EXPECT(std::string(error.what()).find("failed on the GPU: cudaErrorEmulated") !=
           std::string::npos);
  }
}

template <class T>
void all_ops() {
  extract_kernel<T>();
  kernel_regularizers<T>();
  downscale_crops<T>();
  downscale<T>(1, 13, 2);
  downscale<T>(2, 5, 3);
  downscale<T>(2, 61, 4);
}

}  // namespace

int main() {
  // One GPU of every architecture: their limits lead to other tiles.
  for (gpu = 0; gpu < 8; ++gpu) {
    all_ops<float>();
#ifdef KGF_FLOAT64
    all_ops<double>();
#endif
    draws(0);
    draws(0.1f);
    nothing_to_do_launches_nothing();
  }
  a_device_that_is_not_there_is_reported();
  return test::finish();
}
