"""DVC's command line, run by the same Python as this program, and the experiments that it lists."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skinlesion.runtime import paths
from skinlesion.runtime.errors import UserError


def start_dvc(*words: str, stderr: int = subprocess.PIPE) -> subprocess.Popen[str]:
    """Start DVC with this Python; see `start`."""
    return start(sys.executable, "-m", "dvc", *words, stderr=stderr)


def start(
    *command: str,
    stderr: int = subprocess.STDOUT,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[str]:
    """Start a command with this Python first on PATH, so that the stages use it too; nothing it prints is buffered."""
    environment = environment or os.environ
    path = os.pathsep.join([str(Path(sys.executable).parent), environment.get("PATH", "")])
    return subprocess.Popen(
        command,
        cwd=cwd,
        env={**environment, "PATH": path, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=stderr,
        encoding="utf-8",
        errors="replace",
    )


def read_dvc(*words: str) -> str:
    """Run DVC and return its output; raise UserError with DVC's own message if it failed."""
    process = start_dvc(*words)
    output, errors = process.communicate()
    if process.returncode:
        raise UserError(f"dvc {' '.join(words[:2])} failed: {' '.join((errors or output).strip().splitlines()[-3:])}")
    return output


@dataclass(frozen=True)
class Experiment:
    """A finished experiment: params and metrics by file, MD5 of its model, when it ended (ISO 8601), its commit."""

    name: str
    params: dict[str, dict[str, Any]]
    metrics: dict[str, dict[str, Any]]
    model: str | None
    ended: str
    commit: str


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
                name, ended, sha = entry["name"], data["timestamp"], revision["rev"]
                experiments.append(Experiment(name, params, metrics, model, ended, sha))
    return experiments
