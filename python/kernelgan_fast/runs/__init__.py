"""Runs over one or many photos: batches, result values, output files, records, resuming.

`settings` checks what is asked; `batch` takes photos through read, plan, train and finish; `folder`
puts files and failures around it; `outputs` and `records` own what is written; `findings` judges
kernels; `clock` makes progress events; `result` holds the values that callers get.
"""
