"""Degradation models: true kernels, noise and compression, and the LR photos they make.

Shared by the command `degrade`, the training of the SR network and evaluation.
"""
