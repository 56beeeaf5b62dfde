"""Tables of the page and the model card, from the CSV files behind the plots."""

import pandas as pd

from skinlesion.core.ham10000 import CODES, DIAGNOSES, MALIGNANT
from skinlesion.report.inputs import Inputs
from skinlesion.report.table import Cell, Estimate, Table, count, missing, number
from skinlesion.report.wording import SETS, WITH, WITHOUT, name_class, name_measure, read_estimate

CLASS_MEASURES = ("sensitivity", "specificity", "precision", "f1", "roc_auc")
SUBGROUP_MEASURES = ("balanced_accuracy", "melanoma_sensitivity")
DIAGNOSED_BY = {
    "histo": "histopathology",
    "follow_up": "follow-up",
    "consensus": "expert consensus",
    "confocal": "confocal microscopy",
}
# models of plots/evaluate/floors.csv -> their names
FLOORS = {
    "majority": "the most frequent class, always",
    "patient": "age, sex and site (gradient boosting)",
    "images": "the images (this model)",
    "fusion": "images with age, sex and site",
}
HEADERS = {"test": "Test", "external": "External"}
NO_METRICS = ("source", "protocol", "temperature", "decision_exponent")  # in metrics/test.json
STRATA = {"all": "all test images", WITH: "that leak", WITHOUT: "that do not leak"}


def tabulate_metrics(inputs: Inputs) -> Table:
    """Tabulate the metrics of each set that was scored, with the intervals that exist."""
    beside = tuple(f"{model}_" for model in FLOORS)  # these have a table of their own
    names = [name for name in inputs.metrics["test"] if name not in NO_METRICS and not name.startswith(beside)]
    rows = [(name_measure(name), *(read_estimate(inputs, name, on) for on in inputs.scored)) for name in names]
    return Table("Metrics, some with 95% CI", ("Metric", *(HEADERS[on] for on in inputs.scored)), rows)


def tabulate_floors(inputs: Inputs) -> Table:
    """Tabulate the scores of what needs no image, of the images, and of both together."""
    table = inputs.tables["floors"].set_index(["model", "measure"])
    measures = table.index.unique("measure")
    rows = [
        (name, *(Estimate(*table.loc[(model, measure), ["value", "low", "high"]]) for measure in measures))
        for model, name in FLOORS.items()
    ]
    return Table(
        "What the images add, on the test split, some with 95% CI", ("From", *map(name_measure, measures)), rows
    )


def tabulate_classes(inputs: Inputs, on: str = "test") -> Table:
    """Tabulate images and metrics of each class in a set, and of malignant against benign in the last row."""
    table = inputs.scores("classes", on)
    support = table.drop_duplicates("dx").set_index("dx")["support"].reindex(CODES, fill_value=0)
    rows: list[tuple[Cell, ...]] = []
    for diagnosis in DIAGNOSES:
        kind, images = "malignant" if diagnosis.malignant else "benign", support[diagnosis.code]
        estimates = read_class_estimates(table[table["dx"] == diagnosis.code]) if images else [f"not in {SETS[on]}"]
        rows.append((name_class(diagnosis.code), kind, count(images), *estimates))
    together = read_class_estimates(inputs.scores("malignant", on))
    rows.append(
        ("malignant against benign, at probability 0.5", "malignant", count(support[[*MALIGNANT]].sum()), *together)
    )
    columns = ("Diagnosis", "Kind", "Images", *map(name_measure, CLASS_MEASURES))
    return Table(f"Metrics by class on {SETS[on]}, with 95% CI", columns, rows, words=2)


def read_class_estimates(rows: pd.DataFrame) -> list[Estimate]:
    """Read CLASS_MEASURES from rows with measure, value, low, high; an absent measure has no value."""
    estimates = rows.set_index("measure").reindex(CLASS_MEASURES)[["value", "low", "high"]]
    return [Estimate(*row) for row in estimates.itertuples(index=False)]


def tabulate_operating_points(inputs: Inputs) -> Table:
    """Tabulate melanoma sensitivity on each set at the specificities that validation aimed at."""
    points = {on: inputs.scores("operating_points", on) for on in inputs.scored}
    rows: list[tuple[Cell, ...]] = []
    for index, row in points["test"].iterrows():
        scores = (cell for table in points.values() for cell in read_point(table.loc[index]))
        rows.append((f"{row['target_specificity']:.0%}", number(row["threshold"]), *scores))
    columns = [f"{measure} on {on}" for on in points for measure in ("Specificity", "Sensitivity")]
    title = "Melanoma against the rest, with thresholds chosen on validation"
    return Table(title, ("Target specificity", "Threshold", *columns), rows)


def read_point(row: pd.Series) -> tuple[str, Estimate]:
    """Read specificity and sensitivity at one threshold."""
    return number(row["specificity"]), Estimate(row["sensitivity"], row["low"], row["high"])


def tabulate_calibration(inputs: Inputs, on: str = "test") -> Table:
    """Tabulate the errors of each variant of the probabilities on a set."""
    table = inputs.scores("calibration", on).set_index("variant")
    rows = [(variant, *map(number, row)) for variant, row in table.iterrows()]
    return Table(f"Calibration on {SETS[on]}", ("Probabilities", *map(name_measure, table.columns)), rows)


def tabulate_subgroups(inputs: Inputs, on: str = "test") -> Table:
    """Tabulate metrics of each subgroup of a set, or the remark that it has too few lesions.

    A division with one value, as where nothing is known, says nothing and is left out.
    """
    table = inputs.scores("subgroups", on)
    divided = table[table.groupby("subgroup")["value"].transform("nunique") > 1]
    rows: list[tuple[Cell, ...]] = []
    for row in divided.to_dict("records"):
        value = DIAGNOSED_BY.get(row["value"], row["value"])
        estimates = [Estimate(*(row[name + end] for end in ("", "_low", "_high"))) for name in SUBGROUP_MEASURES]
        cells = estimates if missing(row["note"]) else [row["note"]]
        rows.append((row["subgroup"], value, count(row["lesions"]), count(row["images"]), *cells))
    columns = ("Subgroup", "Value", "Lesions", "Images", *map(name_measure, SUBGROUP_MEASURES))
    return Table(f"Metrics by subgroup on {SETS[on]}, with 95% CI", columns, rows, words=2)


def tabulate_leaks(inputs: Inputs) -> Table:
    """Tabulate the scores of all test images, of those that leak, and of those that do not."""
    rows: list[tuple[Cell, ...]] = []
    for row in inputs.tables["leaks"].itertuples():
        scores = (count(row.scored), row.classes, number(row.accuracy), number(row.balanced_accuracy))
        if not row.images or missing(row.classes):
            scores = ("no class in common" if row.images else "none",)
        rows.append((STRATA[row.stratum], count(row.images), *scores))
    columns = ("Test images", "Images", "Scored", "Of classes", "Accuracy", "Balanced accuracy")
    return Table(
        "Leakage: test images of which a copy, or another image of their lesion, is in training", columns, rows
    )


def tabulate_counts(inputs: Inputs) -> Table:
    """Tabulate images by class in the data and in each split, with augmented copies, and the lesions."""
    data, split = inputs.metrics["data"], inputs.metrics["split"]
    by_class = [data["images_per_class"], *split["per_class"].values()]
    totals = {
        "all": [sum(images.values()) for images in by_class],
        "of these, augmented copies": [0, *(split["copies"][name] for name in split["per_class"])],
        "lesions": [data["groups"], *(split["groups"][name] for name in split["per_class"])],
    }
    rows = [(name_class(code), *(count(images.get(code, 0)) for images in by_class)) for code in CODES]
    rows += [(name, *map(count, values)) for name, values in totals.items()]
    return Table("Images by class and split", ("Diagnosis", "Data", *map(str.capitalize, split["per_class"])), rows)
