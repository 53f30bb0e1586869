// The arithmetic that GPUs run for sample_crops and gaussian_noise, on the host, against the CPU's ops.
#include "ops/gaussian_noise/gaussian_noise.h"
#include "ops/gaussian_noise/gaussian_noise_launch.h"
#include "ops/gaussian_noise/gaussian_noise_team.h"
#include "ops/sample_crops/sample_crops.h"
#include "ops/sample_crops/sample_crops_team.h"
#include "teams.h"
#include "tensors.h"

using namespace kgf;
using test::Tensor;

namespace {

Array array_of(std::vector<int64_t>& numbers, std::vector<int64_t> shape) {
  Array array{numbers.data(), DType::int64, static_cast<int>(shape.size()), {}};
  std::copy(shape.begin(), shape.end(), array.shape.begin());
  return array;
}

void noise_is_the_cpus(int64_t problems, int64_t steps, int64_t each, bool by_threads) {
  std::vector<int64_t> seeds;
  for (int64_t n = 0; n < problems; ++n) seeds.push_back(n * 1000003 + (int64_t{5} << 33));
  Tensor<float> noise({steps, problems, each}), mine(noise.shape);
  gaussian_noise(array_of(seeds, {problems}), 2, 7, noise.array());
  const NoisePlan plan = noise_plan(steps * problems, each);
  EXPECT(test::fits_all(plan.launch));
  test::run_blocks(by_threads, plan.launch, [&](auto& team, int64_t task, int part, void*) {
    const int64_t from = part * plan.share;
    fill_noise(team, task, problems, each, from, std::min(from + plan.share, plan.blocks),
               seeds.data(), 2, 7, mine.at());
  });
  EXPECT_NEAR(test::distance(mine, noise), 0, 1e-6);
}

void noise_of_any_length_fits() {
  for (int64_t each : {int64_t{1}, int64_t{2028}, int64_t{1} << 30, int64_t{1} << 40}) {
    const NoisePlan plan = noise_plan(7, each);
    EXPECT(test::fits_all(plan.launch));
    EXPECT(plan.share * plan.launch.blocks_y >= plan.blocks);
  }
}

struct Photos {
  std::vector<std::vector<unsigned char>> bytes;
  std::vector<Tensor<float>> floats;
  std::vector<std::vector<double>> running;
  std::vector<Array> images, cdfs;
  PhotoTable table;

  explicit Photos(int size) {
    std::mt19937 random(3);
    const int sizes[][2] = {{size, size}, {40, 53}, {17 + size, 31 + size}, {64, 200}};
    for (const auto& [height, width] : sizes) {
      bytes.emplace_back(3 * height * width);
      for (unsigned char& value : bytes.back()) value = static_cast<unsigned char>(random());
      floats.push_back(test::random_tensor<float>({3, height, width}, 5));
      std::vector<double> sum(((height - size) / 2 + 1) * ((width - size) / 2 + 1));
      double total = 0;
      // Whole runs of corners are impossible, as where a photo is flat.
      for (size_t i = 0; i < sum.size(); ++i)
        sum[i] = total += i / 5 % 3 == 1 ? 0 : 1 + random() % 9;
      for (double& value : sum) value /= total;
      running.push_back(sum);
    }
    for (size_t i = 0; i < running.size(); ++i) {
      const int64_t height = sizes[i][0], width = sizes[i][1];
      Array image = floats[i].array();
      const bool is_uint8 = i % 2 == 0;
      if (is_uint8) image = {bytes[i].data(), DType::uint8, 3, {3, height, width}};
      images.push_back(image);
      cdfs.push_back({running[i].data(),
                      DType::float64,
                      2,
                      {(height - size) / 2 + 1, (width - size) / 2 + 1}});
      table.photo[i] = {image.data, running[i].data(), static_cast<int>(height),
                        static_cast<int>(width), is_uint8};
    }
  }
};

void crops_are_the_cpus(int size, float noise, bool by_threads) {
  Photos photos(size);
  const int64_t problems = static_cast<int64_t>(photos.images.size()), steps = 9;
  std::vector<int64_t> seeds{1, -5, 77, int64_t{1} << 40}, corners(2 * steps * problems);
  std::vector<int64_t> mine_at(corners.size());
  Tensor<float> crops({steps, problems, 3, size, size}), mine(crops.shape);
  sample_crops(photos.images, photos.cdfs, array_of(seeds, {problems}), 1, 11, noise, crops.array(),
               array_of(corners, {steps, problems, 2}));
  const CropSizes sizes{problems, 3, size, 1, 11, noise};
  const Launch launch = crop_launch(problems, steps);
  EXPECT(test::fits_all(launch));
  test::run_blocks(by_threads, launch, [&](auto& team, int64_t block, int, void* shared) {
    const int64_t n = block % problems;
    sample_crop(team, sizes, photos.table.photo[n], n, block / problems, seeds.data(), mine.at(),
                mine_at.data(), static_cast<int64_t (*)[2]>(shared));
  });
  EXPECT(mine_at == corners);
  EXPECT_NEAR(test::distance(mine, crops), 0, 1e-6);
}

void search_finds_what_upper_bound_finds() {
  std::mt19937 random(1);
  HostTeam team;
  int64_t bounds[2][2];
  for (int64_t count : {1, 2, 255, 256, 257, 65537, 200001}) {
    std::vector<double> cdf(count);
    double total = 0;
    for (double& value : cdf) value = total += random() % 4;
    for (double drawn : {0.0, total / 3, total * 0.999, total - 1, total, -1.0}) {
      const int64_t wanted = std::upper_bound(cdf.begin(), cdf.end(), drawn) - cdf.begin();
      EXPECT(upper_bound(team, cdf.data(), count, drawn, bounds) == wanted);
    }
  }
  // Whatever it is given, the search ends inside.
  std::vector<double> broken(1000, std::nan(""));
  broken[400] = 1;
  broken[700] = 0;
  const int64_t found = upper_bound(team, broken.data(), 1000, 0.5, bounds);
  EXPECT(found >= 0 && found <= 1000);
}

}  // namespace

int main() {
  search_finds_what_upper_bound_finds();
  noise_of_any_length_fits();
  static_assert(sizeof(PhotoTable) + sizeof(CropSizes) + 64 <= 4096,
                "a kernel's parameters take 4 KiB at most");
  for (bool by_threads : {false, true}) {
    noise_is_the_cpus(3, 2, 35, by_threads);
    noise_is_the_cpus(1, 1, 5000, by_threads);
    for (int size : {1, 8, 11}) {
      crops_are_the_cpus(size, 0, by_threads);
      crops_are_the_cpus(size, 0.1f, by_threads);
    }
  }
  return test::finish();
}
