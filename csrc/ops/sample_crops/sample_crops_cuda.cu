#include "core/cuda.h"
#include "ops/sample_crops/sample_crops.h"
#include "ops/sample_crops/sample_crops_team.h"

namespace kgf::cuda {
namespace {

__global__ void __launch_bounds__(crop_threads)
    crop_kernel(PhotoTable table, int64_t first_problem, int photos, CropSizes sizes,
                const int64_t* seeds, float* crops, int64_t* corners) {
  BlockTeam team;
  const int slot = static_cast<int>(blockIdx.x % photos);
  sample_crop(team, sizes, table.photo[slot], first_problem + slot, blockIdx.x / photos, seeds,
              crops, corners, shared_memory<int64_t[2]>());
}

}  // namespace

void sample_crops(const std::vector<Array>& images, const std::vector<Array>& cdfs,
                  const Array& seeds, int stream, int64_t first, double noise, const Array& crops,
                  const Array& corners, Stream cuda_stream) {
  const CropSizes sizes{crops.shape[1],
                        static_cast<int>(crops.shape[2]),
                        static_cast<int>(crops.shape[3]),
                        static_cast<uint32_t>(stream),
                        static_cast<uint32_t>(first),
                        static_cast<float>(noise)};
  for (int64_t from = 0; from < sizes.problems; from += photos_a_launch) {
    const int64_t left = sizes.problems - from;
    const int photos = static_cast<int>(left < photos_a_launch ? left : photos_a_launch);
    PhotoTable table{};
    for (int i = 0; i < photos; ++i) {
      const Array& image = images[from + i];
      table.photo[i] = {image.data, cdfs[from + i].as<double>(), static_cast<int>(image.shape[1]),
                        static_cast<int>(image.shape[2]), image.dtype == DType::uint8};
    }
    launch("sample_crops", crop_kernel, crop_launch(photos, crops.shape[0]), crops.device,
           cuda_stream, table, from, photos, sizes, seeds.as<int64_t>(), crops.as<float>(),
           corners.as<int64_t>());
  }
}

}  // namespace kgf::cuda
