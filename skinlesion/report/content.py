"""The tables of the report, from the CSV files behind the plots; the model card has most of them too."""

import pandas as pd

from skinlesion.core.ham10000 import CODES, DIAGNOSES
from skinlesion.report.inputs import Inputs
from skinlesion.report.table import Cell, Estimate, Table, count, missing, number
from skinlesion.report.wording import VALUES, estimate, measure, named

ABSENT = "not in the test split"
PER_CLASS = ("sensitivity", "specificity", "precision", "f1", "roc_auc")
OF_SUBGROUP = ("balanced_accuracy", "melanoma_sensitivity")


def figures(inputs: Inputs) -> Table:
    """Every figure of metrics/test.json, with its interval where it has one."""
    names = [name for name in inputs.metrics["test"] if name != "protocol"]
    rows = [(measure(name), estimate(inputs, name)) for name in names]
    return Table("All figures on the test split; of the first, 95% intervals", ("Measure", "Value"), rows)


def by_class(inputs: Inputs) -> Table:
    """A row per class: the images, and each measure with its interval; beneath them malignant against benign."""
    table = inputs.tables["classes"]
    rows: list[tuple[Cell, ...]] = []
    for diagnosis in DIAGNOSES:
        own = table[table["dx"] == diagnosis.code].set_index("measure")
        kind = "malignant" if diagnosis.malignant else "benign"
        images = 0 if own.empty else own["support"].iloc[0]
        rows.append((named(diagnosis.code), kind, count(images), *(estimates(own) if images else [ABSENT])))
    malignant = table[table["dx"].isin([one.code for one in DIAGNOSES if one.malignant])].drop_duplicates("dx")
    together = estimates(inputs.tables["malignant"].set_index("measure"))
    rows.append(
        ("malignant together, from a probability of 0.5 on", "all", count(malignant["support"].sum()), *together)
    )
    columns = ("Diagnosis", "Kind", "Images", *map(measure, PER_CLASS))
    return Table("By class, on the test split, with 95% intervals", columns, rows, words=2)


def estimates(measures: pd.DataFrame) -> list[Estimate]:
    """PER_CLASS from rows by measure; one that is not there has no value."""
    found = measures.reindex(PER_CLASS)[["value", "low", "high"]]
    return [Estimate(*row) for row in found.itertuples(index=False)]


def operating_points(inputs: Inputs) -> Table:
    """Melanoma sensitivity at specificities that were aimed at on validation."""
    rows = [
        (
            f"{row.target_specificity:.0%}",
            number(row.threshold),
            number(row.specificity),
            Estimate(row.sensitivity, row.low, row.high),
        )
        for row in inputs.tables["operating_points"].itertuples()
    ]
    columns = ("Specificity aimed at", "Threshold", "Specificity on test", "Sensitivity on test")
    return Table("Melanoma against the rest, thresholds chosen on validation", columns, rows)


def calibration(inputs: Inputs) -> Table:
    """How far the probabilities are from the truth, by variant."""
    table = inputs.tables["calibration"].set_index("variant")
    rows = [(variant, *map(number, row)) for variant, row in table.iterrows()]
    return Table("Calibration on the test split", ("Probabilities", *map(measure, table.columns)), rows)


def subgroups(inputs: Inputs) -> Table:
    """A row per subgroup and value; one of too few lesions says so instead of figures."""
    rows: list[tuple[Cell, ...]] = []
    for row in inputs.tables["subgroups"].to_dict("records"):
        counted = (row["subgroup"], VALUES.get(row["value"], row["value"]), count(row["lesions"]), count(row["images"]))
        figures = [Estimate(*(row[f"{name}{end}"] for end in ("", "_low", "_high"))) for name in OF_SUBGROUP]
        rows.append((*counted, *(figures if missing(row["note"]) else [row["note"]])))
    columns = ("Subgroup", "Value", "Lesions", "Images", *map(measure, OF_SUBGROUP))
    return Table("By subgroup, on the test split, with 95% intervals", columns, rows, words=2)


def leaks(inputs: Inputs) -> Table:
    """The score of all test images, of those that leak, and of those that do not."""
    names = {"all": "all test images", "without": "without a sibling in train"}
    rows: list[tuple[Cell, ...]] = []
    for row in inputs.tables["leaks"].itertuples():
        scored = (row.classes, number(row.accuracy), number(row.balanced_accuracy))
        scores = scored if row.images else ("no such image",)
        rows.append((names.get(row.stratum, row.stratum), count(row.images), *scores))
    columns = ("Test images", "Images", "Scored over", "Accuracy", "Balanced accuracy")
    return Table("Leak audit: a sibling is a copy, or another image of the same lesion", columns, rows)


def counts(inputs: Inputs) -> Table:
    """Images by class: in the data, and in each split, augmented copies included."""
    data, split = inputs.metrics["data"], inputs.metrics["split"]
    found = [data["images_per_class"], *split["per_class"].values()]
    rows = [(named(code), *(count(one.get(code, 0)) for one in found)) for code in CODES]
    rows.append(("all", *(count(sum(one.values())) for one in found)))
    rows.append(("of these, augmented copies", "0", *(count(split["copies"][name]) for name in split["per_class"])))
    lesions = [data["groups"], *(split["groups"][name] for name in split["per_class"])]
    rows.append(("lesions", *map(count, lesions)))
    return Table("Images by class and split", ("Diagnosis", "Data", *map(str.capitalize, split["per_class"])), rows)
