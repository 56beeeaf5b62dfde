"""merge and balance on a Dask cluster write the bytes of one machine, even if workers die; a fault is named."""

import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from skinlesion.core import images
from skinlesion.core.parallel import map_parallel, use_cluster
from skinlesion.runtime import cluster
from skinlesion.runtime.errors import UserError
from stages import balance, merge


def run_stages(tree: Callable[[Path], dict[str, bytes]]) -> dict[str, bytes]:
    merge.main()
    balance.main()
    return tree(Path("data"))


@pytest.mark.chain
@pytest.mark.slow
@pytest.mark.optional
def test_data_stages_on_a_cluster_write_the_same_bytes_even_if_workers_die(
    project: Callable[[dict[str, Any]], None],
    tree: Callable[[Path], dict[str, bytes]],
    dask_cluster: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The code travels with the tasks, this killer too; so do errors back, here of a damaged image."""
    project({"data.on_bad_image": "skip"})
    next(Path("data/raw").glob("*/*.jpg")).write_bytes(b"damaged")
    alone = run_stages(tree)
    written, here, deaths = images.write_png, os.getpid(), tmp_path / "deaths"
    deaths.mkdir()

    def write_and_die(path: Path, image: Any) -> None:
        written(path, image)
        if os.getpid() != here and len(list(path.parent.iterdir())) > 1:
            death = deaths / ("merge" if path.parent.name == "images" else "balance")
            with suppress(FileExistsError):
                death.touch(exist_ok=False)
                os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(images, "write_png", write_and_die)
    monkeypatch.setenv(cluster.ADDRESS, dask_cluster.scheduler_address)
    assert run_stages(tree) == alone
    assert {path.name for path in deaths.iterdir()} == {"merge", "balance"}


@pytest.mark.chain
@pytest.mark.optional
def test_only_what_needs_memory_of_this_process_stays_in_it(dask_cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """One worker with one thread takes the work too, as joblib alone would not let it."""
    dask_cluster.scale(1)
    while len(dask_cluster.scheduler.workers) > 1:
        time.sleep(0.05)
    monkeypatch.setenv(cluster.ADDRESS, dask_cluster.scheduler_address)
    with use_cluster():
        here, there = (set(map_parallel(lambda _: os.getpid(), range(9), "", needs_threads=it)) for it in (True, False))
    assert here == {os.getpid()}
    assert there
    assert not here & there


@pytest.mark.chain
@pytest.mark.optional
def test_a_worker_with_another_library_stops_the_stage(dask_cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from distributed import versions

    monkeypatch.setenv(cluster.ADDRESS, dask_cluster.scheduler_address)
    monkeypatch.setattr(versions, "_version_cached", "{} of here".format)  # of the scheduler too, not of the workers
    with pytest.raises(UserError, match=r"(?s)cv2 of here.*requirements\.txt"), use_cluster():
        pass


def test_without_dask_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cluster.ADDRESS, "tcp://127.0.0.1:1")
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UserError, match="make setup DASK=1"), use_cluster():
        pass


@pytest.mark.chain
@pytest.mark.optional
@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nonsense://x"])
def test_a_scheduler_that_does_not_answer_is_named(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")  # now, or its defaults would go with the setting below
    dask = pytest.importorskip("dask")
    monkeypatch.setenv(cluster.ADDRESS, address)
    connect = {"distributed.comm.timeouts.connect": "100ms"}
    with dask.config.set(connect), pytest.raises(UserError, match=f"{address}.*dask scheduler"), use_cluster():
        pass
