"""Trains the unfolding network, photos in, weights out: `python -m kernelgan_fast.training`."""
