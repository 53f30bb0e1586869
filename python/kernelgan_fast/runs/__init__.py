"""Runs over one or many photos: batches, result values, output files, records, resuming.

`settings` checks what is asked, `devices` where to train; `batch` takes photos through read, plan,
train and finish; `batches` does a run's batches on the CPU, `gpus` on GPUs (`shelf` prepares photos
ahead, `capacity` says how many fit, `parts` trains fewer where they did not); `work` puts files
and failures around it, `folder` makes it a run; `outputs` and `records` own what is written;
`findings` judges kernels; `clock` makes progress events; `result` holds the values that callers
get, `urls` those that name files elsewhere.
"""
