"""Zero-shot super-resolution: a small network that learns from one photo how to sharpen it.

The photo made smaller by the kernel is to the photo what the photo is to its enlargement. So the
network learns to turn the one into the other, and is then given the photo itself. The pair is
made once, for the whole photo; training only cuts crops out of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from kernelgan_fast.errors import ImageError, InputError, TrainingDiverged
from kernelgan_fast.kernels.blur_kernel import BlurKernel
from kernelgan_fast.sr.bicubic import enlarge
from kernelgan_fast.sr.cuda_graph import capturing
from kernelgan_fast.sr.factor_x4 import x2_of_x4
from kernelgan_fast.sr.forward_model import ForwardModel
from kernelgan_fast.sr.strips import in_strips
from kernelgan_fast.sr.upscaler import Options

_LAYERS, _CHANNELS = 8, 64

# Measured on photos of 288 px: for the same work, one crop a step is better than two or four. From
# 600 steps on there is little to gain there; larger photos have more to teach. A loss weighted by
# contrast gains at 300 steps and no longer at 1000.
ITERATIONS = 1000
_BATCH = 1
_CROP = 48  # LR px a side, and _LAYERS more on each side that the network sees
_RATE = 1e-3
_WARM_UP = 20
_QUEUED = 3  # steps before the one that is captured; they find out what it needs


class BackprojectionCounts(NamedTuple):
    """How often is projected back: before the network, after it, after the second half of x4."""

    before: int
    after: int
    after_x4: int


# Starting from what the kernel alone can tell, not from the bicubic enlargement, the network needs
# a third of the iterations. A second round of the network makes x4 worse, or no better.
_COUNTS, _COUNTS_NOISY = BackprojectionCounts(8, 2, 8), BackprojectionCounts(0, 0, 0)

# A smaller photo has too few crops; of a larger one, its middle shows enough of them.
_LEAST_SIDE, _MOST_SIDE = 16, 2048

# What lies 12 LR px off has been seen to change a result by less than 1/1000 of a grey level.
_CONTEXT = 16

_TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


class ZeroShot:
    """Eight convolutions on the back-projected photo, learned from the photo and its kernel.

    x4 begins with x2, by the x2 kernel that, used twice, comes nearest to the x4 kernel; the rest
    is bicubic, projected back by the x4 kernel. With noise the network starts from the bicubic
    enlargement instead, noise is added to what it learns from, and nothing is projected back.

    Args:
        kernel: of scale 2 or 4.
        options: `iterations` (1000), `seed`, `noise`, `progress`; `precision` "float32", or
            "bfloat16", which takes half the time where the processor multiplies it in hardware.
        photo: the whole LR photo, (1, 3, H, W) float32 in [0, 1]; all is done on its device.

    Attributes:
        network: that was trained.
        step, whole: models of the kernel of the first x2 and of the whole scale.
        times: of back-projections.

    Raises:
        ImageError: the photo is smaller than 16 px.
        InputError: another precision.
        TrainingDiverged: the weights are not finite.

    Source: Shocher et al., "Zero-Shot Super-Resolution using Deep Internal Learning", CVPR 2018,
        with the kernel given as in Bell-Kligler et al. 2019, section 5.
    """

    context = _CONTEXT
    multiple = 1

    def __init__(self, kernel: BlurKernel, options: Options, photo: Tensor) -> None:
        if options.precision not in _TYPES:
            raise InputError(
                f"zssr trains in {' or '.join(_TYPES)}, got precision '{options.precision}'"
            )
        if min(photo.shape[-2:]) < _LEAST_SIDE:
            height, width = photo.shape[-2:]
            raise ImageError(
                f"zssr learns from photos of at least {_LEAST_SIDE}x{_LEAST_SIDE} px, got "
                f"{width}x{height}; choose the method backprojection"
            )
        self.scale = kernel.scale
        step = x2_of_x4(kernel) if kernel.scale == 4 else kernel
        self.whole, self.step = (ForwardModel.of(each, photo.device) for each in (kernel, step))
        self._type = _TYPES[options.precision]
        noise = (options.total_noise or 0.0) / 255
        self.times = _COUNTS_NOISY if noise else _COUNTS
        random = torch.Generator().manual_seed(options.seed)
        self.network = Network(random).to(photo.device)
        pair = make_pair(_middle(photo), self.step, self.times.before)
        training = Training(self.network, pair, self._type, noise, random)
        training.run(options.iterations or ITERATIONS, options.progress)

    @torch.no_grad()
    def __call__(self, low: Tensor) -> Tensor:
        """See `Upscaler`."""
        start = project_back(enlarge(low, 2), low, self.step, self.times.before)
        seen = functional.pad(start, (_LAYERS,) * 4, mode="replicate")
        with torch.autocast(low.device.type, self._type, enabled=self._type != torch.float32):
            seen = seen.contiguous(memory_format=torch.channels_last)
            detail = in_strips(self.network, seen, _LAYERS)
        double = project_back(start + detail.float(), low, self.step, self.times.after)
        if self.scale == 2:
            return double
        return project_back(enlarge(double, 2), low, self.whole, self.times.after_x4)


class Network(nn.Module):
    """3x3 convolutions without biases or padding: (B, 3, H + 16, W + 16) to (B, 3, H, W).

    Args:
        random: what its weights are drawn from.
    """

    def __init__(self, random: torch.Generator) -> None:
        super().__init__()
        widths = [3] + [_CHANNELS] * (_LAYERS - 1) + [3]
        self.layers = nn.ModuleList(
            nn.Conv2d(before, after, 3, bias=False) for before, after in pairwise(widths)
        )
        for index, layer in enumerate(self.layers):
            assert isinstance(layer, nn.Conv2d)
            deviation = math.sqrt(2 / layer.weight[0].numel())
            if index == _LAYERS - 1:
                deviation /= 10  # the detail that it adds starts near 0
            nn.init.normal_(layer.weight, std=deviation, generator=random)
            layer.weight.data = layer.weight.data.contiguous(memory_format=torch.channels_last)

    def forward(self, seen: Tensor) -> Tensor:
        """The detail to be added to what is seen."""
        *hidden, last = self.layers
        for layer in hidden:
            seen = functional.relu(layer(seen), inplace=True)
        detail: Tensor = last(seen)
        return detail


class Pair(NamedTuple):
    """What is learned from, as all its crops: views of (3, rows, cols, side, side).

    Attributes:
        seen: the photo, shrunk by the kernel and enlarged again; sides 16 px longer.
        wanted: the photo itself.
    """

    seen: Tensor
    wanted: Tensor


def make_pair(photo: Tensor, model: ForwardModel, before: int) -> Pair:
    """Make the pair of a photo.

    Args:
        photo: (1, 3, H, W).
        model: of the kernel.
        before: how often the enlargement is projected back.

    Returns:
        Crops that start at multiples of the scale, of 48 px or what the photo has.
    """
    scale = model.scale
    height, width = (side // scale * scale for side in photo.shape[-2:])
    photo = photo[..., :height, :width]
    small = model.down(photo.reshape(3, 1, height, width)).reshape(1, 3, height // scale, -1)
    start = project_back(enlarge(small, scale), small, model, before)
    seen = functional.pad(start, (_LAYERS,) * 4, mode="replicate")
    side = min(_CROP, height, width)
    return Pair(_crops(seen, side + 2 * _LAYERS, scale), _crops(photo, side, scale))


class Training:
    """The whole training, by one step that reads nothing but tensors which stay where they are.

    So that the step can be captured as a CUDA graph, which it is on a GPU: its many small kernels
    may take longer to be queued than to run. Crops and rates are drawn before the first, and
    copied into place before each, as noise is.

    Args:
        network: is trained in place.
        pair: what it learns from.
        number_type: that convolutions compute in; weights and their updates are float32.
        noise: standard deviation of noise that the shrunk photo is given anew each time.
        random: what crops and noise are drawn from.
    """

    def __init__(
        self,
        network: Network,
        pair: Pair,
        number_type: torch.dtype,
        noise: float,
        random: torch.Generator,
    ) -> None:
        device = pair.wanted.device
        self._network, self._pair, self._type = network, pair, number_type
        self._random = random
        self._noise = noise
        self._rows, self._cols = torch.zeros((2, _BATCH), dtype=torch.int64, device=device)
        self._rate = torch.zeros((), device=device)
        side = pair.seen.shape[-1] // 2
        self._grain = torch.zeros((_BATCH, 3, side, side), device=device)
        self._adam = torch.optim.Adam(
            network.parameters(), lr=self._rate, fused=True, capturable=device.type == "cuda"
        )

    def run(self, iterations: int, progress: Callable[[float], None] | None) -> None:
        """Train.

        Args:
            iterations: steps.
            progress: called after each with the part that is done.

        Raises:
            TrainingDiverged: the weights are not finite.
        """
        count = self._pair.wanted.shape[1:3]
        size = (iterations, _BATCH)
        rows, cols = (
            torch.randint(each, size, generator=self._random).to(self._rows.device)
            for each in count
        )
        rates = _rates(iterations).to(self._rate.device)
        with capturing(self._rate.device) as capture:
            step = self._step
            for index in range(iterations):
                self._rows.copy_(rows[index])
                self._cols.copy_(cols[index])
                self._rate.copy_(rates[index])
                if self._noise:
                    self._grain.copy_(torch.randn(self._grain.shape, generator=self._random))
                if index == _QUEUED:
                    step = capture(self._step)
                step()
                if progress is not None:
                    progress((index + 1) / iterations)
        if not all(bool(weight.isfinite().all()) for weight in self._network.parameters()):
            raise TrainingDiverged(
                "the weights must stay finite, but training on this photo drove them off; "
                "look for values that are not finite in the photo, or choose another method",
                iteration=iterations - 1,
            )

    @torch.enable_grad()  # whatever the caller has switched off
    def _step(self) -> None:
        seen = self._pair.seen[:, self._rows, self._cols].transpose(0, 1)
        wanted = self._pair.wanted[:, self._rows, self._cols].transpose(0, 1)
        if self._noise:
            # As the bicubic enlargement of the shrunk photo shows it.
            seen = seen + enlarge(self._grain * self._noise, 2)
        seen = seen.contiguous(memory_format=torch.channels_last)
        self._adam.zero_grad(set_to_none=False)
        narrow = self._type != torch.float32
        # A graph cannot use what was cached outside of it.
        with torch.autocast(seen.device.type, self._type, enabled=narrow, cache_enabled=False):
            detail = self._network(seen)
        inner = slice(_LAYERS, -_LAYERS)
        loss = (seen[..., inner, inner] + detail.float() - wanted).abs().mean()
        loss.backward()
        self._adam.step()


def project_back(high: Tensor, low: Tensor, model: ForwardModel, times: int) -> Tensor:
    """Add what the LR photo says is missing.

    Args:
        high: (1, 3, sH, sW).
        low: (1, 3, H, W).
        model: of the kernel.
        times: how often.
    """
    planes = low.reshape(-1, 1, *low.shape[-2:])
    result = high.reshape(-1, 1, *high.shape[-2:])
    for _ in range(times):
        result = result + enlarge(planes - model.down(result), model.scale)
    return result.reshape(high.shape)


def _rates(iterations: int) -> Tensor:
    """A short rise, then half a cosine down to 0."""
    index = torch.arange(iterations)
    rise = ((index + 1) / _WARM_UP).clamp(max=1)
    return _RATE * rise * (1 + torch.cos(math.pi * index / iterations)) / 2


def _crops(image: Tensor, side: int, step: int) -> Tensor:
    return image[0].unfold(1, side, step).unfold(2, side, step)


def _middle(photo: Tensor) -> Tensor:
    """At most 2048 x 2048 px of the photo."""
    top, left = (max(0, side - _MOST_SIDE) // 2 for side in photo.shape[-2:])
    return photo[..., top : top + _MOST_SIDE, left : left + _MOST_SIDE]
