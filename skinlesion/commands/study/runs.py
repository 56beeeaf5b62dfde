"""Runs a study: finished runs stay, a failed run does not stop the others, and training times are recorded."""

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import TextIO

from skinlesion.commands.dvc import Experiment, read_dvc, read_experiments, start_dvc
from skinlesion.commands.preset.presets import differences
from skinlesion.commands.study import record
from skinlesion.commands.study.plan import Run
from skinlesion.runtime.files import write_json

LOGS = Path(".dvc/tmp/study")  # ignored by Git; metrics hold no times, so that a repeated run leaves the same dvc.lock
TIMES = LOGS / "train_seconds.json"
STAGE = re.compile(r"Running stage '(\w+)'")  # DVC
EPOCH = re.compile(r"Epoch (\d+)/\d+$")  # Keras
RESUMED = "train: resumes after epoch"  # train/resume/progress.py
TRAINED = re.compile(r"train: (\d+\.\d) s$")  # runtime/entry.py
LAST_LINES = 10  # of a failed run's output, to be shown


def run_all(runs: list[Run]) -> list[str]:
    """Run everything that has not finished with the same params on the current commit; return the names that failed."""
    missing = label_missing(runs, keep_finished(runs))
    return [run.name for run, label in missing if not run_experiment(run, label)]


def run_recorded(runs: list[Run], folder: Path, commits: bool) -> list[str]:
    """Run everything that `folder` has no result of, and record each there; return the names that failed.

    A run that has finished on the current commit, but was not recorded, does not run again. The record is committed
    where `commits` is true, also that of an earlier study.
    """
    record.check_repository(commits)
    finished = {run.name for run in runs if record.is_recorded(folder / run.name, run)}
    if commits:
        for name in sorted(finished):
            record.commit(folder / name)
    failed = []
    for run, label in label_missing(runs, finished):
        if (folder / run.name).exists():
            print(f"{label}: recorded, but with other params or code of {', '.join(record.ROOMS)}", flush=True)
        commit = record.find_head()
        if not keep_finished([run]) and not run_experiment(run, label):
            failed.append(run.name)
            continue
        experiment = find_experiment(run.name, commit)
        record.record(folder / run.name, run, experiment, read_recorded_times().get(experiment.model))
        print(f"{label}: recorded in {folder / run.name}", flush=True)
        if commits and not record.commit(folder / run.name):
            print(f"{label}: nothing to commit: Git has the same already, or ignores the folder", flush=True)
    return failed


def keep_finished(runs: list[Run]) -> set[str]:
    """Return the names that have finished with the same params on the current commit.

    Those with other params make way under another name: the new run may fail.
    """
    contents = {run.name: run.contents for run in runs}
    experiments = [experiment for experiment in read_experiments() if experiment.name in contents]
    finished = {item.name for item in experiments if not differences(contents[item.name], item.params)}
    for name in sorted({experiment.name for experiment in experiments} - finished):
        read_dvc("exp", "rename", "--force", name, f"{name}-before")
        print(f"{name} has finished with other params: it is {name}-before now", flush=True)
    return finished


def label_missing(runs: list[Run], finished: set[str]) -> Iterator[tuple[Run, str]]:
    """Yield the runs that have not finished, each with its label in messages."""
    for number, run in enumerate(runs, start=1):
        label = f"run {number} of {len(runs)}: {run.name}"
        if run.name in finished:
            print(f"{label}: already finished", flush=True)
        else:
            yield run, label


def run_experiment(run: Run, label: str) -> bool:
    """Run in a copy of the repository, so that the workspace stays as it is; return whether the run succeeded."""
    log, commit = name_log(run), record.find_head()
    print(f"{label}: starting; output in {log}", flush=True)
    command = ("exp", "run", "--temp", "-n", run.name, *override_words(run))
    with log.open("w", encoding="utf-8") as copy, start_dvc(*command, stderr=subprocess.STDOUT) as process:
        try:
            seconds = follow_output(process.stdout, copy, label, run.max_epochs)
        except KeyboardInterrupt:
            process.communicate()  # DVC was interrupted too, and removes its copy of the repository
            raise
    return finish(run, label, commit, process.returncode == 0, seconds)


def override_words(run: Run) -> list[str]:
    """The overrides of a run as words of `dvc exp run`."""
    return [word for override in run.overrides for word in ("-S", override)]


def name_log(run: Run) -> Path:
    """Return the file for the output of a run, in a folder that exists."""
    LOGS.mkdir(parents=True, exist_ok=True)
    return LOGS / f"{run.name}.log"


def finish(run: Run, label: str, commit: str, succeeded: bool, seconds: float | None) -> bool:
    """Say how a run of `commit` ended, whose output is in its log, and record its training time in s.

    Returns `succeeded`.
    """
    if not succeeded:
        log = name_log(run)
        lines = log.read_text(encoding="utf-8").strip().splitlines()[-LAST_LINES:]
        print("\n  ".join([f"{label}: failed; whole output in {log}:", *lines]), flush=True)
        return False
    print(f"{label}: finished", flush=True)
    if seconds is not None:
        record_time(find_experiment(run.name, commit).model, seconds)
    return True


def follow_output(
    lines: Iterable[str], copy: TextIO, label: str, max_epochs: int, print: Callable[..., None] = print
) -> float | None:
    """Print stage, epoch and time left as a run's output arrives, and copy it; return the training time in s.

    None where train did not run, or resumed an interrupted training: its time would be that of the last epochs only.
    """
    seconds = epoch_start = None
    resumed = False
    for line in lines:
        copy.write(line)
        if match := STAGE.search(line):
            print(f"{label}: stage {match[1]}", flush=True)
        elif match := EPOCH.match(line):
            epoch, now = int(match[1]), time.monotonic()
            words = f"{label}: stage train, epoch {epoch} of at most {max_epochs}"
            if epoch_start is not None:
                left = timedelta(seconds=round((now - epoch_start) * (max_epochs - epoch + 1)))
                words += f", about {left} left"
            print(words, flush=True)
            epoch_start = now
        elif line.startswith(RESUMED):
            resumed = True
        elif match := TRAINED.match(line):
            seconds = float(match[1])
    return None if resumed else seconds


def find_experiment(name: str, commit: str) -> Experiment:
    """Find a finished experiment of `commit`: it need not be the current one, as somebody may commit during a run."""
    return next(experiment for experiment in read_experiments("--rev", commit) if experiment.name == name)


def record_time(model: str | None, seconds: float) -> None:
    """Record the training time of a model, by its MD5; one that was trained before keeps its first time."""
    if model:
        write_json(TIMES, {model: seconds, **read_recorded_times()})


def read_recorded_times() -> dict[str, float]:
    """Read the training time in s of each model, by its MD5, as measured on this machine."""
    return json.loads(TIMES.read_text(encoding="utf-8")) if TIMES.exists() else {}
