// Marks for functions that run on a GPU too; without a CUDA compiler they are nothing.
#pragma once

#ifdef __CUDACC__
#define KGF_HOST_DEVICE __host__ __device__
// For what a team runs (core/team.h): on the device under nvcc, on the host in tests.
#define KGF_DEVICE __device__
#else
#define KGF_HOST_DEVICE
#define KGF_DEVICE
#endif
