from __future__ import annotations

import copy
import pickle

import pytest

from kernelgan_fast import errors


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        (errors.InputError, ValueError),
        (errors.ImageError, errors.InputError),
        (errors.ConfigError, errors.InputError),
        (errors.OutputError, OSError),
        (errors.TrainingDiverged, ArithmeticError),
        (errors.NativeUnavailable, ImportError),
        (errors.DeviceUnavailable, RuntimeError),
    ],
)
def test_every_error_is_ours_and_what_python_would_raise(
    error: type[errors.KernelGanError], builtin: type[Exception]
) -> None:
    assert issubclass(error, errors.KernelGanError)
    assert issubclass(error, builtin)
    assert str(error("scale must be 2")) == "scale must be 2"


def test_diverged_training_says_where() -> None:
    error = errors.TrainingDiverged("lost", iteration=7, losses={"gan": float("inf")})
    assert error.iteration == 7
    assert error.losses == {"gan": float("inf")}
    assert errors.TrainingDiverged("lost").losses == {}


def test_diverged_training_crosses_processes() -> None:
    error = errors.TrainingDiverged("lost", iteration=7, losses={"gan": 2.0})
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert (str(twin), twin.iteration, twin.losses) == ("lost", 7, {"gan": 2.0})
