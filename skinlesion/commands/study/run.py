"""Runs the plan: what is finished stays, what failed or is missing runs, and one failure does not stop the rest."""

import time
from collections.abc import Callable

from skinlesion.commands.dvc import dvc, must
from skinlesion.commands.study import experiments
from skinlesion.commands.study.plan import Run
from skinlesion.runtime import params, paths
from skinlesion.runtime.params import Params

POLL = 10  # seconds between two looks at the queue, each of which costs DVC a second or two


def run(runs: list[Run], queued: bool) -> list[str]:
    """Run all that is not finished with the same params on the current commit; give back the names that failed."""
    names = {one.name for one in runs}
    there = experiments.finished()
    done = those_done(runs, there)
    for one in sorted(done):
        print(f"{one}: finished already", flush=True)
    outdated = sorted(({one.name for one in there} & names) - done)
    if outdated:
        must("exp", "remove", *outdated)
    left = [one for one in runs if one.name not in done]
    if not left:
        return []
    WAYS[queued](left)
    return sorted(names - those_done(runs, experiments.finished()))


def those_done(runs: list[Run], there: list[experiments.Experiment]) -> set[str]:
    """The names of the runs that one of the experiments has done."""
    return {one.name for one in runs if any(one.name == other.name and same(one, other) for other in there)}


def same(one: Run, other: experiments.Experiment) -> bool:
    """Whether the experiment ran with the params of the plan."""
    tables = {table: rows | other.networks.get(table, {}) for table, rows in params.read(paths.NETWORKS).items()}
    try:
        return Params.model_validate(other.params | tables) == one.params
    except ValueError:
        return False


def words(one: Run) -> list[str]:
    return ["-n", one.name, *(word for override in one.overrides for word in ("-S", override))]


def in_a_loop(runs: list[Run]) -> None:
    """One after the other, each in a copy of the repository, so that the workspace stays as it is."""
    for number, one in enumerate(runs, start=1):
        print(f"{one.name}: {number} of {len(runs)}", flush=True)
        if dvc("exp", "run", "--temp", *words(one), output=None).returncode:
            print(f"{one.name}: failed", flush=True)


def in_the_queue(runs: list[Run]) -> None:
    """Through DVC's queue, one at a time; tasks that another study left running are waited for."""
    names = {one.name for one in runs}
    running = clean(names)
    for one in runs:
        if one.name not in running:
            must("exp", "run", "--queue", *words(one))
            print(f"{one.name}: queued", flush=True)
    try:
        wait(names)
    except KeyboardInterrupt:
        print("the queue goes on without this study; dvc queue stop --kill ends it", flush=True)
        raise


def clean(names: set[str]) -> set[str]:
    """Take out of the queue what bears these names, but for tasks that a worker is at: those are given back."""
    queue = experiments.queue()
    running = queue.names("Running") & names
    if running and not queue.workers:  # their worker was killed
        give_up(running)
        running = set()
    gone = (experiments.queue().names("Queued", "Failed", "Success") & names) - running
    if gone:
        must("queue", "remove", *sorted(gone))
    return running


def give_up(names: set[str]) -> None:
    """Mark tasks without a worker as failed."""
    must("queue", "kill", "--force", *sorted(names))


def wait(names: set[str]) -> None:
    """Wait until the queue is through with these tasks; start a worker where there is none."""
    reported: set[str] = set()
    alone = 0  # looks in a row at tasks that run without a worker
    while True:
        queue = experiments.queue()
        for state in ("Success", "Failed"):
            for one in sorted((queue.names(state) & names) - reported):
                reported.add(one)
                print(f"{one}: {MESSAGES[state](one)}", flush=True)
        waiting, running = queue.names("Queued") & names, queue.names("Running") & names
        if not waiting and not running:
            return
        alone = alone + 1 if running and not queue.workers else 0
        if alone > 1:
            give_up(running)
        elif waiting and not queue.workers:
            experiments.start_worker()
        time.sleep(POLL)


MESSAGES: dict[str, Callable[[str], str]] = {
    "Success": lambda _: "finished",
    "Failed": lambda name: f"failed; its output: dvc queue logs {name}",
}
WAYS: dict[bool, Callable[[list[Run]], None]] = {True: in_the_queue, False: in_a_loop}
