"""Kernel estimation: from photos to kernels, by one of three methods, on CPUs and GPUs.

`options` checks the arguments; `pipeline` prepares photos, finds their kernels and finishes the
estimates. The methods implement the interface of `estimator`: `spectral`, `kernelgan` (which trains
with the package `gan`) and `recurrence_search`. `batches` and `gpu_scheduler` distribute the photos
to devices (`devices`, `capacity`, `prefetcher`, `memory_retry`). `kernel_warnings` judges the
kernels; `result` holds the values and progress events that callers get.
"""
