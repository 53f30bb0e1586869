"""Real Ray: two machines, one of which is lost in mid-run; a driver that is stopped and resumed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from patience import PATIENCE, wait_until
from quick import environment

from kernelgan_fast.api import estimate_files
from kernelgan_fast.errors import ConfigError, OutputError
from kernelgan_fast.jobs import ray as our
from kernelgan_fast.jobs.distributed import FleetRun, estimate_everywhere

ray = pytest.importorskip("ray", reason="needs the extra ray")
parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra ray")

DATA = Path(__file__).resolve().parents[1] / "data"
PHOTOS = ("perched-osprey_112x112.png", "roman-colosseum_160x112.png")
OBJECTS = 80 << 20
FORMATS = ["npy", "json"]


def copies(folder: Path, number: int) -> Path:
    """A folder of photos, the two of the tests' data in turn."""
    folder.mkdir()
    for index in range(number):
        shutil.copy(DATA / PHOTOS[index % 2], folder / f"{index:02d}.png")
    return folder


def make(inputs: list[Path], out: Path, cluster: Any, **options: Any) -> FleetRun:
    options = {"formats": FORMATS, **options}
    return estimate_everywhere(inputs, out, address=cluster.address, **options)


def rows(folder: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = parquet.read_table(folder / "kernels.parquet").to_pylist()
    return found


def test_a_machine_is_lost_and_nothing_else(
    head: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = copies(tmp_path / "in", 30)
    (photos / "bad.png").write_text("not a photo")
    second = head.add_node(num_cpus=1, object_store_memory=OBJECTS)
    stuck = tmp_path / "stuck"
    connect_hindered(head, monkeypatch, {"DOOMED": second.node_id, "STUCK": str(stuck)})

    def lose() -> None:
        wait_until(stuck.exists)
        head.remove_node(second, allow_graceful=False)

    loser = threading.Thread(target=lose, daemon=True)
    try:
        start_workers()
        run = make([photos], tmp_path / "out", head)
        loser.start()
        with pytest.warns(
            RuntimeWarning, match=r"a worker was lost .*; \d+ of its photos go to others"
        ):
            results = list(run.results())
        loser.join()
    finally:
        ray.shutdown()

    names = [f"{index:02d}" for index in range(30)]
    assert Counter(result.status for result in results) == {"done": 30, "failed": 1}
    assert len({result.source for result in results}) == 31
    table = rows(tmp_path / "out")
    sources = [str(photos / f"{name}.png") for name in [*names, "bad"]]
    assert [row["photo"] for row in table] == sources
    assert [row["failed"] for row in table] == [False] * 30 + [True]

    few = [photos / f"{name}.png" for name in (*names[:3], *names[-3:])]
    list(estimate_files(few, tmp_path / "alone", formats=FORMATS, threads=1).results())
    for path in (tmp_path / "alone").glob("*_kernel_*"):
        assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes(), path.name
    files = {f"{name}{end}" for name in names for end in (".json", "_kernel_x2.json")}
    files |= {f"{name}_kernel_x2.npy" for name in names} | {"kernels.parquet"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == files


def connect_hindered(
    cluster: Any, monkeypatch: pytest.MonkeyPatch, told: dict[str, str] | None = None
) -> None:
    """Connect, so that workers do as `hooks.hinder` says, which reads `told`."""
    here = str(Path(__file__).parent)
    path = os.pathsep.join([here, environment()["PYTHONPATH"]])
    monkeypatch.syspath_prepend(here)
    runtime = {
        "worker_process_setup_hook": "hooks.hinder",
        "env_vars": {"PYTHONPATH": path, **(told or {})},
    }
    ray.init(cluster.address, log_to_driver=False, logging_level="ERROR", runtime_env=runtime)


def start_workers() -> None:
    """Have a worker on each machine import what it needs, so that all begin at once."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    @ray.remote(num_cpus=1)
    def ready() -> None:
        import kernelgan_fast.estimation.pipeline  # noqa: F401

    there = [
        NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        for node in ray.nodes()
        if node["Alive"]
    ]
    ray.get([ready.options(scheduling_strategy=place).remote() for place in there])


def test_a_photo_that_ends_workers_is_given_up(
    head: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(our, "MOST_LOST", 3)
    photos = copies(tmp_path / "in", 3)
    shutil.copy(photos / "00.png", photos / "poison.png")
    connect_hindered(head, monkeypatch)
    try:
        monkeypatch.setattr(our, "share_size", lambda *args: 4)
        with pytest.warns(RuntimeWarning, match="a worker was lost"):
            results = list(make([photos], tmp_path / "out", head).results())
    finally:
        ray.shutdown()
    told = {result.source.name: result for result in results}
    assert {name: result.status for name, result in told.items()} == {
        "00.png": "done",
        "01.png": "done",
        "02.png": "done",
        "poison.png": "failed",
    }
    assert "3 workers were lost with this photo" in str(told["poison.png"].error)
    assert [row["failed"] for row in rows(tmp_path / "out")] == [False, False, False, True]


# The command, whose workers never begin the last five of twenty photos.
DRIVER = """
import os, sys
import ray

real = ray.init

def init(address, **options):
    variables = {"PYTHONPATH": os.environ["PYTHONPATH"], "HELD": "15.png"}
    runtime = {"worker_process_setup_hook": "hooks.hinder", "env_vars": variables}
    return real(address, runtime_env=runtime, **options)

ray.init = init
from kernelgan_fast.cli.main import main

sys.exit(main())
"""


def test_a_stopped_driver_resumes(head: Any, tmp_path: Path) -> None:
    copies(tmp_path / "in", 20)
    words = ["estimate", "in", "--engine", "ray", "--address", head.address, "--formats", "npy"]
    here = str(Path(__file__).parent)
    path = os.pathsep.join([here, environment()["PYTHONPATH"]])
    process = subprocess.Popen(
        [sys.executable, "-c", DRIVER, *words],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**environment(), "PYTHONPATH": path},
    )
    assert process.stdout is not None
    first = process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 143, err
    assert first.startswith(str(tmp_path / "in")), first
    assert "Traceback" not in err and "--resume" in err
    folder = tmp_path / "kernelgan_out"
    records = {path.name: path.read_bytes() for path in folder.glob("*.json")}
    assert 0 < len(records) <= 15
    assert len(list(folder.iterdir())) == 2 * len(records)

    again = subprocess.run(
        [sys.executable, "-m", "kernelgan_fast", *words, "--resume"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=environment(),
    )
    assert again.returncode == 0, again.stderr
    assert len(again.stdout.splitlines()) == 20
    assert f"{20 - len(records)} done, {len(records)} done earlier" in again.stderr
    for name, content in records.items():
        assert (folder / name).read_bytes() == content
    table = rows(folder)
    assert len(table) == 20 and all(row["kernel"] for row in table)


def test_what_a_worker_cannot_do_ends_the_run(head: Any, tmp_path: Path) -> None:
    photos = copies(tmp_path / "in", 1)
    run = make([photos], tmp_path / "out", head)
    stream = run.results()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FleetRun, "_token", lambda self: _no_token())
        with pytest.raises(OutputError, match="all machines share"):
            list(stream)
    with pytest.raises(ConfigError, match="give fewer --jobs"):
        list(make([photos], tmp_path / "out", head, threads=999).results())


def _no_token() -> Any:
    from contextlib import nullcontext

    return nullcontext("not-there")
