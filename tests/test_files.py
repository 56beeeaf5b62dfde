"""Outputs appear whole or not at all, and leave nothing beside them."""

import json
from pathlib import Path

import pytest

from skinlesion.files import replace_file, replace_folder, write_json


class Interrupted(Exception):
    pass


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*"))


def test_a_file_takes_its_place_in_a_folder_that_it_makes(tmp_path: Path) -> None:
    with replace_file(tmp_path / "a" / "b" / "out.txt") as partial:
        partial.write_text("new")
        assert not (tmp_path / "a" / "b" / "out.txt").exists()
    assert names(tmp_path) == ["a", "b", "out.txt"]
    assert (tmp_path / "a" / "b" / "out.txt").read_text() == "new"


def test_a_file_replaces_the_old_one_at_the_end_only(tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    path.write_text("old")
    with replace_file(path) as partial:
        partial.write_text("new")
        assert path.read_text() == "old"
        assert partial.parent == path.parent, "a move between disks would copy"
        assert partial.suffix == path.suffix, "libraries choose the format by the suffix"
    assert path.read_text() == "new"
    assert names(tmp_path) == ["out.txt"]


@pytest.mark.parametrize("error", [Interrupted, KeyboardInterrupt])
@pytest.mark.parametrize("old", ["old", None])
def test_a_failing_file_leaves_the_old_one(error: type, old: str | None, tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    if old:
        path.write_text(old)
    with pytest.raises(error), replace_file(path) as partial:
        partial.write_text("half")
        raise error
    assert names(tmp_path) == (["out.txt"] if old else [])
    assert not old or path.read_text() == old


def test_a_folder_replaces_the_old_one_whole(tmp_path: Path) -> None:
    path = tmp_path / "a" / "out"
    path.mkdir(parents=True)
    (path / "old.txt").write_text("old")
    with replace_folder(path) as partial:
        (partial / "new.txt").write_text("new")
        assert names(path) == ["old.txt"]
    assert names(tmp_path) == ["a", "new.txt", "out"]


@pytest.mark.parametrize("error", [Interrupted, KeyboardInterrupt])
@pytest.mark.parametrize("old", [True, False])
def test_a_failing_folder_leaves_the_old_one(error: type, old: bool, tmp_path: Path) -> None:
    path = tmp_path / "out"
    if old:
        path.mkdir()
        (path / "old.txt").write_text("old")
    with pytest.raises(error), replace_folder(path) as partial:
        (partial / "new.txt").write_text("new")
        raise error
    assert names(tmp_path) == (["old.txt", "out"] if old else [])


def test_what_a_killed_run_left_is_not_taken_over(tmp_path: Path) -> None:
    with replace_folder(tmp_path / "out") as partial:
        pass
    partial.mkdir()
    (partial / "left.txt").write_text("half")
    with replace_folder(tmp_path / "out") as again:
        assert again == partial
        assert names(again) == []
    assert names(tmp_path) == ["out"]


def test_json_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "metrics" / "out.json"
    write_json(path, {"b": 1, "a": [0.5, None]})
    text = path.read_text()
    assert json.loads(text) == {"b": 1, "a": [0.5, None]}
    assert text.endswith("}\n")
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert path.read_text() == text
    assert names(path.parent) == ["out.json"]
