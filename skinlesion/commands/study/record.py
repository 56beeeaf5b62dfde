"""The record of finished runs in a folder of the repository: params, predictions, facts and tables of each."""

import gzip
import json
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from skinlesion.commands.dvc import Experiment, start
from skinlesion.commands.revisions import find_cached, list_outputs, parse_file
from skinlesion.commands.study.plan import Run
from skinlesion.core import tables
from skinlesion.core.ham10000 import CODES
from skinlesion.evaluate.external import SPLIT
from skinlesion.model.predictions import DECISION
from skinlesion.report import provenance
from skinlesion.report.inputs import to_plain
from skinlesion.runtime import paths
from skinlesion.runtime.errors import UserError
from skinlesion.runtime.files import replace_folder, write_json, write_text
from skinlesion.runtime.params import Params

PARAMS, FACTS, PREDICTIONS = "params.yaml", "run.json", "predictions.csv.gz"
# Rooms whose code makes a result of given data; the scripts of the stages, which call them, are not compared.
ROOMS = tuple(f"skinlesion/{room}" for room in ("core", "model", "train", "evaluate"))
# What HAM10000's licence lets us publish of an image; augmented: the row is a copy of it, made by balance.
COLUMNS = ["image_id", "group", "dx", "augmented", "split", "leaked"]
RAW = "raw_"  # prefix of the raw probabilities, where a decision rule makes the headline's differ
TABLES = {
    **{name: paths.EVALUATE_PLOTS / f"{name}.csv" for name in ("calibration", "floors", "leaks", "subgroups")},
    "external_calibration": paths.EXTERNAL_PLOTS / "calibration.csv",
}


def find_head() -> str | None:
    """Return the current commit."""
    return provenance.git(Path(), "rev-parse", "HEAD")


def hash_code(commit: str = "HEAD") -> dict[str, str | None]:
    """Return Git's hash of each folder of ROOMS in a commit."""
    return {room: provenance.git(Path(), "rev-parse", f"{commit}:./{room}") for room in ROOMS}


def check_repository(commits: bool) -> None:
    """Raise UserError if code of stages has changed since the last commit, or results could not be committed."""
    if commits and not provenance.git(Path(), "var", "GIT_COMMITTER_IDENT"):
        remedy = "Run: git config user.name NAME and git config user.email ADDRESS, or add --no-commit"
        raise UserError(f"Git cannot commit results: this is no clone, or Git does not know who you are. {remedy}")
    if changed := provenance.git(Path(), "status", "--porcelain", "--", *ROOMS, *provenance.list_code(Path())):
        raise UserError(f"Code that makes results has changed since the last commit. Commit it first:\n{changed}")


def list_used(settings: Params) -> dict[str, Any]:
    """List the params that a run depends on: those of tables by the rows in use, paths by the name of the file."""
    plain, model = to_plain(settings), settings.model
    used = {"backbones": model.backbone, "heads": model.head, "configurations": model.configuration}
    rows = {table: {row: plain[table][row]} for table, row in used.items()}
    return {key: value for key, value in (plain | rows).items() if key != "workers"}


def is_recorded(folder: Path, run: Run) -> bool:
    """Whether `folder` has the result of a run with the same params and the same code of ROOMS."""
    files = folder / PARAMS, folder / FACTS
    if not all(file.is_file() for file in files):
        return False
    settings, facts = (parse_file(file.read_text(encoding="utf-8"), file, "the working tree") for file in files)
    return settings == list_used(run.params) and facts.get("code") == hash_code()


def record(folder: Path, run: Run, experiment: Experiment, seconds: float | None) -> None:
    """Write the result of a finished experiment to `folder`, from Git and DVC's cache.

    Args:
        seconds: of training, None if unknown.

    Raises:
        UserError: a file is not in the experiment's commit, or its predictions not in DVC's cache.
    """

    remedy = f"Run: dvc exp remove {run.name}, then run the study again"

    def read(path: Path) -> str:
        text = provenance.git(Path(), "show", f"{experiment.commit}:./{path.as_posix()}")
        if text is None:
            raise UserError(f"{path} is not in the commit of {run.name}. {remedy}")
        return text

    def parse(path: Path) -> dict[str, Any]:
        return parse_file(read(path), path, run.name)

    outputs = list_outputs(parse(paths.LOCK))
    cached = find_cached(outputs.get(paths.PREDICTIONS.as_posix()))
    if cached is None:
        raise UserError(f"{paths.PREDICTIONS} of {run.name} is not in DVC's cache. {remedy}")
    table = tables.read(cached)
    train, test, external = (parse(path) for path in (paths.TRAIN_METRICS, paths.TEST_METRICS, paths.EXTERNAL_METRICS))
    trained = {
        key: train.get(key) for key in ("epochs", "best_epoch", "parameters", "device", "precision", "processor")
    }
    facts = {
        "name": run.name,
        "protocol": run.params.split.protocol,
        "seed": run.params.seed,
        **trained,
        "train_seconds": seconds,
        **{key: test.get(key) for key in ("temperature", "decision_exponent", "balanced_accuracy")},
        "external_balanced_accuracy": external.get("balanced_accuracy"),
        "near_copies_left_out": external.get("near_copies_left_out"),
        "commit": provenance.find_commit(Path(), experiment.commit),
        "code": hash_code(experiment.commit),
        "splits": outputs.get(paths.SPLITS.as_posix()),
    }
    with replace_folder(folder) as target:
        write_text(target / PARAMS, yaml.safe_dump(list_used(run.params), sort_keys=False))
        (target / PREDICTIONS).write_bytes(gzip.compress(select_public(table).encode(), mtime=0))
        for name, path in TABLES.items():
            write_text(target / f"{name}.csv", f"{read(path)}\n")
        write_json(target / FACTS, facts)


def select_public(table: pd.DataFrame) -> str:
    """The rows of test and external set, with COLUMNS, the headline probabilities, and RAW, as CSV."""
    names = {code: code for code in CODES}
    if f"{DECISION}{CODES[0]}" in table:
        names = {f"{DECISION}{code}": code for code in CODES} | {code: f"{RAW}{code}" for code in CODES}
    rows = table.loc[table["split"].isin(["test", SPLIT]), [*COLUMNS, *names]]
    return rows.rename(columns=names).to_csv(index=False, lineterminator="\n")


def commit(folder: Path) -> bool:
    """Commit `folder` alone, whatever else is staged; return False if there is nothing to commit.

    Raises UserError if Git refuses.
    """
    if not run_git("status", "--porcelain", "--", str(folder)):
        return False
    facts = read_facts(folder)
    message = (
        f"Result of {facts['name']}: balanced accuracy {facts['balanced_accuracy']} on test, "
        f"{facts['external_balanced_accuracy']} on the external set, {facts['epochs']} epochs"
    )
    run_git("add", "--all", "--", str(folder))
    run_git("commit", "--quiet", "--message", message, "--", str(folder))
    print(f"{folder}: committed", flush=True)
    return True


def run_git(*words: str) -> str:
    with start("git", *words) as process:
        output = process.stdout.read().strip()
    if process.returncode:
        remedy = "Remove the cause and run the study again, which commits it"
        raise UserError(f"git {words[0]} failed, so a result is not committed: {output}. {remedy}")
    return output


def read_facts(folder: Path) -> dict[str, Any]:
    return json.loads((folder / FACTS).read_text(encoding="utf-8"))
