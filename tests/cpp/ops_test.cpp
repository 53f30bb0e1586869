// Every op from C++, on every instruction set level, at sizes that leave remainders everywhere. Values
// are compared with plain loops or with finite differences; under the sanitizers this is what finds a
// read or write out of bounds.
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "core/simd_level.h"
#include "core/thread_pool.h"
#include "ops/discriminate/discriminate.h"
#include "ops/downscale/downscale.h"
#include "ops/downscale_crops/downscale_crops.h"
#include "ops/extract_kernel/extract_kernel.h"
#include "ops/gaussian_noise/gaussian_noise.h"
#include "ops/kernel_regularizers/kernel_regularizers.h"
#include "ops/sample_crops/sample_crops.h"
#include "tensors.h"

using namespace kgf;

namespace {

using Tensor = test::Tensor<float>;
using test::dot;

Tensor random_tensor(std::vector<int64_t> shape, unsigned seed, float size = 1) {
  return test::random_tensor<float>(std::move(shape), seed, size);
}

// (f(x + h·d) - f(x - h·d)) / 2h against <grad, d>.
void expect_slope(Tensor& x, const Tensor& grad, const std::function<double()>& f,
                  double tolerance) {
  const Tensor direction = random_tensor(x.shape, 99);
  const std::vector<float> start = x.data;
  constexpr float h = 2e-3f;
  double ends[2];
  for (int side = 0; side < 2; ++side) {
    for (size_t i = 0; i < start.size(); ++i)
      x.data[i] = start[i] + (side ? h : -h) * direction.data[i];
    ends[side] = f();
  }
  x.data = start;
  const double slope = dot(grad, direction);
  EXPECT_NEAR((ends[1] - ends[0]) / (2 * h), slope, tolerance * (1 + std::abs(slope)));
}

void extract_kernel_composes() {
  // Two layers, 2 features: k = Σ_f w1[f] ∗ w0[f].
  const std::vector<int> sizes{3, 2};
  Tensor weights = random_tensor({2, 2 * 9 + 2 * 4}, 1), kernel({2, 4, 4});
  Tensor saved({2, extract_kernel_saved(sizes, 2)});
  extract_kernel_forward(weights.array(), sizes, 2, kernel.array(), saved.array());
  for (int n = 0; n < 2; ++n) {
    const float* w0 = weights.data.data() + n * 26;
    const float* w1 = w0 + 18;
    for (int y = 0; y < 4; ++y) {
      for (int x = 0; x < 4; ++x) {
        double sum = 0;
        for (int f = 0; f < 2; ++f) {
          for (int a = 0; a < 3; ++a) {
            for (int b = 0; b < 3; ++b) {
              const int c = y - a, d = x - b;
              if (c >= 0 && c < 2 && d >= 0 && d < 2)
                sum += w0[f * 9 + a * 3 + b] * w1[f * 4 + c * 2 + d];
            }
          }
        }
        EXPECT_NEAR(kernel.data[n * 16 + y * 4 + x], sum, 1e-5);
      }
    }
  }
  const std::vector<int> deep{5, 3, 1, 1};
  Tensor w = random_tensor({3, 7 * 25 + 49 * 9 + 49 + 7}, 2, 0.4f), k({3, 7, 7}),
         s({3, extract_kernel_saved(deep, 7)});
  Tensor grad_kernel = random_tensor({3, 7, 7}, 3), grad(w.shape);
  const auto value = [&] {
    extract_kernel_forward(w.array(), deep, 7, k.array(), s.array());
    return dot(k, grad_kernel);
  };
  value();
  extract_kernel_backward(grad_kernel.array(), w.array(), s.array(), deep, 7, grad.array());
  expect_slope(w, grad, value, 1e-2);
}

void kernel_regularizers_slope() {
  Tensor kernel = random_tensor({2, 5, 5}, 4, 0.1f), mask({5, 5}), weights({2, 4});
  for (float& value : kernel.data) value = 0.05f + std::abs(value);
  mask.data[3] = 2;
  weights.data = {0.5, 0.5, 1, 0.3f, 0.5, 0.5, 0, 0};
  Tensor loss({2}), terms({2, 4}), grad({2, 5, 5});
  const auto value = [&] {
    kernel_regularizers_forward(kernel.array(), mask.array(), weights.array(), 0.2, loss.array(),
                                terms.array(), grad.array());
    return static_cast<double>(loss.data[0]) + loss.data[1];
  };
  value();
  const Tensor slope = grad;
  expect_slope(kernel, slope, value, 1e-2);
}

void downscale_crops_and_its_adjoint() {
  Tensor crops = random_tensor({2, 3, 15, 15}, 5), kernel = random_tensor({2, 6, 6}, 6),
         out({2, 3, 5, 5});
  downscale_crops_forward(crops.array(), kernel.array(), out.array());
  double sum = 0;
  for (int s = 0; s < 6; ++s) {
    for (int t = 0; t < 6; ++t)
      sum += kernel.data[36 + s * 6 + t] * crops.data[(3 + 2) * 225 + (6 + s) * 15 + 8 + t];
  }
  EXPECT_NEAR(out.data[(3 + 2) * 25 + 3 * 5 + 4], sum, 1e-4);
  Tensor grad_out = random_tensor(out.shape, 7), grad_kernel(kernel.shape);
  downscale_crops_backward(grad_out.array(), crops.array(), grad_kernel.array());
  EXPECT_NEAR(dot(out, grad_out), dot(kernel, grad_kernel), 1e-3);
}

void downscale_and_its_adjoints() {
  for (int scale : {1, 2, 3}) {
    Tensor images = random_tensor({2, 2, 9, 14}, 8), kernel = random_tensor({2, 7, 7}, 9);
    Tensor out({2, 2, (9 + scale - 1) / scale, (14 + scale - 1) / scale});
    downscale_forward(images.array(), kernel.array(), scale, out.array());
    Tensor grad_out = random_tensor(out.shape, 10), grad_images(images.shape),
           grad_kernel(kernel.shape);
    downscale_backward_images(grad_out.array(), kernel.array(), scale, grad_images.array());
    downscale_backward_kernel(grad_out.array(), images.array(), scale, grad_kernel.array());
    const double forward = dot(out, grad_out);
    EXPECT_NEAR(forward, dot(images, grad_images), 1e-3 * (1 + std::abs(forward)));
    EXPECT_NEAR(forward, dot(kernel, grad_kernel), 1e-3 * (1 + std::abs(forward)));
  }
}

void discriminate_slopes(int features, int blocks) {
  const int size = 3, side = 9;
  const DiscriminatorLayout layout{2, side, features, size, blocks};
  Tensor crops = random_tensor({2, 2, 2, side, side}, 11),
         weights = random_tensor({2, layout.weights()}, 12, 0.5f);
  Tensor u = random_tensor({2, layout.us()}, 13), u_next(u.shape), map({2, 2, 7, 7});
  Tensor saved({2, discriminate_saved(2, side, features, size, blocks, 2)});
  const Tensor grad_map = random_tensor(map.shape, 14);
  Tensor grad_map_copy = grad_map;
  const auto value = [&] {
    discriminate_forward(crops.array(), weights.array(), u.array(), features, size, blocks,
                         map.array(), u_next.array(), saved.array());
    return dot(map, grad_map);
  };
  value();
  for (float probability : map.data) EXPECT(probability > 0 && probability < 1);
  Tensor grad_crops(crops.shape), grad_weights(weights.shape);
  const Array to_crops = grad_crops.array(), to_weights = grad_weights.array();
  discriminate_backward(grad_map_copy.array(), crops.array(), weights.array(), map.array(),
                        saved.array(), features, size, blocks, &to_crops, &to_weights);
  // Kinks of the ReLUs and the power iteration's own drift leave a coarse comparison; the twins in
  // float64 make the fine one.
  expect_slope(crops, grad_crops, value, 0.1);
}

void draws_stay_inside() {
  std::vector<uint8_t> pixels(3 * 12 * 17);
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<uint8_t>(i * 7);
  const int64_t rows = 3, cols = 5;  // corners of 8-pixel crops
  std::vector<double> cdf(rows * cols);
  for (size_t i = 0; i < cdf.size(); ++i)
    cdf[i] = static_cast<double>(i + 1) / static_cast<double>(cdf.size());
  std::vector<int64_t> seeds{42}, corners(50 * 2);
  Tensor crops({50, 1, 3, 8, 8});
  const Array image{pixels.data(), DType::uint8, 3, {3, 12, 17}},
      grid{cdf.data(), DType::float64, 2, {rows, cols}};
  const Array seed{seeds.data(), DType::int64, 1, {1}},
      corner{corners.data(), DType::int64, 3, {50, 1, 2}};
  sample_crops({image}, {grid}, seed, 0, 0, 0.0, crops.array(), corner);
  for (int t = 0; t < 50; ++t) {
    const int64_t row = corners[t * 2], col = corners[t * 2 + 1];
    EXPECT(row >= 0 && row <= 4 && col >= 0 && col <= 8 && row % 2 == 0 && col % 2 == 0);
    const float wanted = static_cast<float>(pixels[(2 * 12 + row + 7) * 17 + col + 7]) / 127.5f - 1;
    EXPECT_NEAR(crops.data[t * 192 + 191], wanted, 1e-6);
  }
  Tensor noise({3, 1, 1001});
  gaussian_noise(seed, 2, 5, noise.array());
  EXPECT_NEAR(dot(noise, noise) / 3003, 1.0, 0.1);
  Tensor third({1, 1, 1001});
  gaussian_noise(seed, 2, 7, third.array());
  EXPECT(std::equal(third.data.begin(), third.data.end(), noise.data.begin() + 2002));
}

}  // namespace

int main() {
  for (const std::string& level : simd_levels()) {
    for (int threads : {1, 2}) {
      set_simd_level(level);
      set_num_threads(threads);
      extract_kernel_composes();
      kernel_regularizers_slope();
      downscale_crops_and_its_adjoint();
      downscale_and_its_adjoints();
      discriminate_slopes(5, 2);
      discriminate_slopes(16, 1);
      draws_stay_inside();
    }
  }
  return test::finish();
}
