"""The discriminator: judges every 7 x 7 patch of a crop, fully convolutional."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from kernelgan_fast.errors import InputError
from kernelgan_fast.gan.config import TrainConfig
from kernelgan_fast.gan.seeding import DISCRIMINATOR, generator_for
from kernelgan_fast.ops import reference
from kernelgan_fast.ops.layout import discriminator_lengths, discriminator_shapes

_CHANNELS = 3
_GAMMA_DEVIATION = 0.02


class Discriminator(nn.Module):
    """N independent patch discriminators, their weights side by side in one parameter.

    Convolutions start from U(-1/sqrt(fan in), 1/sqrt(fan in)) with zero biases: the gain-0.1 start
    of the published program never reaches its spectrally normalised convolutions. Batch norm
    starts from gamma N(1, 0.02), beta 0.

    Args:
        count: number N of problems.
        config: sizes of the layers.
        seeds: N seeds of the initial weights; 0 .. N-1 if not given.

    Attributes:
        weights: (N, P) float32, laid out as `ops.layout.discriminator_shapes` says.
        u: (N, U) float32 left singular vector estimates, one after another.

    Source: paper section 4.2.
    """

    u: Tensor

    def __init__(
        self, count: int, config: TrainConfig, *, seeds: Sequence[int] | None = None
    ) -> None:
        super().__init__()
        self.features = config.features
        self.size = config.discriminator_size
        self.blocks = config.discriminator_blocks
        seeds = range(count) if seeds is None else seeds
        if len(seeds) != count:
            raise InputError(f"seeds must be one a problem, got {len(seeds)} for {count}; match.")
        weights, vectors = zip(*[self._initial(seed) for seed in seeds], strict=True)
        self.weights = nn.Parameter(torch.stack(weights))
        self.register_buffer("u", torch.stack(vectors))

    def views(self) -> dict[str, Tensor]:
        """Return named views of the weights.

        Returns:
            conv0.weight (N, out, in, k, k), conv0.bias (N, out), ... up to conv{blocks + 1}, then
            norm1.weight, norm1.bias (N, features), ... up to norm{blocks}.
        """
        shapes = self._shapes()
        parts = iter(self.weights.split(discriminator_lengths(shapes, self.features), dim=1))
        named = {}
        for index, shape in enumerate(shapes):
            named[f"conv{index}.weight"] = next(parts).unflatten(1, shape)
            named[f"conv{index}.bias"] = next(parts)
        for block in range(1, self.blocks + 1):
            named[f"norm{block}.weight"] = next(parts)
            named[f"norm{block}.bias"] = next(parts)
        return named

    def forward(self, crops: Tensor, ops: Any = reference) -> tuple[Tensor, Tensor]:
        """Judge crops, each in a pass with batch statistics and a power iteration of its own.

        Args:
            crops: (N, B, 3, S, S) in [-1, 1], B passes.
            ops: module with the ops.

        Returns:
            map: (N, B, T, T) in (0, 1), T = S - size + 1; 1 says "from the photo".
            u_next: (N, U); the caller decides whether to keep it.
        """
        d_map: tuple[Tensor, Tensor] = ops.discriminate(
            crops, self.weights, self.u, self.features, self.size, self.blocks
        )
        return d_map

    def literal(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """Do what `forward` does the published way, with convolutions and torch's batch norm.

        Args:
            crops: (N, B, 3, S, S).

        Returns:
            map (N, B, T, T) and u_next (N, U), as `forward`.
        """
        named = self.views()
        maps, vectors = [], []
        for problem, passes in enumerate(crops):
            own = {name: view[problem] for name, view in named.items()}
            u = list(self.u[problem].split([shape[0] for shape in self._shapes()]))
            maps.append(torch.cat([self._literal_pass(crop, own, u) for crop in passes]))
            vectors.append(torch.cat(u))
        return torch.stack(maps), torch.stack(vectors)

    def _literal_pass(self, crop: Tensor, own: dict[str, Tensor], u: list[Tensor]) -> Tensor:
        """One pass of one problem over (3, S, S); replaces the vectors in `u`."""
        hidden = crop[None]
        for index in range(self.blocks + 2):
            weight = own[f"conv{index}.weight"]
            matrix = weight.flatten(1)
            with torch.no_grad():
                v = functional.normalize(matrix.T @ u[index], dim=0, eps=1e-12)
                u[index] = functional.normalize(matrix @ v, dim=0, eps=1e-12)
            sigma = u[index] @ (matrix @ v)
            hidden = functional.conv2d(hidden, weight / sigma, own[f"conv{index}.bias"])
            if 1 <= index <= self.blocks:
                gamma, beta = own[f"norm{index}.weight"], own[f"norm{index}.bias"]
                hidden = functional.batch_norm(hidden, None, None, gamma, beta, training=True)
                hidden = torch.relu(hidden)
        return torch.sigmoid(hidden)[:, 0]

    def _shapes(self) -> list[tuple[int, int, int, int]]:
        return discriminator_shapes(_CHANNELS, self.features, self.size, self.blocks)

    def _initial(self, seed: int) -> tuple[Tensor, Tensor]:
        """Flat weights and u vectors of one problem."""
        random = generator_for(seed, DISCRIMINATOR)
        parts, vectors = [], []
        for out, into, size, _ in self._shapes():
            bound = 1 / math.sqrt(into * size * size)
            uniform = torch.rand(out * into * size * size, generator=random)
            parts += [bound * (2 * uniform - 1), torch.zeros(out)]
            vectors.append(functional.normalize(torch.randn(out, generator=random), dim=0))
        for _ in range(self.blocks):
            gamma = 1 + _GAMMA_DEVIATION * torch.randn(self.features, generator=random)
            parts += [gamma, torch.zeros(self.features)]
        return torch.cat(parts), torch.cat(vectors)
