"""Training on a GPU: replayed as it is queued, apart from the batch, beside the CPU."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from kernelgan_fast.estimation.devices import missing_for_cuda
from kernelgan_fast.gan import graph, losses, trainer
from kernelgan_fast.gan.batches import Batch, Problem, Source, batches
from kernelgan_fast.gan.config import TrainConfig, profile
from kernelgan_fast.gan.crops import plan_crops
from kernelgan_fast.gan.discriminator import Discriminator
from kernelgan_fast.gan.generator import Generator
from kernelgan_fast.gan.steps import Trainer
from kernelgan_fast.ops import native

_MISSING = missing_for_cuda()
pytestmark = pytest.mark.skipif(_MISSING is not None, reason=f"needs a GPU: {_MISSING}")

CUDA = torch.device("cuda", 0)


@pytest.fixture
def problems(golden: Path) -> list[Problem]:
    with Image.open(golden / "coffee_192x256.png") as picture:
        plan = plan_crops(np.asarray(picture.convert("RGB")), profile("corrected"))
    return [Problem(plan, seed) for seed in (0, 1, 2)]


def trained(problems: list[Problem], config: TrainConfig, capture: Any) -> list[Any]:
    with graph.on_device(CUDA):
        share = trainer._Share(problems, config, ops=native, device=CUDA, graph=capture)
        share.train(lambda: False, None)
        return share.results()


def assert_same(got: list[Any], wanted: list[Any]) -> None:
    for one, other in zip(got, wanted, strict=True):
        assert np.isfinite(one.kernel).all()
        assert np.array_equal(one.kernel, other.kernel)
        for name, values in one.history.items():
            assert np.array_equal(values, other.history[name]), name


@contextlib.contextmanager
def queued() -> Iterator[graph.Capture]:
    """Every segment as Python queues it, without a graph."""
    yield lambda work: work


@pytest.mark.parametrize("name", ["paper", "corrected"])
def test_a_graph_gives_the_bits_of_its_kernels_queued_one_by_one(
    name: str, problems: list[Problem]
) -> None:
    config = profile(name).replace(iterations=245, ideal_every=40, decay_every=100)
    replayed = trained(problems, config, graph.cuda_graph)
    assert_same(replayed, trained(problems, config, queued))
    assert_same(replayed, trained(problems, config, graph.cuda_graph))


@pytest.mark.parametrize("start", [None, losses.ideal_kernel(13).numpy()])
def test_a_problem_does_not_depend_on_its_batch(start: Any, problems: list[Problem]) -> None:
    problems = [dataclasses.replace(problem, start=start) for problem in problems]
    config = profile("corrected").replace(iterations=60)
    together = trainer.train(problems, config, device=CUDA)
    for index in (0, 2):
        (alone,) = trainer.train(problems[index : index + 1], config, device=CUDA)
        assert np.array_equal(alone.kernel, together[index].kernel)
        # torch sums one row in another order than three.
        for name, values in alone.history.items():
            assert np.allclose(values, together[index].history[name], 1e-5, 1e-6), name
    assert_same(trainer.train(problems[::-1], config, device=CUDA), together[::-1])


def test_generators_are_fitted_on_the_gpu() -> None:
    config = profile("corrected")
    kernels = torch.stack([losses.ideal_kernel(13), losses.ideal_kernel(13).roll(1, dims=0)])
    generator = Generator(3, config).to(CUDA)
    before = generator.weights.detach().clone()
    generator.fit_to(kernels, native, problems=[2, 0])
    assert generator.weights.is_cuda and torch.equal(generator.weights[1], before[1])
    composed = generator.kernel(native).detach().cpu().double()[[2, 0]]
    assert float((composed - kernels).norm() / kernels.norm()) < 1e-5


def test_draws_are_those_of_the_cpu(problems: list[Problem]) -> None:
    config = profile("corrected")
    here, there = (
        Source(problems, config, ops=native, device=device).draw(7, 20) for device in ("cpu", CUDA)
    )
    assert torch.equal(here.crops, there.crops.cpu())
    for part in ("target", "real", "noise"):
        difference = getattr(here, part) - getattr(there, part).cpu()
        assert float(difference.abs().max()) < 1e-5, part


def test_kernels_follow_those_of_the_cpu(problems: list[Problem]) -> None:
    """Every tap for twenty iterations, from a start off its kinks, as in test_agreement.py."""
    config = profile("corrected").replace(iterations=20)
    places = torch.arange(config.kernel_size, dtype=torch.float64) - config.kernel_size / 2
    line = torch.exp(-places.square() / (2 * 2.5**2))
    wide = torch.outer(line, line) / line.sum() ** 2
    start = 0.95 * losses.ideal_kernel(config.kernel_size) + 0.025 * wide

    def trainer_on(device: Any) -> Trainer:
        seeds = [problem.seed for problem in problems]
        generator = Generator(len(seeds), config, seeds=seeds)
        generator.fit_to(start)
        discriminator = Discriminator(len(seeds), config, seeds=seeds)
        return Trainer(generator.to(device), discriminator.to(device), config, ops=native)

    here, there = trainer_on("cpu"), trainer_on(CUDA)
    for iteration, batch in enumerate(batches(problems, config, ops=native)):
        here.iterate(iteration, batch)
        there.iterate(
            iteration, Batch(*(None if part is None else part.to(CUDA) for part in batch))
        )
        apart = (here.kernel.detach() - there.kernel.detach().cpu()).abs().max()
        assert float(apart) < 1e-3, iteration


def test_tf32_stays_near_float32(problems: list[Problem]) -> None:
    """Of the early iterations; how far whole trainings are apart is the benchmarks' to say."""
    config = profile("corrected").replace(iterations=3)
    exact, rough = (
        trainer.train(problems, config.replace(matmul=matmul), device=CUDA)[0]
        for matmul in ("float32", "tf32")
    )
    assert abs(exact.history["gan_d"][0] - rough.history["gan_d"][0]) < 1e-2
    assert np.isfinite(rough.kernel).all()
