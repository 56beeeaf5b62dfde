"""Inputs of the report and the model card: metrics, the tables behind the plots, pictures, params."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from pydantic import BaseModel

from skinlesion.core import tables
from skinlesion.report import provenance
from skinlesion.runtime import paths
from skinlesion.runtime.errors import UserError

METRICS = {
    "data": paths.DATA_METRICS,
    "split": paths.SPLIT_METRICS,
    "train": paths.TRAIN_METRICS,
    "test": paths.TEST_METRICS,
    "external": paths.EXTERNAL_METRICS,
    "intervals": paths.INTERVALS_METRICS,
}
# Of the test split and of the external set.
SCORES = ("confusion", "classes", "malignant", "reliability", "calibration", "subgroups", "operating_points")
OF_TEST = ("roc", "precision_recall", "decision_curve", "referral", "floors", "leaks")
TABLES = {
    **{name: paths.EVALUATE_PLOTS / f"{name}.csv" for name in (*SCORES, *OF_TEST)},
    **{f"external_{name}": paths.EXTERNAL_PLOTS / f"{name}.csv" for name in SCORES},
    **{name: paths.EXPLORE_PLOTS / f"{name}.csv" for name in ("age", "sex", "localization")},
    "history": paths.HISTORY,
}
PICTURES = {
    "samples": paths.EXPLORE_PLOTS / "samples.png",
    "copies": paths.BALANCE_PLOTS / "copies.png",
    "gradcam": paths.EXPLAIN_PLOTS / "gradcam.png",
    "mistakes": paths.EXPLAIN_PLOTS / "mistakes.png",
    "predictions": paths.EXPLAIN_PLOTS / "samples.png",
    "near_duplicates": paths.EXPLAIN_PLOTS / "near_duplicates.png",
}


@dataclass(frozen=True)
class Inputs:
    """All inputs by name; `params` as in params.yaml with only the rows in use, `pictures` are files."""

    params: dict[str, Any]
    metrics: dict[str, dict[str, Any]]
    tables: dict[str, pd.DataFrame]
    pictures: dict[str, Path]
    commit: str  # of the code, in words
    versions: dict[str, str]  # of packages

    @property
    def source(self) -> str:
        return self.params["data"]["source"]

    @property
    def protocol(self) -> str:
        return self.params["split"]["protocol"]

    @property
    def params_in_yaml(self) -> str:
        return yaml.safe_dump(self.params, sort_keys=False, default_flow_style=None, width=100, allow_unicode=True)

    @property
    def scored(self) -> list[str]:
        """Which sets of images were scored: test, and external if there is an external set."""
        return ["test", "external"] if self.metrics["external"]["images"] else ["test"]

    def scores(self, name: str, on: str) -> pd.DataFrame:
        """Return a table of SCORES of the set `on`: test or external."""
        return self.tables[name if on == "test" else f"{on}_{name}"]


def read(params: dict[str, Any]) -> Inputs:
    """Read all inputs in the repository's root, beside typed `params`; raise UserError if a file is missing."""
    files = [*METRICS.values(), *TABLES.values(), *PICTURES.values()]
    if lacking := [path.as_posix() for path in files if not path.is_file()]:
        listed = ", ".join(lacking[:3])
        raise UserError(f"Missing inputs of the report ({len(lacking)} of {len(files)}): {listed}. Run: dvc repro")
    return Inputs(
        params=to_plain(params),
        metrics={name: json.loads(path.read_text(encoding="utf-8")) for name, path in METRICS.items()},
        tables={name: tables.read(path) for name, path in TABLES.items()},
        pictures=PICTURES,
        commit=provenance.find_commit(Path()),
        versions=provenance.read_versions(),
    )


def to_plain(value: Any) -> Any:
    """Convert params to plain values, and shorten absolute paths to file names, so that no path is published."""
    if isinstance(value, BaseModel):
        return to_plain(value.model_dump(mode="json", exclude_unset=True))
    if isinstance(value, dict):
        return {key: to_plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [to_plain(inner) for inner in value]
    if isinstance(value, str) and (Path(value).is_absolute() or value.startswith("~")):
        return Path(value).name
    return value
