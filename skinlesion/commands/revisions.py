"""What a Git revision or a DVC experiment holds, read from Git and DVC's cache, never from a remote."""

import json
from pathlib import Path
from typing import Any

import yaml

from skinlesion.report.provenance import git
from skinlesion.runtime import paths
from skinlesion.runtime.errors import UserError

FETCH = f"dvc fetch --all-commits {paths.PREDICTIONS.as_posix()}"


def resolve_revision(name: str) -> str | None:
    """Find the commit of a branch, tag, commit or DVC experiment; None if this clone has none of that name.

    Raises UserError outside of a Git and DVC repository.
    """
    if git(Path(), "rev-parse", "--is-inside-work-tree") != "true":
        raise UserError("This folder is not under Git, and the comparison is with a commit. Run it in a clone")
    from dvc.exceptions import NotDvcRepoError
    from dvc.repo import Repo
    from dvc.scm import RevError, resolve_rev

    try:
        with Repo() as repo:
            return resolve_rev(repo.scm, name)
    except NotDvcRepoError:
        raise UserError("This folder is not the root of a DVC repository. Run it in the root of a clone") from None
    except RevError:
        return None


def parse_file(text: str | None, path: Path, revision: str) -> dict[str, Any]:
    """Parse a JSON or YAML file of a revision; None, a missing file, gives {}. Raises UserError if it is no mapping."""
    try:
        content = (json.loads if path.suffix == ".json" else yaml.safe_load)(text or "{}")
    except (ValueError, yaml.YAMLError):
        content = None
    if not isinstance(content, dict):
        remedy = "Resolve its merge conflict, if it has one, then run dvc repro"
        raise UserError(f"{path} of {revision} has invalid syntax or no keys. {remedy}")
    return content


def list_outputs(lock: dict[str, Any]) -> dict[str, str]:
    """List path -> MD5 of all outputs in dvc.lock, parsed."""
    stages = lock.get("stages", {}).values()
    return {out["path"]: out["md5"] for stage in stages for out in stage.get("outs", []) if "md5" in out}


def find_cached(md5: str | None) -> Path | None:
    """Find a file in DVC's cache; None if it is not there, or there is no MD5."""
    if md5 is None:
        return None
    from dvc.repo import Repo

    with Repo() as repo:
        path = Path(repo.cache.local.oid_to_path(md5))
    return path if path.is_file() else None


def find_predictions(source: str) -> Path:
    """Find data/predictions.csv of a file, else of a branch, tag, commit or experiment.

    Raises UserError if there is no such file or revision, or its predictions are not in DVC's cache.
    """
    if Path(source).is_file():
        return Path(source)
    predictions = paths.PREDICTIONS.as_posix()
    commit = resolve_revision(source)
    if commit is None:
        kinds = "branch, tag, commit or experiment of this clone, and no file"
        remedy = (
            "Correct the name; git fetch brings branches of a server, dvc exp list names the finished experiments, "
            "dvc queue status those that are queued or running"
        )
        raise UserError(f"{source!r} is no {kinds}. {remedy}")
    outputs = list_outputs(parse_file(git(Path(), "show", f"{commit}:./{paths.LOCK}"), paths.LOCK, source))
    if predictions not in outputs:
        raise UserError(f"{source} has no result: its {paths.LOCK} does not name {predictions}. Run dvc repro on it")
    cached = find_cached(outputs[predictions])
    if cached is None:
        experiment = git(Path(), "for-each-ref", "--points-at", commit, "refs/exps")
        remedy = f"dvc exp pull origin {source}" if experiment else FETCH
        fault = f"{predictions} of {source} is not in DVC's cache"
        raise UserError(f"{fault}. Run: {remedy}. Where no remote has it, repeat the run with dvc repro")
    return cached
