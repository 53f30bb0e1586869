"""Jobs: the same functions applied to many files, with resuming, records and atomic output.

`job` is what the jobs of `degrade`, `downscale` and `upscale` share: one photo in, some files out,
one record for all. `estimate` is the job of `estimate`, which processes photos in batches.
`inputs` finds the photos, `outputs` names and writes the files, `records` and `schema` write and
check the records, `kernel_source` finds the kernel of each photo.
`distributed` runs `estimate` on many machines: `shares` splits the photos, `worker` processes one
share, `ray` hands shares to workers and hands out again those of lost ones, `storage` reads and
writes through fsspec, `table` collects all kernels in one Parquet file.
"""
