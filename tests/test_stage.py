"""How a stage ends: a UserError as its message and exit code 1, any other error as itself, success with its time."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from skinlesion import paths, stage, verbose
from skinlesion.errors import UserError, listing

REPOSITORY = Path(__file__).resolve().parents[1]


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
        stage.run(refuse, "merge")
    assert caught.value.code == "merge: 17 rows are wrong"  # text: printed to stderr, exit code 1
    assert not paths.TIMING.exists()


@pytest.mark.parametrize("word", ["-v", "--verbose"])
def test_asked_for_more_it_also_says_where_the_message_came_from(word, monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "argv", ["stages/merge.py", word])
    with pytest.raises(SystemExit):
        stage.run(refuse, "merge")
    assert "in refuse" in capsys.readouterr().err


def test_an_interruption_is_no_traceback_either() -> None:
    with pytest.raises(SystemExit) as caught:
        stage.run(interrupt, "merge")
    assert str(caught.value.code).startswith("merge: interrupted")


def test_a_defect_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        stage.run(lambda: 1 / 0, "merge")


def test_the_terminal_sees_the_message_alone() -> None:
    """A whole process, in a folder without params.yaml."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-m", "stages.split"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("split: params.yaml is missing")
    assert len(done.stderr.splitlines()) == 1


def test_the_time_of_each_stage_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([100.0, 112.34, 200.0, 200.0])
    monkeypatch.setattr(stage.time, "perf_counter", lambda: next(clock))
    stage.run(lambda: None, "merge")
    stage.run(lambda: None, "split")
    assert json.loads(paths.TIMING.read_text()) == {"merge": 12.3, "split": 0}


def test_a_later_run_replaces_its_time_and_no_other() -> None:
    stage.record_time("merge", 12)
    stage.record_time("split", 1)
    stage.record_time("merge", 7)
    assert json.loads(paths.TIMING.read_text()) == {"merge": 7, "split": 1}


def test_damaged_times_are_begun_anew() -> None:
    paths.TIMING.parent.mkdir()
    paths.TIMING.write_text("{")
    stage.record_time("merge", 7)
    assert json.loads(paths.TIMING.read_text()) == {"merge": 7}


def test_a_listing_shows_five_and_counts_the_rest() -> None:
    assert listing(["a", "b"]) == "a, b"
    assert listing(list("abcde")) == "a, b, c, d, e"
    assert listing(list("abcdefgh")) == "a, b, c, d, e and 3 more"


def test_a_time_that_cannot_be_noted_is_told_and_the_stage_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    Path("metrics").touch()
    stage.run(lambda: None, "merge")
    assert "merge: its time was not noted: " in capsys.readouterr().err


def test_times_that_are_no_table_are_written_anew() -> None:
    Path("metrics").mkdir()
    Path("metrics/timing.json").write_text("[]")
    stage.run(lambda: None, "merge")
    assert list(json.loads(Path("metrics/timing.json").read_text())) == ["merge"]
