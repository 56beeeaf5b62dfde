"""What the report and the model card are made from: metrics, the tables behind the plots, pictures, params."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import BaseModel

from skinlesion.core import tables
from skinlesion.report.provenance import Provenance
from skinlesion.runtime import paths
from skinlesion.runtime.errors import UserError

METRICS = {
    "data": paths.DATA_METRICS,
    "split": paths.SPLIT_METRICS,
    "train": paths.TRAIN_METRICS,
    "test": paths.TEST_METRICS,
    "intervals": paths.INTERVALS_METRICS,
}
EVALUATED = (
    "confusion",
    "roc",
    "precision_recall",
    "reliability",
    "classes",
    "malignant",
    "subgroups",
    "operating_points",
    "decision_curve",
    "calibration",
    "leaks",
)
EXPLORED = ("age", "sex", "localization")
TABLES = {
    **{name: paths.EVALUATE_PLOTS / f"{name}.csv" for name in EVALUATED},
    **{name: paths.EXPLORE_PLOTS / f"{name}.csv" for name in EXPLORED},
    "history": paths.HISTORY,
}
PICTURES = {
    "samples": paths.EXPLORE_PLOTS / "samples.png",
    "copies": paths.BALANCE_PLOTS / "copies.png",
    "gradcam": paths.EXPLAIN_PLOTS / "gradcam.png",
    "mistakes": paths.EXPLAIN_PLOTS / "mistakes.png",
    "predictions": paths.EXPLAIN_PLOTS / "samples.png",
}


@dataclass(frozen=True)
class Inputs:
    """Everything by name: `params` as in params.yaml, only the rows in use; `pictures` are files."""

    params: dict[str, Any]
    metrics: dict[str, dict[str, Any]]
    tables: dict[str, pd.DataFrame]
    pictures: dict[str, Path]
    made: Provenance

    @property
    def source(self) -> str:
        return self.params["data"]["source"]

    @property
    def protocol(self) -> str:
        return self.params["split"]["protocol"]


def read(params: dict[str, Any], made: Provenance) -> Inputs:
    """Read the files above from the current directory, the repository's root.

    Args:
        params: as in params.yaml, whose sections may be typed ones.

    Raises:
        UserError: one of the files is missing.
    """
    wanted = [*METRICS.values(), *TABLES.values(), *PICTURES.values()]
    if lacking := [path.as_posix() for path in wanted if not path.is_file()]:
        verb = "is" if len(lacking) == 1 else "are"
        named = ", ".join(lacking[:3])
        raise UserError(f"{len(lacking)} of {len(wanted)} files {verb} missing: {named}. Run the chain: dvc repro")
    metrics = {name: json.loads(path.read_text(encoding="utf-8")) for name, path in METRICS.items()}
    read = {name: tables.read(path) for name, path in TABLES.items()}
    return Inputs(plain(params), metrics, read, PICTURES, made)


def plain(value: Any) -> Any:
    """Params as YAML has them, absolute paths cut to the file's name: a report says nothing of the machine."""
    if isinstance(value, BaseModel):
        return plain(value.model_dump(mode="json", exclude_unset=True))
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    if isinstance(value, str) and (Path(value).is_absolute() or value.startswith("~")):
        return Path(value).name
    return value
