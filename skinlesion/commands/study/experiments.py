"""DVC's experiments as the study needs them, through DVC's own command line."""

import json
import re
import subprocess
from dataclasses import dataclass
from typing import Any

from skinlesion.commands.dvc import dvc, must
from skinlesion.runtime import paths
from skinlesion.runtime.errors import UserError

TASK = re.compile(r"^[0-9a-f]{7,} +(\S+) .* (Queued|Running|Success|Failed) *$", re.MULTILINE)
WORKERS = re.compile(r"Worker status: (\d+) active, (\d+) idle")


@dataclass(frozen=True)
class Experiment:
    """A finished experiment: params.yaml, the rows used of networks.yaml, metrics by file, and its end (ISO 8601)."""

    name: str
    params: dict[str, Any]
    networks: dict[str, Any]
    metrics: dict[str, dict[str, Any]]
    ended: str


@dataclass(frozen=True)
class Queue:
    """What `dvc queue status` says: tasks as (name, Queued | Running | Success | Failed), newest states last."""

    tasks: list[tuple[str, str]]
    workers: int

    def names(self, *states: str) -> set[str]:
        return {name for name, state in self.tasks if state in states}


def finished(*options: str) -> list[Experiment]:
    """The experiments that ended well, of the current commit; options as -A (all commits) go to `dvc exp show`."""
    found = []
    for commit in json.loads(must("exp", "show", "--json", *options)):
        for entry in commit["experiments"] or []:
            revision, executor = entry["revs"][0], entry["executor"]
            if entry["name"] and not revision["error"] and (not executor or executor["state"] == "success"):
                found.append(of(entry["name"], revision["data"]))
    return found


def of(name: str, data: dict[str, Any]) -> Experiment:
    contents = {
        kind: {file: found.get("data") or {} for file, found in (data[kind] or {}).items()}
        for kind in ("params", "metrics")
    }
    used = [contents["params"].get(file.as_posix(), {}) for file in (paths.PARAMS, paths.NETWORKS)]
    return Experiment(name, *used, contents["metrics"], data["timestamp"] or "")


def queue() -> Queue:
    """The queue's tasks and how many workers are there."""
    text = must("queue", "status")
    workers = WORKERS.search(text)
    return Queue(TASK.findall(text), sum(int(number) for number in workers.groups()) if workers else 0)


def start_worker() -> None:
    """Start one worker for the queue; it ends by itself some seconds after the last task."""
    # It inherits and keeps the output: a pipe would be waited for until the queue is through.
    if dvc("queue", "start", "-j", "1", output=subprocess.DEVNULL).returncode:
        raise UserError("dvc queue start failed; run it by hand to see why: dvc queue start -j 1")
