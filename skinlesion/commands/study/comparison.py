"""The study's tables: published, reproduced and honest results side by side, from the finished experiments."""

from datetime import timedelta

import pandas as pd

from skinlesion.commands.dvc import Experiment, read_experiments
from skinlesion.commands.preset import presets
from skinlesion.commands.study.plan import PROTOCOLS, run_name
from skinlesion.commands.study.runs import read_recorded_times
from skinlesion.core import tables
from skinlesion.core.origin import SAMPLE
from skinlesion.report import wording
from skinlesion.report.table import NONE, Estimate, Table, markdown, missing, number
from skinlesion.runtime import paths
from skinlesion.runtime.errors import UserError
from skinlesion.runtime.files import write_text

MEASURES = ("accuracy", "balanced_accuracy", "f1_macro")  # in each cell, in this order
FURTHER = {"f1_weighted": "weighted F1", "roc_auc_macro": "macro ROC-AUC"}  # published by some
COLUMNS = ("preset", "published", "reproduced (image)", "honest (lesion)", "data", "px", "weights", "epochs", "time")
HEAD = """# Published systems: as published, reproduced, and honest

Each cell: accuracy / balanced accuracy / macro F1 on the test images, with 95% intervals. *Reproduced* splits by image,
as the published systems did, so copies and views of one lesion are in both training and test. *Honest* splits by
lesion. Epochs and training time (h:mm:ss): first by image, then by lesion.
"""


def write_tables() -> str:
    """Write plots/study.csv, a row per preset and protocol, and plots/study.md, a row per preset; return the latter.

    Raises UserError if no experiment of a study has finished.
    """
    newest = {experiment.name: experiment for experiment in sorted(read_experiments("-A"), key=lambda item: item.ended)}
    times = read_times()
    rows = [
        make_row(preset, protocol, newest[name], times)
        for preset in presets.list_names()
        for protocol in PROTOCOLS
        if (name := run_name(preset, protocol)) in newest
    ]
    if not rows:
        raise UserError("No experiment of the study has finished. Run: skinlesion study run")
    table = pd.DataFrame(rows)
    tables.write(paths.STUDY_CSV, table)
    page = write_page(table)
    write_text(paths.STUDY, page)
    return page


def read_times() -> dict[str, float]:
    """Read the training time in s of each model by its MD5, of this machine and of plots/study.csv as it is."""
    written = pd.read_csv(paths.STUDY_CSV) if paths.STUDY_CSV.exists() else pd.DataFrame()
    written = written.reindex(columns=["model", "train_seconds"]).dropna()
    return read_recorded_times() | dict(written.itertuples(index=False))


def make_row(preset: str, protocol: str, experiment: Experiment, times: dict[str, float]) -> dict[str, object]:
    """One experiment as a row of plots/study.csv."""
    published = presets.load(preset).published
    files = (paths.TEST_METRICS, paths.INTERVALS_METRICS, paths.TRAIN_METRICS)
    test, intervals, train = (experiment.metrics.get(file.as_posix(), {}) for file in files)
    settings = experiment.params[paths.PARAMS.as_posix()]
    measures = (*MEASURES, *FURTHER)
    return {
        "preset": preset,
        "protocol": protocol,
        **{f"published_{measure}": published.get(measure) for measure in measures},
        **{measure: test.get(measure) for measure in measures},
        **{f"{name}_{end}": intervals.get(name, {}).get(end) for name in MEASURES for end in ("low", "high")},
        "data": settings["data"]["source"],
        "size": settings["images"]["size"],
        "weights": settings["model"]["weights"] or "random",
        "epochs": train.get("epochs"),
        "train_seconds": times.get(experiment.model),
        **{key: train.get(key) for key in ("device", "precision", "processor")},
        "model": experiment.model,
    }


def write_page(table: pd.DataFrame) -> str:
    """The rows of plots/study.csv as a page with a row per preset."""
    rows = []
    for preset, group in table.groupby("preset", sort=False):
        by_protocol = group.set_index("protocol")
        results = [estimates(by_protocol.loc[name]) if name in by_protocol.index else "not run" for name in PROTOCOLS]
        settings = [" and ".join(map(str, group[key].unique())) for key in ("data", "size", "weights")]
        epochs = ", ".join(number(value, 0) for value in group["epochs"])
        times = ", ".join(NONE if missing(seconds) else duration(seconds) for seconds in group["train_seconds"])
        rows.append((preset, published_cell(group.iloc[0]), *results, *settings, epochs, times))
    caveat = f"\n**{SAMPLE}.** {wording.ON_SAMPLE}\n" if (table["data"] == "sample").any() else ""
    return f"{HEAD}{caveat}\n{markdown(Table('', COLUMNS, rows, words=len(COLUMNS)))}\n"


def duration(seconds: float) -> str:
    """Write a time as hours, minutes and seconds."""
    return str(timedelta(seconds=round(seconds)))


def estimates(row: pd.Series) -> str:
    return " / ".join(str(Estimate(row[name], row[f"{name}_low"], row[f"{name}_high"])) for name in MEASURES)


def published_cell(row: pd.Series) -> str:
    figures = " / ".join(number(row[f"published_{name}"]) for name in MEASURES)
    further = {words: row[f"published_{name}"] for name, words in FURTHER.items()}
    known = ", ".join(f"{words} {number(value)}" for words, value in further.items() if not missing(value))
    return f"{figures} ({known})" if known else figures
