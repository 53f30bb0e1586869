// What the .cu files of discriminate share: device teams, the arguments of a kernel, what a GPU can run.
#pragma once

#include <cuda_pipeline.h>

#include <type_traits>

#include "core/cuda.h"
#include "ops/discriminate/discriminate.h"
#include "ops/discriminate/discriminate_launch.h"
#include "ops/discriminate/discriminate_team.h"

namespace kgf::cuda {

using namespace kgf::discriminator;

// The limits that count: kernels written for chips without clusters have none.
DeviceLimits limits_for_build(int device);
// Refuses tf32 where the chip or the build has no such instructions.
void check_tensor_cores(bool wanted, int device);

// A file's own: each architecture sees other constants.
namespace {

#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 900
constexpr bool has_clusters = true;
#else
constexpr bool has_clusters = false;
#endif
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
constexpr bool has_tf32 = true;
#else
constexpr bool has_tf32 = false;
#endif

// A block alone; its room is shared memory. Tensor: float32 products are for warps, in tf32.
template <bool Tensor>
struct SharedTeam : BlockTeam {
  [[maybe_unused]] static constexpr Place place = Place::block;
  [[maybe_unused]] static constexpr bool keeps = false, tensor_cores = Tensor;
  static constexpr bool exists = !Tensor || has_tf32;

  // Not unrolled: that would make the kernels three times as long to compile and no faster.
  template <class F>
  __device__ void each(int count, F f) const {
    KGF_UNROLL_BY(1)
    for (int i = static_cast<int>(threadIdx.x); i < count; i += pass_threads) f(i);
  }
  template <class F>
  __device__ void each_warp(int count, F f) const {
    KGF_UNROLL_BY(1)
    for (int i = static_cast<int>(threadIdx.x) / 32; i < count; i += pass_threads / 32) f(i);
  }

  __device__ int rank() const { return 0; }
  __device__ int ranks() const { return 1; }
  __device__ void wait() const { sync(); }
  template <class P>
  __device__ P* peer(P* at, int) const {
    return at;
  }
  // Copies without waiting, where the chip can.
  template <class T>
  __device__ void fetch(T* to, const T* from, int count) const {
    if (count == 4) {
      for (int i = 0; i < 4 * static_cast<int>(sizeof(T)); i += 16) {
        __pipeline_memcpy_async(reinterpret_cast<char*>(to) + i,
                                reinterpret_cast<const char*>(from) + i, 16);
      }
    } else {
      __pipeline_memcpy_async(to, from, sizeof(T));
    }
  }
  __device__ void fetched() const {
    __pipeline_commit();
    __pipeline_wait_prior(0);
  }
};

// A block alone; its room is in the workspace.
struct WorkspaceTeam : SharedTeam<false> {
  [[maybe_unused]] static constexpr Place place = Place::workspace;

  template <class T>
  __device__ void fetch(T* to, const T* from, int count) const {
    for (int i = 0; i < count; ++i) to[i] = from[i];
  }
  __device__ void fetched() const {}
};

// The blocks of a cluster; a rank's room is its shared memory, which the others can read.
template <bool Tensor>
struct ClusterTeam : SharedTeam<Tensor> {
  [[maybe_unused]] static constexpr Place place = Place::cluster;
  [[maybe_unused]] static constexpr bool keeps = true;
  static constexpr bool exists = has_clusters;

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  __device__ int rank() const { return static_cast<int>(__clusterRelativeBlockRank()); }
  __device__ int ranks() const { return static_cast<int>(__clusterSizeInBlocks()); }
  __device__ void wait() const {
    __cluster_barrier_arrive();
    __cluster_barrier_wait();
  }
  template <class P>
  __device__ P* peer(P* at, int rank) const {
    return static_cast<P*>(
        __cluster_map_shared_rank(const_cast<std::remove_const_t<P>*>(at), rank));
  }
#endif
};

template <class T>
struct Call {
  DiscriminatorLayout layout;
  int passes;
  const T *grad_map, *crops, *weights, *u;
  T *map, *u_next, *saved;
  T *grad_crops, *grad_weights;  // each may be null
  T* workspace;
  Workspace parts;

  __device__ int64_t crop(int64_t task) const {
    return task * layout.channels * layout.side * layout.side;
  }
  __device__ T* problem(int64_t n) const { return saved + n * layout.saved(passes); }
  __device__ T* pass(int64_t task) const {
    return problem(task / passes) + layout.problem_part() + task % passes * layout.pass_part();
  }
  __device__ T* work(int64_t n, int64_t part) const {
    return workspace + n * parts.elements() + part;
  }
  template <class Team>
  __device__ T* room(int64_t task) const {
    if constexpr (Team::place != Place::workspace) return shared_memory<T>();
    return work(task / passes, parts.rooms() + task % passes * parts.room);
  }
};

// Calls run with the team for a place; tensor cores multiply float32 matrices in shared memory.
template <class T, class Run>
void by_team(Place place, bool tensor_cores, Run run) {
  if constexpr (sizeof(T) == 4) {
    if (tensor_cores && place == Place::cluster) return run(ClusterTeam<true>{});
    if (tensor_cores && place == Place::block) return run(SharedTeam<true>{});
  }
  switch (place) {
    case Place::cluster: return run(ClusterTeam<false>{});
    case Place::block: return run(SharedTeam<false>{});
    case Place::workspace: return run(WorkspaceTeam{});
  }
}

// Fills in the workspace, which must be there if the plan needs one.
template <class T>
void take_workspace(Call<T>& call, const Workspace& parts, const Array* workspace,
                    const Array& crops) {
  call.parts = parts;
  if (parts.elements() == 0 || crops.shape[0] == 0) return;
  KGF_CHECK(workspace, "workspace must be given, of ", parts.elements(), " elements a problem");
  kgf::check(*workspace, "workspace", crops.dtype, {crops.shape[0], parts.elements()});
  call.workspace = workspace->as<T>();
}

// Two blocks a multiprocessor, so that one computes while the other waits.
template <class T>
constexpr int blocks_at_once = sizeof(T) == 4 ? 2 : 1;

}  // namespace

}  // namespace kgf::cuda
