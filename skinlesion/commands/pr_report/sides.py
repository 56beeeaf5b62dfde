"""The two sides of a comparison: what a commit, or the folder as it is, holds of a result in small files of Git."""

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from skinlesion.report.provenance import git
from skinlesion.runtime import paths
from skinlesion.runtime.errors import UserError

CONFUSION = paths.EVALUATE_PLOTS / "confusion.csv"
LOCK = Path("dvc.lock")
Read = Callable[[Path], str | None]


@dataclass(frozen=True)
class Side:
    """`name` as people know it. What the side lacks is empty.

    test, intervals, split: as in metrics/; params: as in params.yaml; outputs: path -> hash, from dvc.lock;
    predictions: (actual, predicted) of every test image, in the order of data/predictions.csv.
    """

    name: str
    test: dict[str, Any]
    intervals: dict[str, Any]
    split: dict[str, Any]
    params: dict[str, Any]
    outputs: dict[str, str]
    predictions: tuple[tuple[str, str], ...]

    @property
    def protocol(self) -> str | None:
        return self.test.get("protocol")

    @property
    def source(self) -> str | None:
        return self.params.get("data", {}).get("source")

    def same_results(self, other: "Side") -> bool:
        """Whether metrics, splits and test predictions are equal."""
        return all(
            getattr(self, name) == getattr(other, name) for name in ("test", "intervals", "split", "predictions")
        )


def committed(base: str) -> Side:
    """The side of a branch, tag or commit.

    Raises:
        UserError: there is no Git repository here, or Git does not know `base`.
    """
    here = Path()
    if git(here, "rev-parse", "--is-inside-work-tree") != "true":
        raise UserError("pr-report compares with a commit, but this folder is not under Git. Run it in a clone")
    commit = git(here, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{base}^{{commit}}")
    if commit is None:
        branch = base.removeprefix("origin/")
        raise UserError(
            f"BASE must be a branch, tag or commit of this clone. Received: {base!r}. Where it is a branch on the "
            f"server: git fetch origin {branch}, then skinlesion pr-report origin/{branch}"
        )
    return side(base, lambda path: git(here, "show", f"{commit}:./{path.as_posix()}"))


def working() -> Side:
    """The side of the folder as it is, committed or not.

    Raises:
        UserError: it has no result yet.
    """
    read = side("this branch", lambda path: path.read_text(encoding="utf-8") if path.is_file() else None)
    if not read.test:
        raise UserError(f"{paths.TEST_METRICS} is missing: there is no result to report. Run the chain: dvc repro")
    return read


def side(name: str, read: Read) -> Side:
    """A side from its files; `read` gives a file's text, None where there is no such file."""

    def parsed(path: Path, parse: Callable[[str], Any]) -> dict[str, Any]:
        try:
            content = parse(read(path) or "{}")
        except ValueError:  # json's own error is one
            content = None
        if not isinstance(content, dict):
            raise UserError(f"{path} of {name} cannot be read. Is a merge conflict left in it? dvc repro makes it anew")
        return content

    return Side(
        name,
        test=parsed(paths.TEST_METRICS, json.loads),
        intervals=parsed(paths.INTERVALS_METRICS, json.loads),
        split=parsed(paths.SPLIT_METRICS, json.loads),
        params=parsed(paths.PARAMS, yaml_values),
        outputs=hashes(parsed(LOCK, yaml_values)),
        predictions=tuple(
            (row["actual"], row["predicted"]) for row in csv.DictReader((read(CONFUSION) or "").splitlines())
        ),
    )


def yaml_values(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError from error


def hashes(lock: dict[str, Any]) -> dict[str, str]:
    """Path -> hash of every output in dvc.lock."""
    stages = lock.get("stages", {}).values()
    return {out["path"]: out["md5"] for stage in stages for out in stage.get("outs", []) if "md5" in out}
