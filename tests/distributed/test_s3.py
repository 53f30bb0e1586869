"""Object storage that speaks S3, and Ray's workers that read and write it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kernelgan_fast.api import estimate_files
from kernelgan_fast.jobs.distributed import estimate_everywhere

moto = pytest.importorskip("moto.server", reason="needs moto")
s3fs = pytest.importorskip("s3fs", reason="needs s3fs")
ray = pytest.importorskip("ray", reason="needs the extra ray")
parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra ray")

DATA = Path(__file__).resolve().parents[1] / "data"


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """The environment in which s3:// is a server of our own."""
    server = moto.ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    found = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    for name, value in found.items():
        monkeypatch.setenv(name, value)
    yield found
    server.stop()


def test_photos_and_results_in_object_storage(
    head: Any, variables: dict[str, str], tmp_path: Path
) -> None:
    storage = s3fs.S3FileSystem(use_listings_cache=False, skip_instance_cache=True)
    storage.mkdir("bucket")
    for photo in DATA.glob("*.png"):
        storage.put_file(str(photo), f"bucket/photos/{photo.name}")
    runtime = {"env_vars": variables}
    ray.init(head.address, log_to_driver=False, logging_level="ERROR", runtime_env=runtime)
    try:
        for resume, status in ((False, "done"), (True, "skipped")):
            run = estimate_everywhere(["s3://bucket/photos"], "s3://bucket/out", resume=resume)
            results = sorted(run.results(), key=lambda result: str(result.source))
            told = [(result.status, result.error) for result in results]
            assert told == [(status, None), (status, None)]
            assert str(results[0].record) == "s3://bucket/out/perched-osprey_112x112.json"
    finally:
        ray.shutdown()
    list(estimate_files([DATA], tmp_path / "out").results())
    names = {path.name for path in (tmp_path / "out").iterdir()}
    there = {path.rpartition("/")[2] for path in storage.find("bucket/out")}
    assert there == names | {"kernels.parquet"}
    for path in (tmp_path / "out").glob("*_kernel_*"):
        assert storage.cat_file(f"bucket/out/{path.name}") == path.read_bytes(), path.name
    record = json.loads(storage.cat_file("bucket/out/perched-osprey_112x112.json"))
    assert record["source"]["path"] == "s3://bucket/photos/perched-osprey_112x112.png"
    storage.get_file("bucket/out/kernels.parquet", str(tmp_path / "kernels.parquet"))
    rows = parquet.read_table(tmp_path / "kernels.parquet").to_pylist()
    assert [row["photo"] for row in rows] == [str(result.source) for result in results]
