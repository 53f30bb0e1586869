"""Models that contradict themselves: refused with the name of the file, and no wrong picture."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from models import blur, write_weights
from quick import pixels

from kernelgan_fast import upscale
from kernelgan_fast.errors import InputError
from kernelgan_fast.export.onnx import export_sr
from kernelgan_fast.runtime.engine import Engine
from kernelgan_fast.runtime.model_metadata import PREFIX
from kernelgan_fast.sr.conditioning import Conditioning
from kernelgan_fast.sr.tiling import enlarge_photo

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
PHOTO = pixels(40, 48)
SIZE = 13
GOOD = {
    "task": "upscale",
    "method": "unfold",
    "scale": "2",
    "kernel_input": "yes",
    "kernel_size": str(SIZE),
    "context": "4",
    "multiple": "4",
    "least_side": "8",
    "precision": "float32",
}
BAKED = {"kernel_input": "no", "kernel": json.dumps(blur(2).array.tolist())}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sound")
    weights = write_weights(folder / "tiny.safetensors")
    export_sr(folder / "model.onnx", size=SIZE, weights_file=weights)
    return folder / "model.onnx"


def with_properties(model: Any, path: Path, changes: dict[str, str | None]) -> Path:
    for key, word in changes.items():
        for entry in [each for each in model.metadata_props if each.key == f"{PREFIX}{key}"]:
            model.metadata_props.remove(entry)
        if word is not None:
            model.metadata_props.add(key=f"{PREFIX}{key}", value=word)
    onnx.save(model, path)
    return path


@pytest.mark.parametrize(
    "changes",
    [
        *({"scale": word} for word in ("-2", "0", "3", "abc", "2.0", "", "9" * 5000, None)),
        *({"multiple": word} for word in ("0", "-1", "x", "1000000", None)),
        *({"context": word} for word in ("-1", "x", "1000000000", None)),
        *({"least_side": word} for word in ("abc", "0", "-3", "1e3")),
        *({"kernel_size": word} for word in ("12", "0", "501", "\u00b2", None)),
        {"precision": "int4"},
        {"method": "un\x1b[31mfold"},
        {"method": None},
        {"kernel_input": None},
        {**BAKED, "kernel": "[[1"},
        {**BAKED, "kernel": "[" * 100_000},
        {**BAKED, "kernel": "[[NaN]]"},
        {**BAKED, "kernel": "[[1, 2], [3, 4]]"},
        {**BAKED, "kernel": "{}"},
        {**BAKED, "kernel": "[[1" + "0" * 400 + "]]"},
        {**BAKED, "kernel": None},
    ],
)
def test_damaged_properties(sound: Path, tmp_path: Path, changes: dict[str, str | None]) -> None:
    damaged = with_properties(onnx.load(sound), tmp_path / "m.onnx", changes)
    with pytest.raises(InputError, match=r"m\.onnx: the model's properties are damaged"):
        upscale(
            PHOTO, engine=damaged, kernel=blur(2) if changes.get("kernel") is None else "estimate"
        )


def test_names_that_are_no_text(sound: Path, tmp_path: Path) -> None:
    content = sound.read_bytes()
    assert content.count(b"kernelgan_fast.precision") == 1
    path = tmp_path / "m.onnx"
    path.write_bytes(content.replace(b"kernelgan_fast.precision", b"kernelgan_fast.\x80recision"))
    with pytest.raises(InputError, match=r"m\.onnx: names and properties of a model must be UTF-8"):
        upscale(PHOTO, engine=path, kernel=blur(2))


def graph_of(
    path: Path,
    *,
    image: Sequence[int | str] = ("n", 3, "h", "w"),
    output: Sequence[int | str] = ("n", 3, "H", "W"),
    output_type: int = 1,
    factor: int = 2,
    add: float = 0.0,
    inputs: Sequence[str] = ("kernel", "noise", "kernel_error"),
) -> Path:
    """A model that repeats pixels, adds a number and converts to a type."""
    helper, numbers = onnx.helper, onnx.numpy_helper
    shapes: dict[str, Any] = {"kernel": (SIZE, SIZE), "noise": (1,), "kernel_error": (1,)}
    nodes = [
        helper.make_node("Resize", ["image", "", "scales"], ["large"], mode="nearest"),
        helper.make_node("Add", ["large", "number"], ["sum"]),
        helper.make_node("Cast", ["sum"], ["out"], to=output_type),
    ]
    graph = helper.make_graph(
        nodes,
        "wrong",
        [
            helper.make_tensor_value_info("image", 1, image),
            *(helper.make_tensor_value_info(key, 1, shapes[key]) for key in inputs),
        ],
        [helper.make_tensor_value_info("out", output_type, output)],
        [
            numbers.from_array(np.array([1, 1, factor, factor], np.float32), "scales"),
            numbers.from_array(np.array(add, np.float32), "number"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return with_properties(model, path, dict(GOOD))


def test_the_models_below_are_sound_but_for_one_thing(tmp_path: Path) -> None:
    path = graph_of(tmp_path / "m.onnx")
    found = enlarge_photo(Engine(path).upscaler(blur(2), Conditioning()), PHOTO, tile=32)
    assert np.array_equal(found.pixels, PHOTO.repeat(2, 0).repeat(2, 1))
    assert upscale(PHOTO, engine=path, kernel=blur(2), tile=32).pixels.shape == (80, 96, 3)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"image": (1, 3, 32, 32)}, r"image must be \(n, 3, any height, any width\)"),
        ({"image": ("n", 4, "h", "w"), "output": ("n", 4, "H", "W")}, "image must be"),
        ({"inputs": ("kernel", "noise")}, "must take image, kernel, noise, kernel_error, got"),
        ({"output_type": 7}, r"out must be .* of tensor\(float\), got .* of tensor\(int64\)"),
        ({"output": ("n", 3, 64, 64)}, "out must be"),
        ({"add": np.nan}, "must be finite, got NaN"),
        ({"add": np.inf}, "must be finite, got NaN or infinity"),
        ({"factor": 3}, r"must be \(1, 3, 80, 96\) .*, got \(1, 3, 120, 144\)"),
        ({"factor": 1}, r"must be \(1, 3, 80, 96\) .*, got \(1, 3, 40, 48\)"),
    ],
)
def test_models_that_do_something_else(tmp_path: Path, options: dict[str, Any], words: str) -> None:
    model = graph_of(tmp_path / "m.onnx", **options)
    with pytest.raises(InputError, match=rf"m\.onnx: .*{words}"):
        upscale(PHOTO, engine=model, kernel=blur(2))


def test_a_model_that_fails_as_it_runs(tmp_path: Path) -> None:
    model = graph_of(tmp_path / "m.onnx")
    content = onnx.load(model)
    content.graph.node[1].input[1] = "image"  # of another size than what it is added to
    onnx.save(content, model)
    with pytest.raises(InputError, match=r"m\.onnx: ONNX Runtime could not run the model"):
        upscale(PHOTO, engine=model, kernel=blur(2))
