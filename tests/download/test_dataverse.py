"""Harvard Dataverse as a source: from its three files, served by a bad local server, to HAM10000's layout."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from skinlesion.download import dataverse, transfer
from skinlesion.download.dataverse import FILES, SCRATCH, download
from skinlesion.runtime.errors import UserError
from tests.download.test_archive import CSV, ONE, THREE, TWO, zip_bytes
from tests.download.test_transfer import Handler, cut, good, impatient, md5, serving, status

CONTENTS = {
    "/api/access/datafile/4338392?format=original": CSV,
    "/api/access/datafile/3172585": zip_bytes({"ISIC_1.jpg": ONE, "ISIC_2.jpg": TWO}),
    "/api/access/datafile/3172584": zip_bytes({"ISIC_3.jpg": THREE}),
}
LAYOUT = {
    "HAM10000_images_part_1/ISIC_1.jpg": ONE,
    "HAM10000_images_part_1/ISIC_2.jpg": TWO,
    "HAM10000_images_part_2/ISIC_3.jpg": THREE,
    "HAM10000_metadata.csv": CSV,
}


def by_address(answer: Callable[[Handler], None] = good) -> Callable[[Handler], None]:
    """Answer with the file of the address that is asked for."""

    def find(handler: Handler) -> None:
        handler.server.body = CONTENTS[handler.path]
        answer(handler)

    return find


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dataverse's files, as small as those of the server."""
    impatient(monkeypatch)
    files = [
        file._replace(size=len(content), md5=md5(content))
        for file, content in zip(FILES, CONTENTS.values(), strict=True)
    ]
    monkeypatch.setattr(dataverse, "FILES", files)
    monkeypatch.setattr(dataverse, "BYTES", sum(file.size for file in files))


@pytest.fixture
def fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Path, list[dict]]]:
    """`fetched(*script)`: run the download against a server with this script; its target, and the requests."""
    target = tmp_path / "target"
    target.mkdir()

    def run(*script: Callable[[Handler], None]) -> tuple[Path, list[dict]]:
        with serving(b"", *script) as server:
            monkeypatch.setattr(dataverse, "SERVER", server.url.removesuffix("/file"))
            download(target)
            return target, server.seen

    return run


def test_the_three_files_become_the_layout(fetched: Callable, tree: Callable) -> None:
    target, seen = fetched(by_address())
    assert tree(target) == LAYOUT
    assert [request["path"] for request in seen] == list(CONTENTS)
    assert [path.name for path in target.parent.iterdir()] == ["target"]


def test_a_failure_keeps_what_is_whole_and_what_is_begun(fetched: Callable, tree: Callable, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="HTTP 403"):
        fetched(by_address(), by_address(cut(100)), status(403))
    scratch = tree(tmp_path / SCRATCH)
    assert scratch["HAM10000_metadata.csv"] == CSV
    assert sorted(scratch) in (["HAM10000_metadata.csv"], ["HAM10000_images_part_1.zip.part", "HAM10000_metadata.csv"])
    assert tree(tmp_path / "target") == {}
    target, seen = fetched(by_address())
    assert [request["path"] for request in seen] == list(CONTENTS)[1:]
    assert tree(target) == LAYOUT
    assert not (tmp_path / SCRATCH).exists()


def test_each_file_is_verified(fetched: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    genuine = dict(CONTENTS)
    for address, content in genuine.items():
        with monkeypatch.context() as changed:
            changed.setitem(CONTENTS, address, b"?" + content[1:])
            with pytest.raises(UserError, match="must have the MD5"):
                fetched(by_address())


def test_a_refusal_names_the_other_ways(fetched: Callable) -> None:
    with pytest.raises(UserError) as caught:
        fetched(status(403))
    for way in ("data.source: archive", "doi.org/10.7910/DVN/DBW86T", "data.source: sample"):
        assert way in str(caught.value)


def test_nothing_flows_before_there_is_room_for_all_and_for_unpacking(
    fetched: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    total = sum(map(len, CONTENTS.values()))

    def free(number: int) -> None:
        monkeypatch.setattr(transfer.shutil, "disk_usage", lambda _: SimpleNamespace(free=number))

    free(2 * total - 1)
    with pytest.raises(UserError, match="Free some space"):
        fetched(by_address())
    assert [path.name for path in tmp_path.iterdir()] == ["target"]
    free(2 * total)
    fetched(by_address())


def test_the_files_are_those_of_the_record() -> None:
    assert [file.id for file in FILES] == ["4338392?format=original", "3172585", "3172584"]
    assert sum(file.size for file in FILES) == 690_218 + 1_366_522_108 + 1_403_566_547
    assert len({file.md5 for file in FILES}) == 3
    assert all(len(file.md5) == 32 for file in FILES)
