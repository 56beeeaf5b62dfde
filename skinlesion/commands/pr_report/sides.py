"""The two sides of a comparison: the small result files of a commit, and those of the working tree."""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skinlesion.commands.revisions import list_outputs, parse_file, resolve_revision
from skinlesion.report.provenance import git
from skinlesion.report.table import Estimate
from skinlesion.runtime import paths
from skinlesion.runtime.errors import UserError

CONFUSION = paths.EVALUATE_PLOTS / "confusion.csv"


@dataclass(frozen=True)
class Side:
    """One side's results; a file that it lacks leaves its field empty.

    test, external, intervals, split: as in metrics/; params: as in params.yaml; outputs (path -> MD5): from dvc.lock;
    predictions: (actual, predicted) of every test image, in the order of data/predictions.csv.
    """

    name: str
    test: dict[str, Any]
    external: dict[str, Any]
    intervals: dict[str, Any]
    split: dict[str, Any]
    params: dict[str, Any]
    outputs: dict[str, str]
    predictions: tuple[tuple[str, str], ...]

    @property
    def source(self) -> str | None:
        """The data.source of the result: params.yaml, and the raw data, may have been changed since."""
        return self.test.get("source")

    @property
    def protocol(self) -> str | None:
        return self.test.get("protocol")

    @property
    def balanced_accuracy(self) -> Estimate:
        interval = self.intervals.get("balanced_accuracy") or {}
        return Estimate(self.test.get("balanced_accuracy"), interval.get("low"), interval.get("high"))


def read_commit(base: str) -> Side:
    """Read the side of a branch, tag, commit or experiment; raise UserError if it is unknown, or there is no Git."""
    commit = resolve_revision(base)
    if commit is None:
        branch = base.removeprefix("origin/")
        remedy = f"git fetch origin {branch}, then skinlesion pr-report origin/{branch}"
        fault = f"BASE {base!r} is no branch, tag, commit or experiment of this clone"
        raise UserError(f"{fault}. If it is a branch on the server: {remedy}")
    return read_side(base, lambda path: git(Path(), "show", f"{commit}:./{path.as_posix()}"))


def read_working_tree() -> Side:
    """Read the side of the working tree, committed or not; raise UserError if it has no result yet."""
    side = read_side("this branch", lambda path: path.read_text(encoding="utf-8") if path.is_file() else None)
    if not side.test:
        raise UserError(f"{paths.TEST_METRICS} is missing, so there is no result to report. Run: dvc repro")
    return side


def read_side(name: str, read: Callable[[Path], str | None]) -> Side:
    """Read a side from its files; `read` returns a file's text, or None where the file is missing."""

    def parse(path: Path) -> dict[str, Any]:
        return parse_file(read(path), path, name)

    table = csv.DictReader((read(CONFUSION) or "").splitlines())
    return Side(
        name,
        test=parse(paths.TEST_METRICS),
        external=parse(paths.EXTERNAL_METRICS),
        intervals=parse(paths.INTERVALS_METRICS),
        # Near duplicates say nothing about which images are in a split, and older results lack them.
        split={name: value for name, value in parse(paths.SPLIT_METRICS).items() if name != "near_duplicates"},
        params=parse(paths.PARAMS),
        outputs=list_outputs(parse(paths.LOCK)),
        predictions=tuple((row["actual"], row["predicted"]) for row in table),
    )
