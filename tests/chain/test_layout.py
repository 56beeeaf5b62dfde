"""The folders are the chain: what each room may import, and which folders of code each stage depends on."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.helpers.chain import ROOT, STAGES

# May import, beside itself and runtime. The same folders are its deps in dvc.yaml, if it is the room of a stage:
# all but runtime, which shapes messages, since every value comes from params.yaml (exceptions: docs/architecture.md).
ROOMS = {
    "runtime": [],
    "core": [],
    "model": ["core"],
    "sheets": [],
    "drawing": [],
    "download": ["core", "drawing"],
    "near_duplicates": ["core"],
    "merge": ["core", "near_duplicates"],
    "external": ["core", "near_duplicates", "drawing"],
    "explore": ["core", "sheets"],
    "balance": ["core", "sheets"],
    "split": ["core"],
    "train": ["core", "model"],
    "evaluate": ["core", "model"],
    "explain": ["core", "model", "sheets"],
    "report": ["core"],
}
# Nothing of core decides what download writes, and a change there must not fetch 5 GB again.
NO_DEPS = {"download": ["core"]}


def imported(file: Path) -> Iterator[str]:
    """The dotted names that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{file}: imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def forbidden(root: Path) -> list[tuple[str, str]]:
    """What the table does not allow: file, imported name."""
    found = []
    for folder, rooms in (("skinlesion", [*ROOMS, "commands"]), ("stages", STAGES)):
        for room in rooms:
            files = (root / folder / room).rglob("*.py") if folder == "skinlesion" else [root / f"stages/{room}.py"]
            allowed = {room, "runtime", *(ROOMS.get(room, [*ROOMS, "commands"]))}
            for file in files:
                for name in imported(file):
                    top, inner = name.split(".")[:2] if "." in name else (name, "")
                    if top in ("stages", "tests", "benchmarks") or (top == "skinlesion" and inner not in allowed):
                        found.append((file.relative_to(root).as_posix(), name))
    return found


def test_no_room_imports_what_it_may_not():
    assert forbidden(ROOT) == []


@pytest.mark.parametrize("room", ROOMS)
def test_every_forbidden_import_is_found(room, tmp_path):
    files = [tmp_path / "skinlesion" / room / "inner" / "module.py"]
    if room in STAGES:
        files.append(tmp_path / "stages" / f"{room}.py")
    others = [other for other in (*ROOMS, "commands") if other not in (room, "runtime", *ROOMS[room])]
    names = [f"skinlesion.{other}" for other in others] + ["stages.train"]
    for stage in STAGES:
        (tmp_path / "stages").mkdir(exist_ok=True)
        (tmp_path / "stages" / f"{stage}.py").touch()
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(f"def f{n}():\n    from {name} import x\n" for n, name in enumerate(names)))
        expected = {(file.relative_to(tmp_path).as_posix(), f"{name}.x") for name in names}
        assert set(forbidden(tmp_path)) == expected
        file.write_text("")


@pytest.mark.parametrize("stage", STAGES)
def test_the_deps_of_a_stage_are_its_script_and_these_folders(stage):
    listed = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"][stage]["deps"]
    folders = [room for room in [*ROOMS[stage], stage] if room not in NO_DEPS.get(stage, [])]
    code = [f"stages/{stage}.py", *(f"skinlesion/{room}" for room in folders)]
    assert [dep for dep in listed if dep.startswith(("stages", "skinlesion"))] == code


def test_the_external_set_selects_nothing():
    """No stage that train depends on, by any way, reads a file or a param of it; nor does train."""
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]

    def outputs(stage: str) -> list[str]:
        entries = [entry for kind in ("outs", "metrics", "plots") for entry in stages[stage].get(kind, [])]
        return [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]

    def makers(dep: str) -> set[str]:
        """Those that write `dep`, a part of it, or a folder that it is in."""
        return {
            stage
            for stage in stages
            for output in outputs(stage)
            if f"{output}/".startswith(f"{dep}/") or f"{dep}/".startswith(f"{output}/")
        }

    ancestors, waiting = set(), {"train"}
    while waiting:
        stage = waiting.pop()
        ancestors.add(stage)
        waiting |= set().union(*map(makers, stages[stage]["deps"])) - ancestors
    assert ancestors == {"download", "merge", "balance", "split", "train"}
    assert not [key for stage in ancestors for key in stages[stage]["params"] if str(key).startswith("external")]


def test_keras_is_taken_from_the_module_that_starts_it_quietly():
    files = {
        file.relative_to(ROOT / "skinlesion").as_posix()
        for file in (ROOT / "skinlesion").rglob("*.py")
        if any(name.split(".")[0] in ("keras", "keras_hub") for name in imported(file))
    }
    assert files == {"model/backend.py", "model/bundle.py"}  # the latter registers keras-hub's layers


def test_the_package_has_these_rooms_and_no_other():
    there = {path.name for path in (ROOT / "skinlesion").iterdir() if path.name != "__pycache__"}
    assert there == {*ROOMS, "commands", "__init__.py", "__main__.py"}
    assert {path.stem for path in (ROOT / "stages").glob("*.py")} == {"__init__", *STAGES}
