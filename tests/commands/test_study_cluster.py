"""A study on a Dask cluster, with a bare Git repository and an S3 server on loopback; stub stages."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from skinlesion.__main__ import main
from skinlesion.commands.dvc import read_dvc, read_experiments
from tests.helpers import chain
from tests.helpers.stub_stages import git, make_repository

pytestmark = [pytest.mark.chain, pytest.mark.slow, pytest.mark.optional]
PRESETS = ("resnet50_gap", "resnet50_conv_head")  # their heads: gap and conv


@pytest.fixture
def repository(folder, tmp_path_factory, monkeypatch) -> Iterator[Path]:
    """A repository of stubs, pushed to the Git remote origin, with a DVC remote on an S3 server of this process."""
    server = pytest.importorskip("moto.server").ThreadedMotoServer("127.0.0.1", port=0)
    boto3, _ = pytest.importorskip("boto3"), pytest.importorskip("dvc_s3")
    server.start()
    endpoint = "http://{}:{}".format(*server.get_host_and_port())
    variables = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
    for name, value in {**variables, "DVC_NO_ANALYTICS": "1", "GO": str(folder / "go"), "HANG": "conv"}.items():
        monkeypatch.setenv(name, value)
    boto3.client("s3", endpoint_url=endpoint).create_bucket(Bucket="results")
    bare = tmp_path_factory.mktemp("git") / "origin.git"
    make_repository()
    (folder / ".gitignore").write_text("/go\n")
    read_dvc("remote", "add", "-q", "-d", "s3", "s3://results/dvc")
    read_dvc("remote", "modify", "-q", "s3", "endpointurl", endpoint)
    git("init", "-q", "--bare", "-b", "main", str(bare))
    git("remote", "add", "origin", str(bare))
    git("add", ".")
    git("commit", "-q", "-m", "remotes")
    git("push", "-q", "origin", "main")
    yield folder
    server.stop()


def clone(origin: str, folder: Path, monkeypatch) -> Path:
    git("clone", "-q", origin, str(folder))
    monkeypatch.chdir(folder)
    git("config", "user.name", "test")
    git("config", "user.email", "test@example.invalid")
    return folder


def test_a_study_on_a_cluster_makes_the_table_of_the_loop_and_every_clone_gets_its_models(
    repository, dask_cluster, tmp_path_factory, monkeypatch, capfd
):
    Path("go").touch()
    address = dask_cluster.scheduler_address
    assert main(["study", "run", *PRESETS, "--cluster", address, "--resource", "GPU=1"]) == 0
    assert "study-resnet50_gap-image: stage train, epoch 2 of at most 15" in capfd.readouterr().out
    made = {name: Path("plots", name).read_bytes() for name in ("study.csv", "study.md")}
    origin = git("remote", "get-url", "origin").strip()
    folder = clone(origin, tmp_path_factory.mktemp("clone") / "a", monkeypatch)
    assert main(["study", "run", *PRESETS, "--cluster", address]) == 0
    assert capfd.readouterr().out.count("already finished") == 4
    name = "study-resnet50_conv_head-lesion"
    read_dvc("exp", "pull", "origin", name)
    read_dvc("exp", "apply", name)
    assert Path("models/model.keras").read_text() == "17lesion"
    assert chain.ran(chain.dvc(folder, "repro")) == []

    clone(origin, tmp_path_factory.mktemp("loop") / "b", monkeypatch)
    assert main(["study", "run", *PRESETS]) == 0
    assert {name: Path("plots", name).read_bytes() for name in made} == made


def wait_for(words: str, lines: IO[str], seen: list[str], times: int = 1) -> None:
    """Read lines of a study into `seen` until so many of them contain `words`."""
    while sum(words in line for line in seen) < times:
        seen.append(next(lines))


def test_a_study_survives_a_worker_and_itself_and_names_the_run_that_failed(repository, dask_cluster, capfd):
    presets = ("resnet50_gap", "resnet50_se", "resnet50_conv_head")
    words = ["study", "run", *presets, "--protocol", "image", "--cluster", dask_cluster.scheduler_address]
    study = subprocess.Popen(
        [sys.executable, "-m", "skinlesion", *words],
        env={**os.environ, "PYTHONPATH": str(chain.ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    seen = []
    wait_for("study-resnet50_conv_head-image: stage train, epoch 1", study.stdout, seen)
    workers = dask_cluster.scheduler.workers.values()
    (busy,) = [worker.name for worker in workers if any("conv_head" in task.key for task in worker.processing)]
    os.kill(dask_cluster.workers[busy].pid, signal.SIGKILL)
    wait_for("study-resnet50_conv_head-image: stage train, epoch 1", study.stdout, seen, times=2)
    wait_for("study-resnet50_gap-image: finished", study.stdout, seen)
    study.kill()
    study.wait()
    Path("go").touch()

    assert main(words) == 1
    out, err = capfd.readouterr()
    assert "study-resnet50_gap-image: already finished" in out
    assert "study-resnet50_conv_head-image: finished" in out
    assert "the stub knows no attention" in out
    assert "1 of 3 runs failed: study-resnet50_se-image" in err
    assert {experiment.name for experiment in read_experiments()} == {
        "study-resnet50_gap-image",
        "study-resnet50_conv_head-image",
    }
