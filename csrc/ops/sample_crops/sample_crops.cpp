#include "ops/sample_crops/sample_crops.h"

#include <algorithm>
#include <cfloat>

#include "core/checked.h"
#include "core/philox.h"
#include "core/thread_pool.h"

namespace kgf {
namespace {

void check_photo(const Array& image, const Array& cdf, int64_t channels, int64_t size) {
  KGF_CHECK(image.rank == 3 && (image.dtype == DType::uint8 || image.dtype == DType::float32),
            "images must be uint8 or float32 (C, H, W), got ", describe(image));
  KGF_CHECK(image.shape[0] == channels, "images must all have ", channels, " channels, got ",
            describe(image));
  KGF_CHECK(image.shape[1] >= size && image.shape[2] >= size,
            "images must be at least size = ", size, " a side, got ", describe(image));
  check(cdf, "cdfs", DType::float64,
        {(image.shape[1] - size) / 2 + 1, (image.shape[2] - size) / 2 + 1});
}

}  // namespace

void sample_crops(const std::vector<Array>& images, const std::vector<Array>& cdfs,
                  const Array& seeds, int stream, int64_t first, double noise, const Array& crops,
                  const Array& corners, Stream cuda_stream) {
  const int64_t problems = static_cast<int64_t>(images.size());
  KGF_CHECK(cdfs.size() == images.size(), "cdfs must be as many as images, got ", cdfs.size(),
            " and ", images.size());
  KGF_CHECK(crops.rank == 5, "crops must be (steps, N, C, size, size), got ", describe(crops));
  const int64_t steps = crops.shape[0], channels = crops.shape[2], size = crops.shape[3];
  check(crops, "crops", DType::float32, {-1, problems, -1, size, size});
  check(corners, "corners", DType::int64, {steps, problems, 2});
  check(seeds, "seeds", DType::int64, {problems});
  KGF_CHECK(size >= 1, "size must be >= 1, got ", size);
  KGF_CHECK(product_fits(max_int, {channels, size, size}),
            "a crop must have fewer than 2^31 values, got ", describe(crops));
  KGF_CHECK(noise >= 0 && noise <= FLT_MAX, "noise must be >= 0 and finite, got ", noise);
  KGF_CHECK(stream >= 0, "stream must be >= 0, got ", stream);
  check_steps(first, steps);
  for (int64_t n = 0; n < problems; ++n) check_photo(images[n], cdfs[n], channels, size);

  const int device = device_of({{seeds, "seeds"}, {crops, "crops"}, {corners, "corners"}});
  check_device(images, "images", device);
  check_device(cdfs, "cdfs", device);
  if (device != host) {
    return KGF_CUDA(
        sample_crops(images, cdfs, seeds, stream, first, noise, crops, corners, cuda_stream));
  }

  const auto copy_bytes = KGF_PER_LEVEL(sample_crops_copy<uint8_t>);
  const auto copy_floats = KGF_PER_LEVEL(sample_crops_copy<float>);
  const auto add_noise = KGF_PER_LEVEL(sample_crops_noise);
  const int64_t crop_size = channels * size * size;
  parallel_for(steps * problems, [&](int64_t task) {
    const int64_t n = task % problems;
    const uint64_t seed = static_cast<uint64_t>(seeds.as<int64_t>()[n]);
    const uint32_t step = static_cast<uint32_t>(first + task / problems);
    const double drawn =
        uniform(philox(seed, 0, step, static_cast<uint32_t>(stream), purpose_corner));
    const double* cdf = cdfs[n].as<double>();
    const int64_t count = cdfs[n].size(), cols = cdfs[n].shape[1];
    const int64_t index =
        std::min<int64_t>(std::upper_bound(cdf, cdf + count, drawn) - cdf, count - 1);
    int64_t* corner = corners.as<int64_t>() + task * 2;
    corner[0] = index / cols * 2;
    corner[1] = index % cols * 2;
    float* crop = crops.as<float>() + task * crop_size;
    const Array& image = images[n];
    if (image.dtype == DType::uint8) {
      copy_bytes(image.as<uint8_t>(), image.shape[1], image.shape[2], static_cast<int>(channels),
                 corner[0], corner[1], static_cast<int>(size), 2 / 255.f, crop);
    } else {
      copy_floats(image.as<float>(), image.shape[1], image.shape[2], static_cast<int>(channels),
                  corner[0], corner[1], static_cast<int>(size), 2, crop);
    }
    if (noise > 0) {
      add_noise(seed, static_cast<uint32_t>(stream), step, static_cast<float>(noise), crop_size,
                crop);
    }
  });
}

}  // namespace kgf
