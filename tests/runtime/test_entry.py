"""How a stage ends: a UserError as its message and exit code 1, any other error as itself, success with its time."""

import subprocess
import sys
from pathlib import Path

import pytest

from skinlesion.runtime import entry, verbose
from skinlesion.runtime.errors import UserError, listing
from tests.helpers.chain import ROOT


def refuse() -> None:
    raise UserError("17 rows are wrong")


def interrupt() -> None:
    raise KeyboardInterrupt


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In an empty folder, with no words behind the stage."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["stages/merge.py"])
    monkeypatch.setenv(verbose.VARIABLE, "")


def test_a_user_error_becomes_its_message() -> None:
    with pytest.raises(SystemExit) as caught:
        entry.run(refuse, "merge")
    assert caught.value.code == "merge: 17 rows are wrong"  # text: printed to stderr, exit code 1


@pytest.mark.parametrize("word", ["-v", "--verbose"])
def test_asked_for_more_it_also_says_where_the_message_came_from(word, monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "argv", ["stages/merge.py", word])
    with pytest.raises(SystemExit):
        entry.run(refuse, "merge")
    assert "in refuse" in capsys.readouterr().err


def test_an_interruption_is_no_traceback_either() -> None:
    with pytest.raises(SystemExit) as caught:
        entry.run(interrupt, "merge")
    assert str(caught.value.code).startswith("merge: interrupted")


def test_a_defect_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        entry.run(lambda: 1 / 0, "merge")


def test_the_terminal_sees_the_message_alone() -> None:
    """A whole process, in a folder without params.yaml."""
    command = [sys.executable, ROOT / "stages" / "split.py"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("split: params.yaml is missing")
    assert len(done.stderr.splitlines()) == 1


def test_its_time_is_printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    clock = iter([100.0, 112.34])
    monkeypatch.setattr(entry.time, "perf_counter", lambda: next(clock))
    entry.run(lambda: None, "merge")
    assert capsys.readouterr().out == "merge: 12.3 s\n"


def test_a_listing_shows_five_and_counts_the_rest() -> None:
    assert listing(["a", "b"]) == "a, b"
    assert listing(list("abcde")) == "a, b, c, d, e"
    assert listing(list("abcdefgh")) == "a, b, c, d, e and 3 more"
