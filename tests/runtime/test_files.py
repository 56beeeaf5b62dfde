"""Outputs appear whole or not at all, and leave nothing beside them."""

import json
from pathlib import Path

import pytest

from skinlesion.runtime import files
from skinlesion.runtime.errors import UserError
from skinlesion.runtime.files import replace_file, replace_folder, write_json


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


OTHER = "00000000"


@pytest.mark.parametrize("process", ["999999999", "0123abcd"])
def test_what_a_killed_run_left_is_cleared_away(process: str, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    for name in (f".partial-{process}-out", f".old-{process}-out", f".partial-{process}.gone-out"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "half.txt").write_text("half")
    (tmp_path / f".partial-{process}-out.json").write_text("half")
    with replace_folder(tmp_path / "out") as again:
        assert names(again) == []
    assert names(tmp_path) == [f".partial-{process}-out.json", "out"]
    write_json(tmp_path / "out.json", {})
    assert names(tmp_path) == ["out", "out.json"]


def test_what_belongs_to_other_outputs_stays(tmp_path: Path) -> None:
    others = [f".partial-{OTHER}-big-out", f".partial-{OTHER}-out2", ".partial-x-out", ".old-out", "partial-1-out"]
    for name in others:
        (tmp_path / name).touch()
    with replace_folder(tmp_path / "out"):
        pass
    assert names(tmp_path) == sorted([*others, "out"])


def test_killed_between_the_two_moves_the_old_folder_comes_back(tmp_path: Path) -> None:
    for name in (f".old-{OTHER}-out", f".partial-{OTHER}-out"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "which.txt").write_text(name)
    with pytest.raises(Interrupted), replace_folder(tmp_path / "out"):
        raise Interrupted
    assert names(tmp_path) == ["out", "which.txt"]
    assert (tmp_path / "out" / "which.txt").read_text() == f".old-{OTHER}-out"


def test_a_half_removed_old_folder_never_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill while the old output is being removed."""

    def killed(*_: object, **__: object) -> None:
        raise Interrupted

    path = tmp_path / "out"
    path.mkdir()
    (path / "old.txt").write_text("old")
    with monkeypatch.context() as context:
        context.setattr(files.shutil, "rmtree", killed)
        with pytest.raises(Interrupted), replace_folder(path) as partial:
            (partial / "new.txt").write_text("new")
    assert [name for name in names(tmp_path) if name.startswith(".old")] == []
    (path / "new.txt").unlink()
    path.rmdir()
    with pytest.raises(Interrupted), replace_folder(path):
        raise Interrupted
    assert names(tmp_path) == []


@pytest.mark.parametrize("replace", [replace_file, replace_folder])
def test_of_two_at_once_the_newer_one_wins_and_the_older_one_says_so(
    replace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out"
    write = (
        (lambda place, text: place.write_text(text))
        if replace is replace_file
        else (lambda place, text: (place / text).write_text(text))
    )
    with pytest.raises(UserError, match="out: another process began to write it too"), replace(path) as older:
        write(older, "older")
        with replace(path) as newer:
            write(newer, "newer")
            assert not older.exists()
    assert names(tmp_path) == (["out"] if replace is replace_file else ["newer", "out"])
    assert (path.read_text() if replace is replace_file else (path / "newer").read_text()) == "newer"


def test_a_link_in_the_place_of_a_folder_is_replaced_and_what_it_led_to_stays(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "kept.txt").touch()
    (tmp_path / "out").symlink_to(tmp_path / "far")
    with replace_folder(tmp_path / "out"):
        pass
    assert names(tmp_path) == ["far", "kept.txt", "out"]
    assert not (tmp_path / "out").is_symlink()


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
