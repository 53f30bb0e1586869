// Images in the memory of the fake GPU.
#pragma once

#include <vector>

#include "engine_pixels.h"

// Of fakes/cudart.cpp, as it has them.
extern "C" {
int cudaMalloc(void** memory, size_t bytes);
int cudaFree(void* memory);
int cudaStreamCreateWithFlags(void** stream, unsigned flags);
int cudaStreamDestroy(void* stream);
int cudaStreamSynchronize(void* stream);
int cudaMemcpyAsync(void* to, const void* from, size_t bytes, int kind, void* stream);
}

namespace kgf::test {

class Stream {
 public:
  Stream() { cudaStreamCreateWithFlags(&stream_, 1); }
  ~Stream() { cudaStreamDestroy(stream_); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  void* get() const { return stream_; }
  void wait() const { cudaStreamSynchronize(stream_); }

 private:
  void* stream_ = nullptr;
};

// Planes whose rows have a gap behind them.
class GpuImage {
 public:
  GpuImage(int height, int width, int gap = 0)
      : height_(height), width_(width), row_(width + gap), size_(size_t{3} * height * row_) {
    cudaMalloc(&data_, size_ * sizeof(float));
  }
  ~GpuImage() { cudaFree(data_); }
  GpuImage(const GpuImage&) = delete;
  GpuImage& operator=(const GpuImage&) = delete;

  kgf_image image() const {
    kgf_image image = kgf_planar(data_, KGF_FLOAT32, height_, width_, 3);
    image.row_stride = row_ * int64_t{4};
    image.channel_stride = image.row_stride * height_;
    return image;
  }
  // Puts the copy on the stream.
  void fill(const Pixels& pixels, const Stream& stream) {
    std::vector<float> rows(size_, -5.0f);
    for (int i = 0; i < 3 * height_; ++i) {
      std::copy_n(&pixels.data[size_t(i) * width_], width_, &rows[size_t(i) * row_]);
    }
    cudaMemcpyAsync(data_, rows.data(), size_ * sizeof(float), 1, stream.get());
  }
  // Waits for the stream.
  Pixels taken(const Stream& stream) const {
    std::vector<float> rows(size_);
    cudaMemcpyAsync(rows.data(), data_, size_ * sizeof(float), 2, stream.get());
    stream.wait();
    Pixels pixels(height_, width_);
    for (int i = 0; i < 3 * height_; ++i) {
      std::copy_n(&rows[size_t(i) * row_], width_, &pixels.data[size_t(i) * width_]);
    }
    return pixels;
  }

 private:
  int height_, width_, row_;
  size_t size_;
  void* data_ = nullptr;
};

inline kgf_run_options on_gpu(const Stream& stream, int tile = -1) {
  kgf_run_options options = KGF_RUN_OPTIONS_INIT;
  options.memory = KGF_DEVICE;
  options.stream = stream.get();
  options.tile = tile;
  return options;
}

}  // namespace kgf::test
