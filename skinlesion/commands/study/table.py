"""The study's table: published, reproduced and honest side by side, from the experiments that are there."""

from pathlib import Path

import pandas as pd

from skinlesion.commands.preset import presets
from skinlesion.commands.study import experiments
from skinlesion.commands.study.plan import PROTOCOLS, name
from skinlesion.runtime import paths
from skinlesion.runtime.errors import UserError
from skinlesion.runtime.files import replace_file

CSV, TABLE = Path("plots/study.csv"), Path("plots/study.md")
MEASURES = ("accuracy", "balanced_accuracy", "f1_macro")  # of each cell, in this order
FURTHER = {"f1_weighted": "weighted F1", "roc_auc_macro": "macro AUC"}  # published by some
SAMPLE = "synthetic sample"
UNKNOWN = "-"
HEAD = """# Published systems: as published, reproduced, and honest

Each cell: accuracy / balanced accuracy / macro F1 on the test images. *Reproduced* splits by image, as the published
systems did, so copies and views of one lesion stand in training and test. *Honest* splits by lesion.
"""
ON_SAMPLE = """
Runs on the **synthetic sample** show that the chain works. They say nothing about skin, and cannot be compared with
published numbers.
"""


def make() -> pd.DataFrame:
    """Write plots/study.csv, a row per preset and protocol, and plots/study.md, a row per preset; give back the rows.

    Raises:
        UserError: no experiment of a study is there.
    """
    newest: dict[str, experiments.Experiment] = {}
    for one in sorted(experiments.finished("-A"), key=lambda one: one.ended):
        newest[one.name] = one
    rows = [
        row(preset, protocol, newest[name(preset, protocol)])
        for preset in presets.names()
        for protocol in PROTOCOLS
        if name(preset, protocol) in newest
    ]
    if not rows:
        raise UserError("no experiment of the study is there yet: skinlesion study run")
    table = pd.DataFrame(rows)
    with replace_file(CSV) as partial:
        table.to_csv(partial, index=False, lineterminator="\n")
    with replace_file(TABLE) as partial:
        partial.write_text(markdown(table), encoding="utf-8")
    return table


def row(preset: str, protocol: str, one: experiments.Experiment) -> dict[str, object]:
    """One experiment as a row of plots/study.csv."""
    published = presets.load(preset).published
    test = one.metrics.get(paths.TEST_METRICS.as_posix(), {})
    intervals = one.metrics.get(paths.INTERVALS_METRICS.as_posix(), {})
    measures = (*MEASURES, *FURTHER)
    found = {"preset": preset, "protocol": protocol}
    found |= {f"published_{measure}": published.get(measure) for measure in measures}
    found |= {measure: test.get(measure) for measure in measures}
    for measure in MEASURES:
        found |= {f"{measure}_{end}": intervals.get(measure, {}).get(end) for end in ("low", "high")}
    source = one.params["data"]["source"]
    return found | {
        "data": SAMPLE if source == "sample" else source,
        "size": one.params["images"]["size"],
        "weights": one.params["model"]["weights"] or "random",
        "epochs": one.metrics.get(paths.TRAIN_METRICS.as_posix(), {}).get("epochs"),
    }


def markdown(table: pd.DataFrame) -> str:
    """The rows of the study as a page with a row per preset."""
    lines = [
        "| preset | published | reproduced (image) | honest (lesion) | data | px | weights | epochs |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for preset in table["preset"].unique():
        rows = table[table["preset"] == preset].set_index("protocol")
        cells = [cell(rows.loc[protocol]) if protocol in rows.index else "not run" for protocol in PROTOCOLS]
        how = [" and ".join(dict.fromkeys(str(value) for value in rows[key])) for key in ("data", "size", "weights")]
        epochs = ", ".join(f"{value:g}" if pd.notna(value) else "?" for value in rows["epochs"])
        lines.append("| " + " | ".join([preset, published_cell(rows.iloc[0]), *cells, *how, epochs]) + " |")
    caveat = ON_SAMPLE if (table["data"] == SAMPLE).any() else ""
    return HEAD + caveat + "\n" + "\n".join(lines) + "\n"


def cell(values: pd.Series) -> str:
    return " / ".join(number(values[one], values[f"{one}_low"], values[f"{one}_high"]) for one in MEASURES)


def published_cell(values: pd.Series) -> str:
    triple = " / ".join(number(values[f"published_{one}"]) for one in MEASURES)
    further = {words: values[f"published_{one}"] for one, words in FURTHER.items()}
    known = ", ".join(f"{words} {number(value)}" for words, value in further.items() if pd.notna(value))
    return f"{triple} ({known})" if known else triple


def number(value: float | None, low: float | None = None, high: float | None = None) -> str:
    if pd.isna(value):
        return UNKNOWN
    return f"{value:.3f}" + ("" if pd.isna(low) else f" [{low:.3f}, {high:.3f}]")
