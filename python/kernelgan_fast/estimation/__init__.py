"""Kernel estimation: from photos to kernels, by one of three methods, on CPUs and GPUs.

`options` checks what is asked; `pipeline` takes photos through reading, planning, training and
finishing; `spectral` and `recurrence` are two of the methods, the package `gan` is the third.
`batches` and `gpu_scheduler` share the photos out to devices (`devices`, `capacity`, `prefetcher`,
`memory_retry`); `aggregation` combines seeds into one kernel and `kernel_warnings` judges it;
`result` holds the values that callers get, `progress` the events they are sent.
"""
