"""Steps, batches, threads, records, stopping."""

from __future__ import annotations

import gc
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from kernelgan_fast.errors import InputError, TrainingDiverged
from kernelgan_fast.gan import batches as draws_module
from kernelgan_fast.gan import losses
from kernelgan_fast.gan.config import TrainConfig
from kernelgan_fast.gan.discriminator import Discriminator
from kernelgan_fast.gan.generator import Generator
from kernelgan_fast.gan.steps import pieces
from kernelgan_fast.gan.trainer import Batch, Problem, Trainer, _Share, batches, train
from kernelgan_fast.ops import reference

MakeProblem = Callable[..., Problem]


def trainer_of(config: TrainConfig, count: int = 2) -> Trainer:
    generator, discriminator = Generator(count, config), Discriminator(count, config)
    return Trainer(generator.double(), discriminator.double(), config, ops=reference)


def random_draw(config: TrainConfig, count: int = 2) -> Batch:
    random = torch.Generator().manual_seed(3)
    side = config.discriminator_crop
    shapes = [(count, 3, config.crop, config.crop), *[(count, 3, side, side)] * 3]
    return Batch(*(torch.rand(s, generator=random, dtype=torch.float64) * 2 - 1 for s in shapes))


def test_generator_step_has_the_gradient_of_the_written_loss(small_config: TrainConfig) -> None:
    trainer, batch = trainer_of(small_config), random_draw(small_config)
    trainer.schedule.penalties.copy_(torch.tensor([[0.5, 0.5, 1, 5], [0.5, 0.5, 0, 0]]))
    trainer.schedule.ideal.copy_(torch.tensor([5.0, 0.05]))
    trainer.refresh_pull()
    generator, discriminator = trainer.generator, trainer.discriminator
    fake = generator(batch.crops)
    d_map, _ = discriminator(fake[:, None])
    mask = losses.boundary_mask(small_config.kernel_size)
    penalty, _ = reference.kernel_regularizers(
        generator.kernel(), mask, trainer.schedule.penalties, small_config.sparse_power
    )
    ideal = (fake - batch.target).square().mean(dim=(1, 2, 3))
    loss = (d_map - 1).abs().mean(dim=(1, 2, 3)) + penalty + trainer.schedule.ideal * ideal
    wanted = torch.autograd.grad(loss.sum(), generator.weights)[0]
    before = discriminator.weights.detach().clone()
    trainer.generator_step(0, batch.crops, batch.target)
    got = generator.weights.grad
    assert got is not None
    assert torch.allclose(got, wanted, rtol=1e-9, atol=1e-12 * float(wanted.abs().max()))
    assert torch.allclose(trainer.ideal_losses(1)[0], ideal.detach())
    assert torch.equal(discriminator.weights, before)
    assert discriminator.weights.grad is None


def test_discriminator_step_has_the_gradient_of_the_written_loss(
    small_config: TrainConfig,
) -> None:
    trainer, batch = trainer_of(small_config), random_draw(small_config)
    assert batch.noise is not None
    discriminator = trainer.discriminator
    fake = trainer.generator(batch.crops).detach() + batch.noise
    d_map, u_next = discriminator(torch.stack((batch.real, fake), dim=1))
    loss = losses.discriminator_loss(d_map).sum()
    wanted = torch.autograd.grad(loss, discriminator.weights)[0]
    before = trainer.generator.weights.detach().clone()
    trainer.discriminator_step(batch.real, batch.crops, batch.noise)
    got = discriminator.weights.grad
    assert got is not None
    assert torch.allclose(got, wanted, rtol=1e-9, atol=1e-12 * float(wanted.abs().max()))
    assert torch.equal(discriminator.u, u_next)
    assert torch.equal(trainer.generator.weights, before)


def test_one_composition_an_iteration(small_config: TrainConfig) -> None:
    calls: dict[str, int] = {}

    def counted(name: str) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            calls[name] = calls.get(name, 0) + 1
            return getattr(reference, name)(*arguments)

        return call

    names = ("extract_kernel", "kernel_regularizers", "downscale_crops", "discriminate")
    ops = SimpleNamespace(**{name: counted(name) for name in names})
    trainer = Trainer(
        Generator(1, small_config), Discriminator(1, small_config), small_config, ops=ops
    )
    calls.clear()
    batch = Batch(*(part.float() for part in random_draw(small_config, 1) if part is not None))
    trainer.iterate(0, batch)
    assert calls == dict(zip(names, (1, 1, 2, 2), strict=True))


def test_a_problem_does_not_depend_on_its_batch(
    small_config: TrainConfig, make_problem: MakeProblem
) -> None:
    one, other = make_problem(1), make_problem(2, side=30)
    # In float64: float32 rounding differs between batch sizes and the start magnifies it.
    exact = [float64_kernels(small_config, problems)[-1] for problems in ([one], [other, one])]
    assert float((exact[0] - exact[1]).norm() / exact[0].norm()) < 1e-11


def float64_kernels(config: TrainConfig, problems: list[Problem]) -> Tensor:
    seeds = [problem.seed for problem in problems]
    trainer = Trainer(
        Generator(len(seeds), config, seeds=seeds).double(),
        Discriminator(len(seeds), config, seeds=seeds).double(),
        config,
        ops=reference,
    )
    for iteration, batch in enumerate(
        batches(problems, config, ops=reference, dtype=torch.float64)
    ):
        trainer.iterate(iteration, batch)
    return trainer.kernel.detach()


def test_same_seed_same_kernel(small_config: TrainConfig, make_problem: MakeProblem) -> None:
    problem = make_problem(4)
    runs = [train([problem], small_config, ops=reference)[0].kernel for _ in range(2)]
    assert np.array_equal(*runs)
    other = train([Problem(problem.plan, 5)], small_config, ops=reference)[0].kernel
    assert not np.array_equal(runs[0], other)


def test_result(small_config: TrainConfig, make_problem: MakeProblem) -> None:
    threads, image = torch.get_num_threads(), make_problem(1).plan.image
    before = image.clone()
    result = train([make_problem(1)], small_config, ops=reference)[0]
    assert result.kernel.shape == (5, 5)
    assert result.kernel.dtype == np.float64
    assert result.iterations.tolist() == [0, 10, 20, 24]
    assert tuple(result.history) == losses.LOSS_NAMES
    assert all(values.shape == (4,) for values in result.history.values())
    assert not result.diverged
    assert torch.get_num_threads() == threads
    assert torch.equal(image, before)


def test_similar_is_reported(small_config: TrainConfig, make_problem: MakeProblem) -> None:
    def similar_at(below: float) -> int | None:
        config = small_config.replace(similar_below=below)
        return train([make_problem(1)], config, ops=reference)[0].similar_at

    assert similar_at(100.0) == 2
    assert similar_at(0.0) is None


def test_late_weights_enter(small_config: TrainConfig, make_problem: MakeProblem) -> None:
    config = small_config.replace(ideal_every=5, similar_below=100.0)
    late = train([make_problem(1)], config, ops=reference)[0]
    plain = train([make_problem(1)], small_config, ops=reference)[0]
    assert late.history["sparse"][0] == plain.history["sparse"][0]
    assert late.history["sparse"][-1] != plain.history["sparse"][-1]


def test_chunks_do_not_matter(
    small_config: TrainConfig, make_problem: MakeProblem, monkeypatch: pytest.MonkeyPatch
) -> None:
    problems = [make_problem(1), make_problem(2, side=50)]
    whole = list(batches(problems, small_config, ops=reference))
    monkeypatch.setattr(draws_module, "CHUNK_BYTES", 40_000)
    parts = list(batches(problems, small_config, ops=reference))
    assert len(whole) == len(parts) == small_config.iterations
    for one, other in zip(whole, parts, strict=True):
        for a, b in zip(one, other, strict=True):
            assert torch.allclose(a, b, atol=1e-6)


def test_ideal_targets(small_config: TrainConfig, make_problem: MakeProblem) -> None:
    summed = small_config.replace(ideal_target="summed", noise_fake=0.0)
    one = next(batches([make_problem(1)], small_config, ops=reference))
    other = next(batches([make_problem(1)], summed, ops=reference))
    assert one.target.shape == (1, 3, 6, 6)
    assert torch.allclose(one.target.sum(dim=1, keepdim=True), other.target, atol=1e-5)
    assert one.noise is not None
    assert other.noise is None


def test_progress(small_config: TrainConfig, make_problem: MakeProblem) -> None:
    seen: list[tuple[int, dict[str, float]]] = []
    train(
        [make_problem(1), make_problem(2)],
        small_config,
        ops=reference,
        progress=lambda iteration, means: seen.append((iteration, means)),
    )
    assert [iteration for iteration, _ in seen] == [0, 10, 20, 24]
    assert all(set(means) == set(losses.LOSS_NAMES) for _, means in seen)


def test_progress_may_stop_the_run(small_config: TrainConfig, make_problem: MakeProblem) -> None:
    def stop(iteration: int, means: dict[str, float]) -> None:
        if iteration == 10:
            raise KeyboardInterrupt

    threads = torch.get_num_threads()
    with pytest.raises(KeyboardInterrupt):
        train([make_problem(1)], small_config, ops=reference, progress=stop)
    assert torch.get_num_threads() == threads


def spoiled(problem: Problem) -> Problem:
    """A photo that no plan would let through: not a number somewhere in every crop."""
    image = torch.full(problem.plan.image.shape, torch.nan)
    plan = type(problem.plan)(image, problem.plan.generator_cdf, problem.plan.discriminator_cdf)
    return Problem(plan, problem.seed)


def test_divergence(small_config: TrainConfig, make_problem: MakeProblem) -> None:
    with pytest.raises(TrainingDiverged, match="every problem") as caught:
        train([spoiled(make_problem(1))], small_config, ops=reference)
    assert caught.value.iteration == 0
    assert set(caught.value.losses) == set(losses.LOSS_NAMES)


def test_one_diverging_problem_leaves_the_others_alone(
    small_config: TrainConfig, make_problem: MakeProblem
) -> None:
    good = make_problem(1)
    results = train([spoiled(make_problem(2)), good], small_config, ops=reference)
    assert [result.diverged for result in results] == [True, False]
    healthy = train([make_problem(2), good], small_config, ops=reference)
    assert np.array_equal(results[1].kernel, healthy[1].kernel)


def test_a_discriminator_without_numbers_has_diverged(
    small_config: TrainConfig, make_problem: MakeProblem
) -> None:
    """Even where the losses and the kernel are numbers."""
    share = _Share([make_problem(1), make_problem(2)], small_config, ops=reference, device="cpu")
    share.train(lambda: False, None)
    with torch.no_grad():
        share._trainer.discriminator.weights[1, 7] = torch.nan
    assert [result.diverged for result in share.results()] == [False, True]


@pytest.mark.parametrize(("count", "most"), [(1, 1), (2048, 1), (30_977, 16), (150_656, 36)])
def test_pieces_for_a_fused_optimiser(count: int, most: int) -> None:
    tensor = torch.arange(3 * count).reshape(3, count)
    for whole, limit in ((tensor[:1], most), (tensor, 36)):
        parts = pieces(whole)
        assert len(parts) <= limit
        assert torch.equal(torch.cat(parts), whole.flatten())
        assert all((part.storage_offset() - whole.storage_offset()) % 2048 == 0 for part in parts)
    pieces(tensor)[-1][-1] = -1
    assert int(tensor[2, -1]) == -1


def test_nothing_to_train(small_config: TrainConfig) -> None:
    with pytest.raises(InputError, match="one or more"):
        train([], small_config, ops=reference)


@pytest.mark.parametrize("seed", [-1, 1 << 63])
def test_seed_out_of_range(make_problem: MakeProblem, seed: int) -> None:
    with pytest.raises(InputError, match="seed"):
        Problem(make_problem(1).plan, seed)


def test_threads_of_the_ops_are_set(small_config: TrainConfig, make_problem: MakeProblem) -> None:
    import contextlib

    seen: list[int] = []

    @contextlib.contextmanager
    def threads(count: int) -> Any:
        seen.append(count)
        yield

    names = [name for name in reference.__all__ if name != "downscale"]
    ops = SimpleNamespace(threads=threads, **{name: getattr(reference, name) for name in names})
    train([make_problem(1)], small_config.replace(iterations=1), ops=ops, threads=3)
    train([make_problem(1)], small_config.replace(iterations=1), ops=ops)
    assert seen == [3]


def test_what_the_caller_froze_stays_frozen(
    small_config: TrainConfig, make_problem: MakeProblem
) -> None:
    gc.freeze()
    try:
        frozen = gc.get_freeze_count()
        train([make_problem(1)], small_config.replace(iterations=1), ops=reference)
        # Frozen objects may die, but none is thawed.
        assert gc.get_freeze_count() > 0.9 * frozen
    finally:
        gc.unfreeze()
