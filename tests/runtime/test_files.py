"""Outputs appear whole or not at all, and leave nothing beside them."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from skinlesion.runtime.errors import UserError, describe_error
from skinlesion.runtime.files import name_partial, replace_file, replace_folder, write_json


class Interrupted(Exception):
    pass


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def write(path: Path, text: str) -> None:
    """A file with this text, or a folder with a file of this name."""
    if path.is_dir():
        (path / text).touch()
    else:
        path.write_text(text)


def content(path: Path) -> list[str] | str:
    return names(path) if path.is_dir() else path.read_text()


both = pytest.mark.parametrize("replace", [replace_file, replace_folder])


@both
@pytest.mark.parametrize("old", [True, False])
def test_an_output_replaces_the_old_one_whole_and_at_the_end(replace: Callable, old: bool, tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "out.txt"
    for number, text in enumerate(["old", "new"] if old else ["new"]):
        with replace(path) as partial:
            write(partial, text)
            assert content(path) in ("old", ["old"]) if number else not path.exists()
            assert partial.parent == path.parent, "a move between disks would copy"
            assert partial.suffix == path.suffix, "libraries choose the format by the suffix"
    assert content(path) in ("new", ["new"])
    assert [name for name in names(tmp_path) if name != "a/b/out.txt/new"] == ["a", "a/b", "a/b/out.txt"]


@both
@pytest.mark.parametrize("error", [Interrupted, KeyboardInterrupt])
@pytest.mark.parametrize("old", [True, False])
def test_on_an_error_the_old_output_stays(replace: Callable, error: type, old: bool, tmp_path: Path) -> None:
    path = tmp_path / "out"
    if old:
        with replace(path) as partial:
            write(partial, "old")
    before = names(tmp_path)
    with pytest.raises(error), replace(path) as partial:
        write(partial, "half")
        raise error
    assert names(tmp_path) == before
    assert not old or content(path) in ("old", ["old"])


def test_the_next_writer_removes_what_killed_runs_left_of_its_output_alone(tmp_path: Path) -> None:
    out = tmp_path / "out"
    for partial in (name_partial(out), name_partial(out, ".dated")):
        partial.mkdir()
        (partial / "half.txt").touch()
    others = [name_partial(tmp_path / name).name for name in ("big-out", "out2", "out.json")]
    others += [".partial-x-out", "partial-00000000-out"]
    for name in others:
        (tmp_path / name).touch()
    with replace_folder(out) as partial:
        assert names(partial) == []
    assert names(tmp_path) == sorted([*others, "out"])


@both
def test_of_two_writers_the_newer_one_wins_and_the_older_one_is_told(replace: Callable, tmp_path: Path) -> None:
    path = tmp_path / "out"
    with pytest.raises(UserError, match="out: another process"), replace(path) as older:
        write(older, "older")
        with replace(path) as newer:
            write(newer, "newer")
    assert content(path) in ("newer", ["newer"])
    assert not list(tmp_path.glob(".*"))


def test_a_link_in_the_place_of_a_folder_is_replaced_and_its_target_stays(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "kept.txt").touch()
    (tmp_path / "out").symlink_to(tmp_path / "far")
    with replace_folder(tmp_path / "out"):
        pass
    assert names(tmp_path) == ["far", "far/kept.txt", "out"]
    assert not (tmp_path / "out").is_symlink()


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="in /proc no file can be made")
def test_an_error_names_the_path_and_no_other_cause() -> None:
    with pytest.raises(OSError, match=r"/proc/x\.csv") as caught:
        write_json(Path("/proc/x.csv"), {})
    assert "Correct the path" in describe_error(caught.value)


@pytest.mark.parametrize(
    ("replace", "path"),
    [(replace_file, "folder"), (replace_file, "file/out"), (replace_folder, "file"), (replace_folder, "file/a/b")],
)
def test_a_file_and_a_folder_do_not_replace_each_other(replace: Callable, path: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "keep.txt").touch()
    (tmp_path / "file").touch()
    with pytest.raises((UserError, OSError)) as caught, replace(tmp_path / path):
        pass
    assert str(tmp_path / path.split("/", maxsplit=1)[0]) in str(caught.value)
    assert "Move it away" in describe_error(caught.value)
    assert names(tmp_path) == ["file", "folder", "folder/keep.txt"]


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
