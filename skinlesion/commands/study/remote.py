"""Runs a study on a Dask cluster: a task per run, in a clone of the commit, results by the Git and the DVC remote."""

import io
import os
import sys
import tempfile
from pathlib import Path

from skinlesion.commands.dvc import read_dvc, start, start_dvc
from skinlesion.commands.study.plan import Run
from skinlesion.commands.study.record import find_head
from skinlesion.commands.study.runs import finish, follow_output, keep_finished, label_missing, name_log, override_words
from skinlesion.report.provenance import git
from skinlesion.runtime import cluster, paths, processes
from skinlesion.runtime.errors import UserError

REMOTE = "origin"  # of Git
OURS = (f":!{paths.STUDY.as_posix()}", f":!{paths.STUDY_CSV.as_posix()}")  # what a study writes may be uncommitted


def run_all(runs: list[Run], address: str, resources: dict[str, float]) -> list[str]:
    """Run on the cluster at `address` what has not finished, here or on the Git remote; return the names that failed.

    Args:
        resources: what a run takes of a worker's resources, by their names in Dask, as {"GPU": 1}.

    Raises:
        UserError: a worker could not get the commit or the data, or see `cluster.connect`.
    """
    url, commit = find_origin()
    finished = keep_finished(runs)
    there = {*read_dvc("exp", "list", "--name-only", REMOTE).split()} & {run.name for run in runs} - finished
    if there:
        pull(*sorted(there))
        finished = keep_finished(runs)
    missing = list(label_missing(runs, finished))
    if not missing:
        return []
    with cluster.connect(address) as client:
        from dask.base import tokenize
        from distributed import as_completed

        def work(*job: str | int | list[str]) -> tuple[bool, float | None, str]:
            return run_on_worker(*job)  # which itself would be looked up in what the worker has installed

        workers = client.scheduler_info(n_workers=-1)["workers"].values()
        if not any(
            all(worker["resources"].get(name, 0) >= least for name, least in resources.items()) for worker in workers
        ):
            print(f"no worker of {address} has {resources} yet; the runs wait for one", flush=True)
        futures = {}
        for run, label in missing:
            words = override_words(run)
            print(f"{label}: sent to {address}", flush=True)
            task = client.submit(
                work,
                *(url, commit, run.name, words, run.max_epochs, label),
                key=f"{run.name}-{tokenize(commit, words)}",
                resources=resources,
            )
            futures[task] = run, label
        return [
            futures[task][0].name
            for task in as_completed(futures, loop=client.loop)
            if not collect(task, *futures[task], commit)
        ]


def collect(task, run: Run, label: str, commit: str) -> bool:
    """Write the log of a run of `commit` that has ended, and pull its experiment; return whether it succeeded."""
    try:
        succeeded, seconds, output = task.result()
        if succeeded:
            pull(run.name)
    except Exception as error:  # Dask's, as when one worker after another died, or of the pull
        succeeded, seconds, output = False, None, f"{type(error).__name__}: {error}"
    name_log(run).write_text(output, encoding="utf-8")
    return finish(run, label, commit, succeeded, seconds)


def pull(*names: str) -> None:
    """Pull experiments from the Git remote: params, metrics and dvc.lock; the models stay on the DVC remote."""
    read_dvc("exp", "pull", "--force", "--no-cache", REMOTE, *names)


def check_address(address: str) -> str:
    """Return the address of a scheduler; raise UserError if it is none, as the name of a preset behind --cluster."""
    if ":" not in address:
        fault = f"{address!r} is no address of a Dask scheduler" if address else f"{cluster.ADDRESS} is not set"
        raise UserError(f"--cluster: {fault}. Write --cluster tcp://HOST:8786, or set the variable")
    return address


def find_origin() -> tuple[str, str]:
    """Find the URL of the Git remote and the commit; raise UserError if a worker could not get commit or data."""
    url, commit = git(Path(), "remote", "get-url", REMOTE), find_head()
    if url is None or commit is None:
        raise UserError(
            f"This folder has no Git remote {REMOTE}, from which workers clone. Run: git remote add {REMOTE} URL"
        )
    if git(Path(), "status", "--porcelain", "--untracked-files=no", "--", ".", *OURS):
        raise UserError("Workers clone the last commit, but tracked files have changed since. Commit and push them")
    if not git(Path(), "branch", "--remotes", "--list", f"{REMOTE}/*", "--contains", commit):
        raise UserError(f"The Git remote {REMOTE} lacks commit {commit[:10]}. Run: git push {REMOTE} HEAD")
    with start_dvc("config", "--project", "core.remote") as process:
        process.communicate()
    if process.returncode:
        remedy = "Run: dvc remote add --default NAME URL, then commit .dvc/config (docs/sharing.md)"
        raise UserError(f"The committed .dvc/config names no default DVC remote, by which data travel. {remedy}")
    return str(Path(url).resolve()) if Path(url).exists() else url, commit


def run_on_worker(
    url: str, commit: str, name: str, overrides: list[str], max_epochs: int, label: str
) -> tuple[bool, float | None, str]:
    """Run an experiment in a clone of `commit` and push it: first its data to the DVC remote, then itself to Git.

    Returns:
        whether it succeeded, its training time in s as `follow_output` says, and the output of all commands.
    """
    import dask
    from distributed import get_worker, print

    limits = dask.config.get("distributed.nanny.pre-spawn-environ")  # one thread per library, for Dask's own tasks
    environment = {key: value for key, value in os.environ.items() if key not in limits or value != str(limits[key])}
    environment |= {
        cluster.ADDRESS: "",
        processes.COUNT: "1",
        "GIT_TERMINAL_PROMPT": "0",
    }  # the run is local, and alone
    dvc, output, seconds = (sys.executable, "-m", "dvc"), io.StringIO(), None
    with tempfile.TemporaryDirectory(dir=get_worker().local_directory, ignore_cleanup_errors=True) as folder:
        for command in (
            ("git", "clone", "--quiet", "--no-checkout", url, "."),
            ("git", "checkout", "--quiet", "--detach", commit),
            (*dvc, "exp", "run", "--pull", "--allow-missing", "-n", name, *overrides),
            (*dvc, "push", "--run-cache"),
            (*dvc, "exp", "push", "--force", "--no-cache", REMOTE, name),
        ):
            with start(*command, cwd=Path(folder), environment=environment) as process:
                time = follow_output(process.stdout, output, label, max_epochs, print)
            if process.returncode:
                return False, None, output.getvalue()
            seconds = time or seconds
    return True, seconds, output.getvalue()
