// The compiled module kernelgan_fast._native: names, arguments, docstrings; no logic.
//
// Every function takes contiguous tensors of one device, writes its results into tensors that the caller
// made, and raises InputError (kgf::Error) naming the argument where one does not fit. On a GPU it queues
// the work on the stream `cuda_stream` (a cudaStream_t as a number) and returns at once.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "bindings/tensor.h"
#include "core/simd_level.h"
#include "core/thread_pool.h"
#include "ops/discriminate/discriminate.h"
#include "ops/downscale/downscale.h"
#include "ops/downscale_crops/downscale_crops.h"
#include "ops/extract_kernel/extract_kernel.h"
#include "ops/gaussian_noise/gaussian_noise.h"
#include "ops/kernel_regularizers/kernel_regularizers.h"
#include "ops/sample_crops/sample_crops.h"

namespace py = pybind11;
using kgf::Array;
using kgf::bindings::array_of;

namespace {

using Tensor = py::object;

// A tensor, or None for none.
class Optional {
 public:
  Optional(const Tensor& tensor, const char* argument) : given_(!tensor.is_none()) {
    if (given_) array_ = array_of(tensor, argument);
  }
  const Array* get() const { return given_ ? &array_ : nullptr; }

 private:
  bool given_;
  Array array_;
};

kgf::Stream stream_of(uintptr_t cuda_stream) { return {reinterpret_cast<void*>(cuda_stream)}; }

std::vector<Array> arrays_of(const std::vector<Tensor>& tensors, const char* argument) {
  std::vector<Array> arrays;
  for (const Tensor& tensor : tensors) arrays.push_back(array_of(tensor, argument));
  return arrays;
}

constexpr bool has_float64() {
#ifdef KGF_FLOAT64
  return true;
#else
  return false;
#endif
}

void bind_build(py::module_& m) {
  m.attr("version") = KGF_VERSION;
  m.attr("build_info") = KGF_BUILD_INFO;
  m.attr("float64") = has_float64();
  m.def(
      "simd_level", [] { return std::string(kgf::name(kgf::simd_level())); },
      "Name of the instruction set level in use.");
  m.def("simd_levels", &kgf::simd_levels, "Levels that this build and this CPU have, worst first.");
  m.def("set_simd_level", &kgf::set_simd_level, py::arg("level"), "Chooses a level by name.");
  m.def("num_threads", &kgf::num_threads, "Threads that the ops use, the caller included.");
  m.def("set_num_threads", &kgf::set_num_threads, py::arg("count"),
        "Sets the threads that the ops use.");
}

void bind_generator(py::module_& m) {
  m.def("extract_kernel_saved", &kgf::extract_kernel_saved, py::arg("sizes"), py::arg("features"),
        "Length of a problem's row of `saved`.");
  m.def(
      "extract_kernel_forward",
      [](const Tensor& weights, const std::vector<int>& sizes, int features, const Tensor& kernel,
         const Tensor& saved, uintptr_t cuda_stream) {
        const Array w = array_of(weights, "weights"), k = array_of(kernel, "kernel"),
                    s = array_of(saved, "saved");
        py::gil_scoped_release release;
        kgf::extract_kernel_forward(w, sizes, features, k, s, stream_of(cuda_stream));
      },
      py::arg("weights"), py::arg("sizes"), py::arg("features"), py::arg("kernel"),
      py::arg("saved"), py::arg("cuda_stream") = 0,
      "weights (N, P) -> kernel (N, K, K), saved (N, Q).");
  m.def(
      "extract_kernel_backward",
      [](const Tensor& grad_kernel, const Tensor& weights, const Tensor& saved,
         const std::vector<int>& sizes, int features, const Tensor& grad_weights,
         const Tensor& workspace, uintptr_t cuda_stream) {
        const Array g = array_of(grad_kernel, "grad_kernel"), w = array_of(weights, "weights"),
                    s = array_of(saved, "saved"), out = array_of(grad_weights, "grad_weights");
        const Optional space(workspace, "workspace");
        py::gil_scoped_release release;
        kgf::extract_kernel_backward(g, w, s, sizes, features, out, space.get(),
                                     stream_of(cuda_stream));
      },
      py::arg("grad_kernel"), py::arg("weights"), py::arg("saved"), py::arg("sizes"),
      py::arg("features"), py::arg("grad_weights"), py::arg("workspace") = py::none(),
      py::arg("cuda_stream") = 0,
      "grad_kernel (N, K, K) -> grad_weights (N, P); workspace (N, Q) on a GPU.");
  m.def(
      "kernel_regularizers_forward",
      [](const Tensor& kernel, const Tensor& mask, const Tensor& weights, double sparse_power,
         const Tensor& loss, const Tensor& terms, const Tensor& grad, uintptr_t cuda_stream) {
        kgf::kernel_regularizers_forward(array_of(kernel, "kernel"), array_of(mask, "mask"),
                                         array_of(weights, "weights"), sparse_power,
                                         array_of(loss, "loss"), array_of(terms, "terms"),
                                         array_of(grad, "grad"), stream_of(cuda_stream));
      },
      py::arg("kernel"), py::arg("mask"), py::arg("weights"), py::arg("sparse_power"),
      py::arg("loss"), py::arg("terms"), py::arg("grad"), py::arg("cuda_stream") = 0,
      "kernel (N, K, K) -> loss (N), terms (N, 4), grad (N, K, K).");
}

void bind_crops(py::module_& m) {
  m.def(
      "sample_crops",
      [](const std::vector<Tensor>& images, const std::vector<Tensor>& cdfs, const Tensor& seeds,
         int stream, int64_t first, double noise, const Tensor& crops, const Tensor& corners,
         uintptr_t cuda_stream) {
        const std::vector<Array> i = arrays_of(images, "images"), c = arrays_of(cdfs, "cdfs");
        const Array s = array_of(seeds, "seeds"), out = array_of(crops, "crops"),
                    at = array_of(corners, "corners");
        py::gil_scoped_release release;
        kgf::sample_crops(i, c, s, stream, first, noise, out, at, stream_of(cuda_stream));
      },
      py::arg("images"), py::arg("cdfs"), py::arg("seeds"), py::arg("stream"), py::arg("first"),
      py::arg("noise"), py::arg("crops"), py::arg("corners"), py::arg("cuda_stream") = 0,
      "images, cdfs, seeds (N) -> crops (steps, N, C, size, size), corners (steps, N, 2).");
  m.def(
      "gaussian_noise",
      [](const Tensor& seeds, int stream, int64_t first, const Tensor& out, uintptr_t cuda_stream) {
        const Array s = array_of(seeds, "seeds"), noise = array_of(out, "out");
        py::gil_scoped_release release;
        kgf::gaussian_noise(s, stream, first, noise, stream_of(cuda_stream));
      },
      py::arg("seeds"), py::arg("stream"), py::arg("first"), py::arg("out"),
      py::arg("cuda_stream") = 0, "seeds (N) -> out (steps, N, ...) of N(0, 1).");
  m.def(
      "downscale_crops_forward",
      [](const Tensor& crops, const Tensor& kernel, const Tensor& out, uintptr_t cuda_stream) {
        const Array c = array_of(crops, "crops"), k = array_of(kernel, "kernel"),
                    o = array_of(out, "out");
        py::gil_scoped_release release;
        kgf::downscale_crops_forward(c, k, o, stream_of(cuda_stream));
      },
      py::arg("crops"), py::arg("kernel"), py::arg("out"), py::arg("cuda_stream") = 0,
      "crops (N, C, S, S), kernel (N, K, K) -> out (N, C, T, T).");
  m.def(
      "downscale_crops_backward",
      [](const Tensor& grad_out, const Tensor& crops, const Tensor& grad_kernel,
         uintptr_t cuda_stream) {
        const Array g = array_of(grad_out, "grad_out"), c = array_of(crops, "crops"),
                    k = array_of(grad_kernel, "grad_kernel");
        py::gil_scoped_release release;
        kgf::downscale_crops_backward(g, c, k, stream_of(cuda_stream));
      },
      py::arg("grad_out"), py::arg("crops"), py::arg("grad_kernel"), py::arg("cuda_stream") = 0,
      "grad_out (N, C, T, T), crops (N, C, S, S) -> grad_kernel (N, K, K).");
}

void bind_discriminator(py::module_& m) {
  m.def("discriminate_saved", &kgf::discriminate_saved, py::arg("channels"), py::arg("side"),
        py::arg("features"), py::arg("size"), py::arg("blocks"), py::arg("passes"),
        "Length of a problem's row of `saved`.");
  m.def(
      "discriminate_workspace",
      [](int channels, int side, int features, int size, int blocks, int passes, bool needs_crops,
         bool needs_weights, bool float64, int device) {
        using Call = kgf::DiscriminateCall;
        const Call call = needs_crops && needs_weights ? Call::backward_both
                          : needs_crops                ? Call::backward_crops
                          : needs_weights              ? Call::backward_weights
                                                       : Call::forward;
        return kgf::discriminate_workspace(channels, side, features, size, blocks, passes, call,
                                           float64, device);
      },
      py::arg("channels"), py::arg("side"), py::arg("features"), py::arg("size"), py::arg("blocks"),
      py::arg("passes"), py::arg("needs_crops"), py::arg("needs_weights"), py::arg("float64"),
      py::arg("device"),
      "Length of a problem's row of `workspace` on a CUDA device; forward needs neither gradient.");
  m.def("set_cuda_matmul", &kgf::set_cuda_matmul, py::arg("precision"),
        "Chooses how GPUs multiply matrices: float32 or tf32.");
  m.def("cuda_matmul", &kgf::cuda_matmul, "How GPUs multiply matrices.");
  m.def(
      "discriminate_forward",
      [](const Tensor& crops, const Tensor& weights, const Tensor& u, int features, int size,
         int blocks, const Tensor& map, const Tensor& u_next, const Tensor& saved,
         const Tensor& workspace, uintptr_t cuda_stream) {
        const Array c = array_of(crops, "crops"), w = array_of(weights, "weights"),
                    u0 = array_of(u, "u"), o = array_of(map, "map"),
                    u1 = array_of(u_next, "u_next"), s = array_of(saved, "saved");
        const Optional space(workspace, "workspace");
        py::gil_scoped_release release;
        kgf::discriminate_forward(c, w, u0, features, size, blocks, o, u1, s, space.get(),
                                  stream_of(cuda_stream));
      },
      py::arg("crops"), py::arg("weights"), py::arg("u"), py::arg("features"), py::arg("size"),
      py::arg("blocks"), py::arg("map"), py::arg("u_next"), py::arg("saved"),
      py::arg("workspace") = py::none(), py::arg("cuda_stream") = 0,
      "crops (N, B, C, S, S), weights (N, P), u (N, U) -> map (N, B, T, T), u_next (N, U), saved "
      "(N, Q).");
  m.def(
      "discriminate_backward",
      [](const Tensor& grad_map, const Tensor& crops, const Tensor& weights, const Tensor& map,
         const Tensor& saved, int features, int size, int blocks, const Tensor& grad_crops,
         const Tensor& grad_weights, const Tensor& workspace, uintptr_t cuda_stream) {
        const Array g = array_of(grad_map, "grad_map"), c = array_of(crops, "crops"),
                    w = array_of(weights, "weights"), o = array_of(map, "map"),
                    s = array_of(saved, "saved");
        const Optional to_crops(grad_crops, "grad_crops"), to_weights(grad_weights, "grad_weights"),
            space(workspace, "workspace");
        py::gil_scoped_release release;
        kgf::discriminate_backward(g, c, w, o, s, features, size, blocks, to_crops.get(),
                                   to_weights.get(), space.get(), stream_of(cuda_stream));
      },
      py::arg("grad_map"), py::arg("crops"), py::arg("weights"), py::arg("map"), py::arg("saved"),
      py::arg("features"), py::arg("size"), py::arg("blocks"), py::arg("grad_crops"),
      py::arg("grad_weights"), py::arg("workspace") = py::none(), py::arg("cuda_stream") = 0,
      "grad_map (N, B, T, T) -> grad_crops (N, B, C, S, S) and grad_weights (N, P), each unless "
      "None.");
}

void bind_images(py::module_& m) {
  m.def(
      "downscale_forward",
      [](const Tensor& images, const Tensor& kernel, int scale, const Tensor& out,
         uintptr_t cuda_stream) {
        const Array i = array_of(images, "images"), k = array_of(kernel, "kernel"),
                    o = array_of(out, "out");
        py::gil_scoped_release release;
        kgf::downscale_forward(i, k, scale, o, stream_of(cuda_stream));
      },
      py::arg("images"), py::arg("kernel"), py::arg("scale"), py::arg("out"),
      py::arg("cuda_stream") = 0,
      "images (N, C, H, W), kernel (1 or N, K, K) -> out (N, C, ceil(H/scale), ceil(W/scale)).");
  m.def(
      "downscale_backward_images",
      [](const Tensor& grad_out, const Tensor& kernel, int scale, const Tensor& grad_images,
         uintptr_t cuda_stream) {
        const Array g = array_of(grad_out, "grad_out"), k = array_of(kernel, "kernel"),
                    i = array_of(grad_images, "grad_images");
        py::gil_scoped_release release;
        kgf::downscale_backward_images(g, k, scale, i, stream_of(cuda_stream));
      },
      py::arg("grad_out"), py::arg("kernel"), py::arg("scale"), py::arg("grad_images"),
      py::arg("cuda_stream") = 0, "The adjoint of downscale_forward.");
  m.def("downscale_bands", &kgf::downscale_bands, py::arg("images"), py::arg("channels"),
        py::arg("height"), py::arg("scale"), py::arg("kernels"),
        "Bands of the workspace of downscale_backward_kernel on a GPU.");
  m.def(
      "downscale_backward_kernel",
      [](const Tensor& grad_out, const Tensor& images, int scale, const Tensor& grad_kernel,
         const Tensor& workspace, uintptr_t cuda_stream) {
        const Array g = array_of(grad_out, "grad_out"), i = array_of(images, "images"),
                    k = array_of(grad_kernel, "grad_kernel");
        const Optional space(workspace, "workspace");
        py::gil_scoped_release release;
        kgf::downscale_backward_kernel(g, i, scale, k, space.get(), stream_of(cuda_stream));
      },
      py::arg("grad_out"), py::arg("images"), py::arg("scale"), py::arg("grad_kernel"),
      py::arg("workspace") = py::none(), py::arg("cuda_stream") = 0,
      "grad_out, images -> grad_kernel (1 or N, K, K); workspace (1 or N, bands, K, K) on a GPU.");
}

// Raises the package's exception of that name, which is the built-in one that a caller expects too.
void raise(const char* name, const std::exception& error) {
  const py::object type = py::module_::import("kernelgan_fast.errors").attr(name);
  PyErr_SetString(type.ptr(), error.what());
}

void translate_errors() {
  py::register_local_exception_translator([](std::exception_ptr error) {
    try {
      if (error) std::rethrow_exception(error);
    } catch (const kgf::Error& refusal) {
      raise("InputError", refusal);
    } catch (const kgf::DeviceError& failure) {
      raise("DeviceUnavailable", failure);
    }
  });
}

}  // namespace

PYBIND11_MODULE(_native, m) {
  m.doc() = "Fused operations of kernelgan_fast. Use kernelgan_fast.ops.";
  translate_errors();
  bind_build(m);
  bind_generator(m);
  bind_crops(m);
  bind_discriminator(m);
  bind_images(m);
}
