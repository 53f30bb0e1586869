"""The generator: a deep linear network that is one 13 x 13 stride-2 correlation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from kernelgan_fast.errors import InputError
from kernelgan_fast.gan.config import TrainConfig
from kernelgan_fast.gan.seeding import GENERATOR, generator_for
from kernelgan_fast.ops import reference
from kernelgan_fast.ops.layout import generator_shapes

_GAIN = 0.1
_FIT_TOLERANCE = 1e-3
_FIT_STEPS = 150
_FIT_RATE = 1e-3


class Generator(nn.Module):
    """N independent deep linear generators, their weights side by side in one parameter.

    In training it never runs layer by layer: `forward` composes the kernel and applies that.

    Args:
        count: number N of problems.
        config: sizes of the layers.
        seeds: N seeds of the initial weights, Xavier normal with gain 0.1; 0 .. N-1 if not given.

    Attributes:
        weights: (N, P) float32, layers (out, in, k, k) one after another.

    Source: paper section 4.1.
    """

    def __init__(
        self, count: int, config: TrainConfig, *, seeds: Sequence[int] | None = None
    ) -> None:
        super().__init__()
        self.sizes = config.generator_sizes
        self.features = config.features
        seeds = range(count) if seeds is None else seeds
        if len(seeds) != count:
            raise InputError(f"seeds must be one a problem, got {len(seeds)} for {count}; match.")
        self.weights = nn.Parameter(torch.stack([self._initial(seed) for seed in seeds]))

    def layers(self) -> list[Tensor]:
        """Return views (N, out, in, k, k) of the layers, first layer first."""
        shapes = generator_shapes(self.sizes, self.features)
        parts = self.weights.split([math.prod(shape) for shape in shapes], dim=1)
        return [part.unflatten(1, shape) for part, shape in zip(parts, shapes, strict=True)]

    def kernel(self, ops: Any = reference) -> Tensor:
        """Compose the layers.

        Args:
            ops: module with the ops.

        Returns:
            (N, K, K) correlation kernels.
        """
        kernel: Tensor = ops.extract_kernel(self.weights, self.sizes, self.features)
        return kernel

    def forward(self, crops: Tensor, ops: Any = reference) -> Tensor:
        """Downscale each problem's crop by 2.

        Args:
            crops: (N, C, S, S) in [-1, 1].
            ops: module with the ops.

        Returns:
            (N, C, T, T), T = (S - K)//2 + 1.
        """
        small: Tensor = ops.downscale_crops(crops, self.kernel(ops))
        return small

    def literal(self, crops: Tensor) -> Tensor:
        """Do what `forward` does the published way: layer by layer, stride 2 in the last.

        Args:
            crops: (N, C, S, S); every channel is a batch member of its own.

        Returns:
            (N, C, T, T).
        """
        layers = self.layers()
        outputs = []
        for problem, crop in enumerate(crops):
            hidden = crop[:, None]
            for index, layer in enumerate(layers):
                stride = 2 if index == len(layers) - 1 else 1
                hidden = functional.conv2d(hidden, layer[problem], stride=stride)
            outputs.append(hidden[:, 0])
        return torch.stack(outputs)

    def fit_to(
        self, kernel: Tensor, ops: Any = reference, *, problems: Sequence[int] | None = None
    ) -> None:
        """Set the weights so that the layers compose to given kernels.

        A short descent from the present weights aligns the layers as training would, which keeps
        later Adam steps small against the kernel; as the network is linear in its first layer, a
        least-squares step of least norm there then closes the rest. Deterministic, and what a
        problem gets does not depend on the others.

        Args:
            kernel: (N, K, K) or (K, K), finite, not all zero.
            ops: module with the ops, for the descent.
            problems: those N that get a kernel; all if not given.

        Raises:
            InputError: wrong shape, not finite or all zero, or layers too narrow for the kernel
                (relative error above 1e-3); the weights are then as before.
        """
        size = 1 + sum(side - 1 for side in self.sizes)
        which = range(len(self.weights)) if problems is None else problems
        count = len(which)
        if kernel.shape not in ((size, size), (count, size, size)):
            raise InputError(
                f"kernel must be ({size}, {size}) or ({count}, {size}, {size}), "
                f"got {tuple(kernel.shape)}; resize it."
            )
        start = self.weights.detach()[list(which)]
        targets = kernel.detach().to(start.device, torch.float64).expand(count, size, size)
        norms = targets.flatten(1).norm(dim=1)
        if not bool((torch.isfinite(norms) & (norms > 0)).all()):
            raise InputError("kernel must be finite and not all zero, got one that is not; fix it.")
        fitted = _descend(start, targets.to(start), self.sizes, self.features, ops)
        fitted = _close(fitted.double(), targets, self.sizes, self.features).to(start)
        composed = ops.extract_kernel(fitted, self.sizes, self.features)
        error = float(((composed - targets).flatten(1).norm(dim=1) / norms).max())
        if not error <= _FIT_TOLERANCE:
            raise InputError(
                f"kernel must be one that layers {self.sizes} of {self.features} features can "
                f"compose, got relative error {error:.2g}; use more features."
            )
        with torch.no_grad():
            self.weights[list(which)] = fitted

    def _initial(self, seed: int) -> Tensor:
        random = generator_for(seed, GENERATOR)
        layers = []
        for out, into, size, _ in generator_shapes(self.sizes, self.features):
            deviation = _GAIN * math.sqrt(2 / ((into + out) * size * size))
            layers.append(deviation * torch.randn(out * into * size * size, generator=random))
        return torch.cat(layers)


def _descend(
    start: Tensor, targets: Tensor, sizes: Sequence[int], features: int, ops: Any
) -> Tensor:
    """Adam with a linearly falling rate on the squared distance of the composed kernels."""
    if len(start) > 1 and not start.is_cuda:
        # On a CPU torch's Adam rounds the last few elements of a tensor otherwise than the rest, so
        # each problem descends alone. A GPU rounds all alike, and only many fill it.
        pairs = zip(start.split(1), targets.split(1), strict=True)
        return torch.cat([_descend(*pair, sizes, features, ops) for pair in pairs])
    weights = start.clone().requires_grad_()
    optimiser = torch.optim.Adam([weights], betas=(0.5, 0.999))
    for step in range(_FIT_STEPS):
        optimiser.param_groups[0]["lr"] = _FIT_RATE * (1 - step / _FIT_STEPS)
        optimiser.zero_grad()
        kernel = ops.extract_kernel(weights, sizes, features)
        (kernel - targets).square().sum().backward()
        optimiser.step()
    return weights.detach()


def _close(weights: Tensor, targets: Tensor, sizes: Sequence[int], features: int) -> Tensor:
    """Add to the first layers the least-norm change that makes the kernels exact."""
    shapes = generator_shapes(sizes, features)
    lengths = [math.prod(shape) for shape in shapes]
    side, size = sizes[0], targets.shape[-1]
    closed = weights.clone()
    for row, target in zip(closed, targets, strict=True):
        tail = row.new_ones(1, 1, 1, 1)
        parts = row.split(lengths)
        for part, shape in zip(reversed(parts[1:]), reversed(shapes[1:]), strict=True):
            tail = functional.conv_transpose2d(tail, part.reshape(shape))
        reach = tail.shape[-1]
        # kernel = system @ first layer: one shifted copy of the tail for each of its taps.
        system = row.new_zeros(size, size, shapes[0][0], side, side)
        for i in range(side):
            for j in range(side):
                system[i : i + reach, j : j + reach, :, i, j] = tail[0].permute(1, 2, 0)
        matrix = system.reshape(size * size, -1)
        missing = (target.flatten() - matrix @ row[: lengths[0]]).cpu()
        # Solved on the CPU, wherever the weights are: one small system at a time.
        gram = (matrix @ matrix.T).cpu()
        ridge = 1e-12 * gram.diagonal().mean() * torch.eye(len(gram), dtype=gram.dtype)
        row[: lengths[0]] += matrix.T @ torch.linalg.solve(gram + ridge, missing).to(row)
    return closed
