"""The finished DVC experiments, as `dvc exp show` lists them."""

import json
from dataclasses import dataclass
from typing import Any

from skinlesion.commands.dvc import read_dvc
from skinlesion.runtime import paths


@dataclass(frozen=True)
class Experiment:
    """A finished experiment: params and metrics by file, the MD5 of its model, and when it ended (ISO 8601)."""

    name: str
    params: dict[str, dict[str, Any]]
    metrics: dict[str, dict[str, Any]]
    model: str | None
    ended: str


def read_experiments(*options: str) -> list[Experiment]:
    """Read the finished experiments of the current commit; options, such as -A (all commits), go to `dvc exp show`."""
    experiments = []
    for commit in json.loads(read_dvc("exp", "show", "--json", *options)):
        for entry in commit["experiments"] or []:
            revision, executor = entry["revs"][0], entry["executor"]
            if entry["name"] and not revision["error"] and (not executor or executor["state"] == "success"):
                data = revision["data"]
                params, metrics = (
                    {file: content.get("data") or {} for file, content in data[kind].items()}
                    for kind in ("params", "metrics")
                )
                model = data["outs"].get(paths.MODEL.as_posix(), {}).get("hash")
                experiments.append(Experiment(entry["name"], params, metrics, model, data["timestamp"]))
    return experiments
