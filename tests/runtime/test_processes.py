"""The processes of one training, by Keras' variables or SLURM's."""

from pathlib import Path

import pytest

from skinlesion.runtime import entry, processes
from skinlesion.runtime.errors import UserError

SLURM = {"SLURM_STEP_NUM_TASKS": "4", "SLURM_PROCID": "3"}
KERAS = {processes.COUNT: "2", processes.INDEX: "1"}


@pytest.fixture(autouse=True)
def no_names(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*SLURM, *KERAS, "KERAS_BACKEND"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ({}, (1, 0)),
        (KERAS, (2, 1)),
        (SLURM, (1, 0)),
        (SLURM | {"KERAS_BACKEND": "jax"}, (4, 3)),
        (SLURM | KERAS | {"KERAS_BACKEND": "jax"}, (2, 1)),
        ({"SLURM_STEP_NUM_TASKS": "1", "SLURM_PROCID": "0", "KERAS_BACKEND": "jax"}, (1, 0)),
    ],
)
def test_keras_variables_come_first_and_slurms_count_under_jax_alone(names, expected, monkeypatch) -> None:
    for name, value in names.items():
        monkeypatch.setenv(name, value)
    assert (processes.count(), processes.index()) == expected


def test_process_0_alone_takes_the_lock_of_the_stage(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["stages/train.py"])
    Path(".dvc").mkdir()
    monkeypatch.setenv(processes.COUNT, "2")
    for number, taken in (("1", False), ("0", True)):
        monkeypatch.setenv(processes.INDEX, number)
        entry.run(lambda: None, "train")
        assert Path(".dvc/tmp/stage-train.lock").exists() is taken


@pytest.mark.parametrize(
    ("total", "own", "named"),
    [
        ("two", "0", processes.COUNT),
        ("0", "0", processes.COUNT),
        ("2", None, processes.INDEX),
        ("2", "2", processes.INDEX),
    ],
)
def test_variables_that_name_no_process_are_refused(total, own, named, monkeypatch) -> None:
    monkeypatch.setenv(processes.COUNT, total)
    if own:
        monkeypatch.setenv(processes.INDEX, own)
    with pytest.raises(UserError, match=named):
        processes.check()
