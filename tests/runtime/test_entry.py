"""How a stage ends: a UserError as its message and exit code 1, any other error as itself, success with its time."""

import errno
import re
import subprocess
import sys
from pathlib import Path

import pytest

from skinlesion.runtime import entry, verbose
from skinlesion.runtime.errors import UserError, describe_error, listing
from tests.helpers.chain import ROOT


def refuse() -> None:
    raise UserError("17 rows are wrong")


def interrupt() -> None:
    raise KeyboardInterrupt


def run_again() -> None:
    entry.run(lambda: pytest.fail("it ran twice at once"), "merge")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In an empty folder, without arguments."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["stages/merge.py"])
    monkeypatch.setenv(verbose.VARIABLE, "")


@pytest.mark.parametrize(("main", "message"), [(refuse, "merge: 17 rows are wrong"), (interrupt, "merge: interrupted")])
def test_an_error_becomes_its_message(main, message: str) -> None:
    with pytest.raises(SystemExit, match=message) as caught:
        entry.run(main, "merge")
    assert isinstance(caught.value.code, str), "printed to stderr, exit code 1"


@pytest.mark.parametrize("word", ["-v", "--verbose"])
def test_verbose_also_shows_the_traceback(word, monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "argv", ["stages/merge.py", word])
    with pytest.raises(SystemExit):
        entry.run(refuse, "merge")
    assert "in refuse" in capsys.readouterr().err


def test_a_defect_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        entry.run(lambda: 1 / 0, "merge")


def test_a_stage_runs_once_at_a_time_in_a_repository_and_again_after_a_kill() -> None:
    """A stage that outlives a killed dvc holds its lock; a killed stage holds none."""
    Path(".dvc").mkdir()
    with pytest.raises(SystemExit, match=r"merge: Another run of merge.*Wait"):
        entry.run(run_again, "merge")
    code = "import os, signal\nfrom skinlesion.runtime.entry import hold_lock\n"
    code += "with hold_lock('merge'): os.kill(os.getpid(), signal.SIGKILL)"
    assert subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": str(ROOT)}, check=False).returncode < 0
    entry.run(lambda: None, "merge")


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        ("split", ("params.yaml is missing", "root")),
        ("explain", ("data/predictions.csv is missing", "dvc repro")),
        ("merge", ("data/raw/HAM10000_metadata.csv: the file is missing", "dvc repro -f download")),
    ],
)
def test_a_missing_input_is_one_line_on_the_terminal(stage: str, words: tuple[str, str], folder: Path) -> None:
    if stage == "split":
        (folder / "params.yaml").unlink()
    command = [sys.executable, ROOT / "stages" / f"{stage}.py"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"{stage}: {words[0]}")
    assert words[1] in line


def test_its_time_is_printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    clock = iter([100.0, 112.34])
    monkeypatch.setattr(entry.time, "perf_counter", lambda: next(clock))
    entry.run(lambda: None, "merge")
    assert capsys.readouterr().out == "merge: 12.3 s\n"


@pytest.mark.parametrize(
    ("number", "word"),
    {
        "ENOSPC": "Free",
        "EDQUOT": "quota",
        "EROFS": "read-only",
        "EFBIG": "ulimit",
        "EACCES": "permissions",
        "EIO": "Check",
    }.items(),
)
def test_an_error_of_the_operating_system_has_its_remedy(number: str, word: str) -> None:
    error = OSError(getattr(errno, number), "the fault", "x.csv")
    assert re.search(rf"the fault.*x\.csv.*{word}", describe_error(error))


def test_a_listing_shows_five_and_counts_the_rest() -> None:
    assert listing(list("abcde")) == "a, b, c, d, e"
    assert listing(list("abcdefgh")) == "a, b, c, d, e and 3 more"
