"""Harvard Dataverse as a source: its three files, from a bad local server, end in HAM10000's layout."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from skinlesion.download import dataverse
from skinlesion.download.dataverse import FILES, SCRATCH, download
from skinlesion.runtime import transfer
from skinlesion.runtime.errors import UserError
from tests.helpers.archives import CSV, LAYOUT, zip_of
from tests.helpers.server import Answer, cut, good, md5, send, serving

CONTENTS = {
    "/api/access/datafile/4338392?format=original": CSV,
    "/api/access/datafile/3172585": zip_of({f"ISIC_{number}.jpg": b"image %d" % number for number in (1, 2)}),
    "/api/access/datafile/3172584": zip_of({"ISIC_3.jpg": b"image 3"}),
}


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder; the record of Dataverse is that of the local server's small files."""
    files = [(*file[:2], len(content), md5(content)) for file, content in zip(FILES, CONTENTS.values(), strict=True)]
    monkeypatch.setattr(dataverse, "FILES", files)
    monkeypatch.setattr(dataverse, "BYTES", sum(map(len, CONTENTS.values())))
    monkeypatch.setattr(transfer, "PAUSE", 0)
    monkeypatch.setenv("NO_PROXY", "*")
    path = tmp_path / "target"
    path.mkdir()
    return path


@pytest.fixture
def run(target: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """`run(*script)`: download from a server that follows this script; the addresses asked for."""

    def run(*script: Answer) -> list[str]:
        with serving(CONTENTS, *script) as server:
            monkeypatch.setattr(dataverse, "SERVER", server.address)
            download(target)
        return [request["path"] for request in server.requests]

    return run


def test_the_three_files_end_in_the_layout(run: Callable, target: Path, tree: Callable) -> None:
    assert run(good) == list(CONTENTS)
    assert tree(target) == LAYOUT
    assert [path.name for path in target.parent.iterdir()] == ["target"]


def test_a_failure_names_the_other_ways_and_the_next_run_resumes(run: Callable, target: Path, tree: Callable) -> None:
    with pytest.raises(UserError, match=r"data\.source: archive.*data\.source: sample"):
        run(good, cut(100), send(403))
    assert tree(target) == {}
    assert (target.parent / SCRATCH / "HAM10000_metadata.csv").read_bytes() == CSV
    assert run(good) == list(CONTENTS)[1:]
    assert tree(target) == LAYOUT
    assert not (target.parent / SCRATCH).exists()


@pytest.mark.parametrize("address", CONTENTS)
def test_each_file_is_verified(address: str, run: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CONTENTS, address, b"?" + CONTENTS[address][1:])
    with pytest.raises(UserError, match="MD5") as caught:
        run(good)
    assert address in str(caught.value)


def test_nothing_is_requested_without_space(run: Callable, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = 2 * dataverse.BYTES - 1
    monkeypatch.setattr(transfer.shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    with pytest.raises(UserError, match="Free some space"):
        run(good)
    assert [path.name for path in target.parent.iterdir()] == ["target"]
