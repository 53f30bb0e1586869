"""The instrument: true kernels and the LR photos they make, and how far estimates are from them."""
