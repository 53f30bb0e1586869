"""The yardstick: the published algorithm written plainly with PyTorch's own layers.

The generator runs as six convolutions (twice an iteration), the discriminator as torch.nn modules
with spectral norm and batch norm, one crop at a time; its kernel comes from an impulse, as
published. Losses and schedule numbers are the package's. One thread, or a GPU as PyTorch uses it.

    python benchmarks/literal.py --iterations 20 [--device cuda]
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from kernelgan_fast.gan.config import TrainConfig, profile
from kernelgan_fast.gan.losses import boundary_mask, ideal_kernel
from kernelgan_fast.ops.reference import kernel_regularizers

SIDE = 256


class LiteralGenerator(nn.Module):
    """Six convolutions without bias or activation, stride 2 in the last; a channel is a picture."""

    def __init__(self, config: TrainConfig) -> None:
        super().__init__()
        sizes, features = config.generator_sizes, config.features
        last = len(sizes) - 1
        layers = [
            nn.Conv2d(
                features if index else 1,
                1 if index == last else features,
                size,
                stride=2 if index == last else 1,
                bias=False,
            )
            for index, size in enumerate(sizes)
        ]
        for layer in layers:
            nn.init.xavier_normal_(layer.weight, gain=0.1)
        self.layers = nn.Sequential(*layers)

    def forward(self, crop: Tensor) -> Tensor:
        """(1, 3, S, S) -> (1, 3, T, T)."""
        outputs: Tensor = self.layers(crop.transpose(0, 1))
        return outputs.transpose(0, 1)

    def kernel(self, size: int) -> Tensor:
        """(1, K, K): an impulse sent through the layers at stride 1, then flipped."""
        first = next(self.layers.parameters())
        hidden = torch.zeros(1, 1, 2 * size - 1, 2 * size - 1, device=first.device)
        hidden[0, 0, size - 1, size - 1] = 1
        for weight in self.layers.parameters():
            hidden = functional.conv2d(hidden, weight)
        return hidden[0].flip(1, 2)


def literal_discriminator(config: TrainConfig) -> nn.Sequential:
    """7 x 7 convolution, five [1 x 1 convolution, batch norm, ReLU], 1 x 1 convolution, sigmoid."""
    features = config.features
    layers: list[nn.Module] = [spectral_norm(nn.Conv2d(3, features, config.discriminator_size))]
    for _ in range(config.discriminator_blocks):
        layers.append(spectral_norm(nn.Conv2d(features, features, 1)))
        layers += [nn.BatchNorm2d(features), nn.ReLU()]
    return nn.Sequential(*layers, spectral_norm(nn.Conv2d(features, 1, 1)), nn.Sigmoid())


class LiteralTraining:
    """One photo (random pixels: the time does not depend on them), one crop at a time."""

    def __init__(self, config: TrainConfig, device: str = "cpu") -> None:
        self.config = config
        self.image = (torch.rand(1, 3, SIDE, SIDE) * 2 - 1).to(device)
        self.generator = LiteralGenerator(config).to(device)
        self.discriminator = literal_discriminator(config).to(device)
        rate, betas = config.learning_rate, (config.beta1, config.beta2)
        self.generator_adam = torch.optim.Adam(self.generator.parameters(), rate, betas)
        self.discriminator_adam = torch.optim.Adam(self.discriminator.parameters(), rate, betas)
        self.mask = boundary_mask(config.kernel_size).float().to(device)
        ideal = ideal_kernel(config.kernel_size).float().to(device)
        self.ideal = ideal.expand(3, 1, -1, -1).contiguous()
        self.weights = torch.tensor([[0.5, 0.5, 1.0, 5.0]], device=device)

    def iterate(self) -> tuple[float, float]:
        """One G step and one D step; both losses."""
        crop, real = self._crop(self.config.crop), self._crop(self.config.discriminator_crop)
        fake = self.generator(crop)
        ideal = functional.conv2d(crop, self.ideal, stride=2, groups=3)
        kernel = self.generator.kernel(self.config.kernel_size)
        penalty, _ = kernel_regularizers(kernel, self.mask, self.weights, self.config.sparse_power)
        generator_loss = (
            (self.discriminator(fake) - 1).abs().mean()
            + functional.mse_loss(fake, ideal) * self.config.weight_ideal
            + penalty.sum()
        )
        self.generator_adam.zero_grad()
        generator_loss.backward()
        self.generator_adam.step()

        fake = self.generator(crop).detach()
        fake = fake + torch.randn_like(fake) * self.config.noise_fake
        real = real + torch.randn_like(real) * self.config.noise_real
        discriminator_loss = (
            (self.discriminator(real) - 1).abs().mean() + self.discriminator(fake).abs().mean()
        ) / 2
        self.discriminator_adam.zero_grad()
        discriminator_loss.backward()
        self.discriminator_adam.step()
        return float(generator_loss.detach()), float(discriminator_loss.detach())

    def _crop(self, size: int) -> Tensor:
        row, col = (torch.randint((SIDE - size) // 2, (2,)) * 2).tolist()
        return self.image[:, :, row : row + size, col : col + size]


def time_literal(iterations: int, device: str = "cpu") -> dict[str, Any]:
    """Time the literal program on one thread of the CPU, or on a GPU fed by one.

    Args:
        iterations: timed iterations, at least 1; two more run before as warm-up, on a GPU ten.
        device: "cpu" or "cuda". Every iteration ends with its losses on the host.

    Returns:
        iterations; cpu_ms (process time) and wall_ms of one iteration; device, torch, machine.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        torch.manual_seed(0)
        training = LiteralTraining(profile("paper"), device)
        for _ in range(2 if device == "cpu" else 10):
            training.iterate()
        cpu, wall = time.process_time(), time.perf_counter()
        for _ in range(iterations):
            training.iterate()
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    finally:
        torch.set_num_threads(threads)
    return {
        "iterations": iterations,
        "cpu_ms": 1000 * cpu / iterations,
        "wall_ms": 1000 * wall / iterations,
        "device": device,
        "torch": torch.__version__,
        "machine": platform.machine(),
    }


def main() -> None:
    """Print the timing as JSON."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--iterations", type=int, default=20)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    print(json.dumps(time_literal(options.iterations, options.device), indent=2))


if __name__ == "__main__":
    main()
