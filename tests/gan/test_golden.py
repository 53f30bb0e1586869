"""The training follows a recorded run of the published program, step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from kernelgan_fast import ops as implementations
from kernelgan_fast.gan import losses, steps
from kernelgan_fast.gan.config import profile
from kernelgan_fast.gan.discriminator import Discriminator
from kernelgan_fast.gan.generator import Generator
from kernelgan_fast.gan.trainer import Batch, Trainer
from kernelgan_fast.ops import reference
from kernelgan_fast.ops.layout import discriminator_lengths, discriminator_shapes

if TYPE_CHECKING:
    from conftest import GoldenRun

ITERATIONS, CHANGE = 24, 12
# The start is ill-conditioned: after the change a rounding error grows tenfold in two iterations.
EARLY, LATE = 1e-9, 1e-5


@pytest.fixture
def ops(request: pytest.FixtureRequest) -> Any:
    chosen = getattr(implementations, request.param)
    if request.param == "native" and not chosen.supports(torch.float64):
        pytest.skip("the extension was built without float64")
    return chosen


def start(golden_run: GoldenRun, ops: Any) -> Trainer:
    config = profile("paper").replace(iterations=ITERATIONS)
    generator = Generator(1, config).double()
    discriminator = Discriminator(1, config).double()
    with torch.no_grad():
        generator.weights.copy_(golden_run.generator)
        discriminator.weights.copy_(golden_run.discriminator)
        discriminator.u.copy_(golden_run.u)
    return Trainer(generator, discriminator, config, ops=ops)


def follow(run: Trainer, golden_run: GoldenRun, ops: Any) -> tuple[list[float], list[list[float]]]:
    """Relative kernel error before each iteration; the losses of each."""
    ideal = losses.ideal_kernel(run.config.kernel_size)[None]
    errors, recorded = [], []
    for iteration in range(ITERATIONS):
        if iteration == CHANGE:
            run.schedule.ideal.fill_(5e-4)
            run.schedule.penalties.copy_(torch.tensor([[0.5, 0.5, 1.0, 5.0]]))
            run.refresh_pull()
        wanted = torch.from_numpy(golden_run.arrays["kernel"][iteration])
        errors.append(float((run.kernel.detach()[0] - wanted).norm() / wanted.norm()))
        crops = golden_run.crop("generator_corners", iteration, 64)
        target = ops.downscale_crops(crops.sum(dim=1, keepdim=True), ideal)
        real = golden_run.crop("real_corners", iteration, 26)
        record = run.iterate(iteration, Batch(crops, target, real, None))
        assert record is not None
        recorded.append(record[0].tolist())
    return errors, recorded


@pytest.mark.parametrize("ops", ["reference", "native"], indirect=True)
def test_follows_the_published_program(
    golden_run: GoldenRun, ops: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "RECORD_EVERY", 1)
    run = start(golden_run, ops)
    errors, recorded = follow(run, golden_run, ops)
    assert max(errors[: CHANGE + 1]) <= EARLY
    assert max(errors) <= LATE
    for name, values in zip(losses.LOSS_NAMES, np.transpose(recorded), strict=True):
        wanted = golden_run.arrays[name]
        np.testing.assert_allclose(values[:CHANGE], wanted[:CHANGE], rtol=1e-9, err_msg=name)
        # The centre loss is a difference of nearly equal numbers by then, hence the slack.
        np.testing.assert_allclose(values, wanted, rtol=1e-3, err_msg=name)
    check_final_weights(run, golden_run)


def check_final_weights(run: Trainer, golden_run: GoldenRun) -> None:
    config = run.config
    generator = run.generator.weights.detach()[0].numpy()
    np.testing.assert_allclose(
        generator[::151], golden_run.arrays["generator_final"], rtol=0, atol=1e-6
    )
    shapes = discriminator_shapes(
        3, config.features, config.discriminator_size, config.discriminator_blocks
    )
    parts = run.discriminator.weights.detach()[0].split(
        discriminator_lengths(shapes, config.features)
    )
    convolutions = np.concatenate([parts[2 * i].numpy()[::31] for i in range(len(shapes))])
    np.testing.assert_allclose(
        convolutions, golden_run.arrays["discriminator_final"], rtol=0, atol=1e-6
    )


def test_order_of_the_passes_matters(
    golden_run: GoldenRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The recorded run judges the real crop before the fake: the power iterations tell."""

    class FakeFirst:
        def __getattr__(self, name: str) -> Any:
            return getattr(reference, name)

        def discriminate(self, crops: torch.Tensor, *rest: Any) -> Any:
            d_map, u_next = reference.discriminate(crops.flip(1), *rest)
            return d_map.flip(1), u_next

    monkeypatch.setattr(steps, "RECORD_EVERY", 1)
    errors, _ = follow(start(golden_run, FakeFirst()), golden_run, FakeFirst())
    assert errors[3] > 1e-3


def test_boundary_mask(golden_run: GoldenRun) -> None:
    wanted = golden_run.arrays["boundary_mask"]
    np.testing.assert_allclose(losses.boundary_mask(13).numpy(), wanted, rtol=0, atol=1e-13)


def test_ideal_target_is_the_summed_bicubic(golden_run: GoldenRun) -> None:
    """The first generator output is about 1e-7, so the first ideal loss is the target's size."""
    crops = golden_run.crop("generator_corners", 0, 64).sum(dim=1, keepdim=True)
    target = reference.downscale_crops(crops, losses.ideal_kernel(13)[None])
    assert abs(float(target.square().mean()) - golden_run.arrays["ideal"][0]) < 1e-6
