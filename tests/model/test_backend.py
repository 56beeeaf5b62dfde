"""Keras starts without its start-up messages, and other messages still reach the terminal."""

import logging
import os
import subprocess
import sys

import pytest

from skinlesion.model.backend import quiet
from tests.helpers.chain import ROOT

NOISE = [
    "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR",
    "I0000 00:00:1795243223.229012    8288 port.cc:153] oneDNN custom operations are on.",
    "W0000 00:00:1795243223.229012    8288 gpu_device.cc:2433] TensorFlow was not built with CUDA kernel binaries",
    "To enable the following instructions: AVX2 AVX512F, rebuild TensorFlow with the appropriate compiler flags.",
]
MESSAGES = [
    "Traceback (most recent call last):",
    "Warning: disk almost full",
    "E0000 00:00:1 82 x.cc:1] failed",
    "I say",
]


def write(lines: list[str]) -> None:
    """Write as C++ code does: past Python."""
    os.write(2, "".join(f"{line}\n" for line in lines).encode())


def test_noise_is_dropped_and_the_rest_is_written_afterwards_in_its_order(capfd):
    with quiet():
        write([MESSAGES[0], *NOISE[:2], *MESSAGES[1:], *NOISE[2:]])
        assert capfd.readouterr().err == "", "it is held back meanwhile"
    assert capfd.readouterr().err.splitlines() == MESSAGES
    write(NOISE[:1])
    assert capfd.readouterr().err.splitlines() == NOISE[:1], "stderr is as before"


def test_an_error_is_raised_and_earlier_messages_are_written(capfd):
    with pytest.raises(ZeroDivisionError), quiet():
        write(MESSAGES[:1])
        raise ZeroDivisionError
    assert capfd.readouterr().err.splitlines() == MESSAGES[:1]


def test_tensorflows_advice_on_retracing_is_dropped_and_its_other_warnings_are_not():
    logger = logging.getLogger("tensorflow")
    for text, kept in {"5 out of the last 352 calls triggered tf.function retracing.": False, "I say": True}.items():
        record = logger.makeRecord(logger.name, logging.WARNING, "", 0, text, (), None)
        assert bool(logger.filter(record)) == kept


@pytest.mark.chain
def test_a_process_that_starts_keras_writes_nothing():
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    code = "from skinlesion.model import backend; print(backend.keras.backend.backend())"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert (done.stdout.strip(), done.stderr) == ("tensorflow", "")
