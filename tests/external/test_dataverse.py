"""The official test set from Dataverse, here a bad local server: sizes unknown, fetched once, kept for the next run."""

from pathlib import Path

import pytest

from skinlesion.external import dataverse
from skinlesion.runtime import paths, transfer
from skinlesion.runtime.errors import UserError
from tests.helpers.archives import zip_of
from tests.helpers.server import cut, good, md5, send, serving

CONTENTS = {
    "/api/access/datafile/6924466?format=original": b"image,MEL,NV,BCC,AKIEC,BKL,DF,VASC\nISIC_1,1,0,0,0,0,0,0\n",
    "/api/access/datafile/3855824": zip_of({"ISIC_1.jpg": b"image 1" * 50_000}),
}


@pytest.fixture(autouse=True)
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The record of Dataverse is that of the local server's small files; the current folder is empty."""
    files = [(*file[:2], md5(content)) for file, content in zip(dataverse.FILES, CONTENTS.values(), strict=True)]
    monkeypatch.setattr(dataverse, "FILES", files)
    monkeypatch.setattr(dataverse, "BYTES", 1)
    monkeypatch.setattr(transfer, "PAUSE", 0)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.chdir(tmp_path)


def download(monkeypatch: pytest.MonkeyPatch, *script) -> list[str]:
    """Download from a server that follows this script; the addresses asked for."""
    with serving(CONTENTS, *script) as server:
        monkeypatch.setattr(dataverse, "SERVER", server.address)
        dataverse.download()
    return [request["path"] for request in server.requests]


def test_both_files_come_whole_and_are_not_fetched_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    table, images = CONTENTS
    # Of each the size is asked for first; the zip is cut, and its rest is fetched.
    assert download(monkeypatch, good, good, good, cut(100), good) == [table, table, images, images, images]
    for (name, *_), content in zip(dataverse.FILES, CONTENTS.values(), strict=True):
        assert (paths.EXTERNAL_DOWNLOAD / name).read_bytes() == content
    assert download(monkeypatch, send(403)) == []


def test_a_run_that_died_before_its_last_step_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is whole under the name of a part: only its size is asked for."""
    download(monkeypatch)
    for name, *_ in dataverse.FILES:
        (paths.EXTERNAL_DOWNLOAD / name).rename(paths.EXTERNAL_DOWNLOAD / f"{name}.part")
    assert download(monkeypatch) == list(CONTENTS)
    assert download(monkeypatch) == []


def test_a_refusal_names_the_other_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"HTTP 403.*external\.source: archive.*external\.source: none"):
        download(monkeypatch, send(403))


def test_another_file_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="MD5 was not"):
        download(monkeypatch, send(200, b"another file"))
