"""Estimates over many machines, and of photos in object storage.

`run` is the run as its caller sees it; `photos` finds what to do; `desk` is what one worker does
with its share, by the same `runs.work` as a folder run; `cluster` hands shares to Ray's workers and
hands those of a lost one out again; `table` gathers the results in one Parquet file; `storage`
knows fsspec. Ray, pyarrow and fsspec are imported here alone.
"""
