/* The engine of kernelgan-fast for programs in C and C++: super-resolution models (.onnx, or engines of
 * TensorRT) on images in memory, and the downscaling that the models undo.
 *
 *   kgf_model* model;      kgf_open("sr_x2.onnx", NULL, &model);
 *   kgf_context* context;  kgf_create_context(model, &context);
 *   kgf_run(context, &low, &high, NULL);
 *
 * Every function that can fail returns a kgf_status, and kgf_last_error() has the words. Nothing is
 * printed, nothing throws. A model may be used by any number of threads, a context by one at a time.
 * Structures that begin with struct_size may be of another version of this header: the size must end with
 * a field. Fields that are missing keep their default, and fields that this version does not know must be
 * 0.
 * Models run in ONNX Runtime 1.17 or newer, engines in the TensorRT that built them; these and the CUDA
 * runtime are opened when they are first needed (see kgf_options).
 */
#ifndef KERNELGAN_FAST_ENGINE_H
#define KERNELGAN_FAST_ENGINE_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#ifdef KGF_ENGINE_BUILD
#define KGF_API __declspec(dllexport)
#else
#define KGF_API __declspec(dllimport)
#endif
#else
#define KGF_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef enum kgf_status {
  KGF_OK = 0,
  KGF_INVALID_ARGUMENT = 1, /* a null pointer, a size, a stride, a channel count, a name */
  KGF_FILE_ERROR = 2,       /* the model's file cannot be read */
  KGF_MODEL_ERROR = 3,      /* the file is no model, or none that this engine can run */
  KGF_BACKEND_ERROR = 4, /* ONNX Runtime, TensorRT, CUDA or the GPU is not there, or not the one */
  KGF_RUN_ERROR = 5,     /* one of these failed at this image, or the result is not finite */
  KGF_OUT_OF_MEMORY = 6,
  KGF_CANCELLED = 7, /* the progress function said so */
  KGF_INTERNAL_ERROR = 8
} kgf_status;

/* What went wrong in this thread's last call that failed: valid UTF-8 of at most 4096 bytes, never null,
 * valid until the next. Bytes of paths and models that are not UTF-8, and control characters, are shown
 * as \xff. */
KGF_API const char* kgf_last_error(void);
/* Such as "0.1.0". */
KGF_API const char* kgf_version(void);

/* ---- Images ---- */

typedef enum kgf_type { KGF_UINT8 = 0, KGF_UINT16 = 1, KGF_FLOAT32 = 2 } kgf_type;

/* A borrowed image. Pixel (y, x) of channel c is at data + y·row_stride + x·pixel_stride +
 * c·channel_stride, all in bytes; strides may be negative, an input's may be 0 (one plane shown as
 * three). kgf_interleaved and kgf_planar fill them in. The address of a pixel need not be aligned. */
typedef struct kgf_image {
  void* data;
  int32_t type; /* a kgf_type */
  int32_t height, width, channels;
  int64_t row_stride, pixel_stride, channel_stride;
  /* The value of white, such as 1023 of 10-bit video; 0 for 255, 65535 or 1 by type. */
  float white;
} kgf_image;

/* RGBRGB…, rows without gaps. */
KGF_API kgf_image kgf_interleaved(void* data, int32_t type, int32_t height, int32_t width,
                                  int32_t channels);
/* One plane a channel, without gaps. */
KGF_API kgf_image kgf_planar(void* data, int32_t type, int32_t height, int32_t width,
                             int32_t channels);

/* ---- Models ---- */

typedef struct kgf_model kgf_model;
typedef struct kgf_context kgf_context;

typedef struct kgf_options {
  size_t struct_size; /* sizeof(kgf_options), as in KGF_OPTIONS_INIT */
  /* The library of ONNX Runtime. Null: environment variable KERNELGAN_FAST_ONNXRUNTIME, else the
   * usual names where the system looks for libraries. One that is named and cannot be had is an
   * error. So are `tensorrt` (KERNELGAN_FAST_TENSORRT) and `cudart` (KERNELGAN_FAST_CUDART). */
  const char* onnxruntime;
  int32_t threads; /* of one run; 0: one a core. Where the system gives fewer, it uses those */
  /* "cpu", "cuda", or a GPU by number as "cuda:1". Null: "cpu" for .onnx, "cuda" for engines. What
   * cannot run there is an error. */
  const char* device;
  const char* tensorrt;
  const char* cudart;
  /* Of ONNX Runtime on a GPU: the CUDA stream (cudaStream_t) of all runs, which then take turns. Null:
   * one of its own. */
  void* stream;
} kgf_options;
#define KGF_OPTIONS_INIT {sizeof(kgf_options), NULL, 0, NULL, NULL, NULL, NULL}

/* Opens a model file; `path` is UTF-8, `options` may be null. A name that ends in .engine or .plan is an
 * engine of TensorRT, with the .json beside it that kernelgan-fast writes; engines are programs, so open
 * only your own. Close the model with kgf_close. */
KGF_API kgf_status kgf_open(const char* path, const kgf_options* options, kgf_model** model);
/* The same for .onnx in memory, which is needed during the call only. */
KGF_API kgf_status kgf_open_memory(const void* bytes, size_t size, const kgf_options* options,
                                   kgf_model** model);
/* Contexts of the model stay good. Null is allowed. */
KGF_API void kgf_close(kgf_model* model);

typedef struct kgf_info {
  size_t struct_size;  /* sizeof(kgf_info), set by the caller */
  int32_t scale;       /* how many times larger the output is, or smaller if `shrinks` */
  int32_t shrinks;     /* 1 for a model that downscales: sides become ceil(side / scale) */
  int32_t channels;    /* of input and output; 0: any */
  int32_t kernel_size; /* largest side of the kernel that must be set; 0: the model has its own */
  int32_t numbers;     /* how many numbers it takes, see kgf_number_name */
  int32_t overlap;     /* input pixels beyond a tile that its result depends on; -1: unknown */
  int32_t least_side;  /* of an image, in pixels */
  int32_t most_side;   /* of what goes through at once, larger images go in tiles; 0: any */
  int32_t device;      /* number of the GPU; -1: the CPU */
} kgf_info;

KGF_API kgf_status kgf_get_info(const kgf_model* model, kgf_info* info);
/* The name of number `index`, such as "noise"; null if there is none. Lives as long as the model. */
KGF_API const char* kgf_number_name(const kgf_model* model, int32_t index);

/* ---- Runs ---- */

/* The state of one thread's runs: the kernel, the numbers, memory that is used again. */
KGF_API kgf_status kgf_create_context(const kgf_model* model, kgf_context** context);
/* Null is allowed. */
KGF_API void kgf_destroy_context(kgf_context* context);

/* The kernel, size × size in rows, as the package stores it: LR = correlate(HR, kernel)[::scale,
 * ::scale], sum 1. One that is smaller than the model's by an even number is framed with zeros. It is
 * copied. */
KGF_API kgf_status kgf_set_kernel(kgf_context* context, const float* kernel, int32_t size);
/* A number that is not set is 0: of "noise", that of rounding to 8 bits alone (else its standard
 * deviation in grey levels of 255); of "kernel_error", a kernel that is known exactly; of
 * "compression", a photo that was never compressed (JPEG 90, 75 and 50 are 0.10, 0.25 and 0.48). */
KGF_API kgf_status kgf_set_number(kgf_context* context, const char* name, float value);

typedef enum kgf_memory { KGF_HOST = 0, KGF_DEVICE = 1 } kgf_memory;

typedef struct kgf_run_options {
  size_t struct_size; /* sizeof(kgf_run_options), as in KGF_RUN_OPTIONS_INIT */
  int32_t tile;       /* side of the tiles in input pixels; 0: the whole image; -1: by its size */
  int32_t overlap;    /* input pixels around a tile; -1: what the model states */
  /* Called after every tile; what it returns other than 0 ends the run with KGF_CANCELLED. */
  int (*progress)(void* user, int32_t done, int32_t total);
  void* user;
  /* A kgf_memory: where both images are. KGF_DEVICE is the memory of the model's GPU, as cudaMalloc
   * gives it; images there are float32 in planes: a pixel_stride of 4, a white of 1, rows one after
   * another with any gap. */
  int32_t memory;
  /* A CUDA stream (cudaStream_t) of the model's GPU; null: with KGF_DEVICE the default one. With
   * KGF_DEVICE the run comes after what was put on it before, and may still be at work when kgf_run
   * returns: synchronise the stream, or put on it what reads `out`. With KGF_HOST all is done then. */
  void* stream;
} kgf_run_options;
#define KGF_RUN_OPTIONS_INIT {sizeof(kgf_run_options), -1, -1, NULL, NULL, KGF_HOST, NULL}

/* The sides of the output for an input of these sides. */
KGF_API kgf_status kgf_output_size(const kgf_model* model, int32_t height, int32_t width,
                                   int32_t* out_height, int32_t* out_width);
/* Runs the model. Integer outputs are rounded to the nearest and clipped, float ones are neither.
 * `out` must not overlap `in`, but may lie beside it on one canvas with equal row strides. `options` may be
 * null. A result of another shape than the scale says is KGF_MODEL_ERROR or KGF_RUN_ERROR. In host memory,
 * NaN or an infinity is KGF_INVALID_ARGUMENT if `in` has one, else KGF_RUN_ERROR; in a GPU's memory values
 * are not looked at. After KGF_INVALID_ARGUMENT for any other reason `out` is as it was; after other errors
 * some tiles of it may be written, and one that a float32 image in planes takes directly may hold NaN. */
KGF_API kgf_status kgf_run(kgf_context* context, const kgf_image* in, const kgf_image* out,
                           const kgf_run_options* options);

/* ---- Without a model ---- */

/* out = correlate(in, kernel)[::scale, ::scale], mirrored at the border, of ceil(side / scale) sides.
 * The kernel is size × size, size odd, finite. `out` must not overlap `in`. Needs no ONNX Runtime. */
KGF_API kgf_status kgf_downscale(const kgf_image* in, const float* kernel, int32_t size,
                                 int32_t scale, const kgf_image* out);
/* Threads that kgf_downscale may use, 1 from the start. Where the system gives fewer, it uses those. */
KGF_API kgf_status kgf_set_threads(int32_t threads);

#ifdef __cplusplus
}
#endif

#endif
