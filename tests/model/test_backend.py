"""Keras starts without its chatter, and what matters still reaches the terminal."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from skinlesion.model.backend import quiet
from tests.helpers.chain import ROOT

CHATTER = [
    "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR",
    "I0000 00:00:1795243223.229012    8288 port.cc:153] oneDNN custom operations are on.",
    "W0000 00:00:1795243223.229012    8288 gpu_device.cc:2433] TensorFlow was not built with CUDA kernel binaries",
    "To enable the following instructions: AVX2 AVX512F, rebuild TensorFlow with the appropriate compiler flags.",
]
WORDS = [
    "Traceback (most recent call last):",
    "Warning: disk almost full",
    "E0000 00:00:1 82 x.cc:1] failed",
    "I say",
]


def say(lines: list[str]) -> None:
    """Write as C++ code does: past Python."""
    os.write(2, "".join(f"{line}\n" for line in lines).encode())


@pytest.mark.parametrize("line", CHATTER)
def test_notes_and_warnings_are_dropped(line, capfd):
    with quiet():
        say([line])
    assert capfd.readouterr().err == ""


def test_all_else_is_passed_on_in_its_order(capfd):
    with quiet():
        say([WORDS[0], CHATTER[0], *WORDS[1:], CHATTER[1]])
        assert capfd.readouterr().err == "", "it is held back meanwhile"
    assert capfd.readouterr().err.splitlines() == WORDS


def test_an_error_inside_is_raised_and_what_was_said_is_shown(capfd):
    with pytest.raises(ZeroDivisionError), quiet():
        say(WORDS[:1])
        raise ZeroDivisionError
    assert capfd.readouterr().err.splitlines() == WORDS[:1]


def test_afterwards_stderr_is_as_before(capfd):
    with quiet():
        pass
    say(CHATTER[:1])
    assert capfd.readouterr().err.splitlines() == CHATTER[:1]


def test_what_python_says_inside_comes_out_too(capfd):
    with quiet():
        print("a word of Python's", file=sys.stderr)
    assert "a word of Python's" in capfd.readouterr().err


def test_no_file_descriptor_is_kept(capfd):
    with quiet():
        pass
    before = len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").exists() else 0
    for _ in range(5):
        with quiet():
            pass
    after = len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").exists() else 0
    assert after == before


@pytest.mark.chain
def test_a_process_that_starts_keras_says_nothing():
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    done = subprocess.run(
        [sys.executable, "-c", "from skinlesion.model import backend; print(backend.keras.backend.backend())"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout.strip(), done.stderr) == ("tensorflow", "")
