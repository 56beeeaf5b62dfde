"""models/MODEL_CARD.md: the result in the form that model hubs read, front matter and sections.

Sources of the form: Mitchell et al., Model Cards for Model Reporting (FAT* 2019); model cards of Hugging Face's hub.
"""

from collections.abc import Callable
from pathlib import Path
from string import Template
from typing import Any

import yaml

from skinlesion.core.origin import SAMPLE
from skinlesion.report import content, wording
from skinlesion.report.inputs import Inputs
from skinlesion.report.table import Table, count, markdown

TEMPLATE = Path(__file__).with_name("card.md")
TABLES: dict[str, Callable[[Inputs], Table]] = {
    "figures": content.figures,
    "by_class": content.by_class,
    "operating_points": content.operating_points,
    "subgroups": content.subgroups,
    "calibration": content.calibration,
    "leak_table": content.leaks,
    "counts": content.counts,
}
NAME = "skin-lesion-classifier"
LICENCES = {"sample": "mit"}  # drawn by our code; all else is made from HAM10000
ON_THE_HUB = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced_accuracy",
    "f1_macro": "f1",
    "roc_auc_macro": "roc_auc",
}
TRAINED_ON = {
    True: "Trained and evaluated on the **synthetic sample** that this repository draws by code, and not on HAM10000.",
    False: "Trained and evaluated on HAM10000: dermatoscopic images of pigmented lesions, many shown more than once.",
}


def render(inputs: Inputs) -> str:
    """The whole card; equal inputs give equal text."""
    params, train = inputs.params, inputs.metrics["train"]
    synthetic = inputs.source == "sample"
    made = wording.facts(inputs)
    slots = {
        "front": yaml.safe_dump(front(inputs), sort_keys=False, allow_unicode=True).rstrip(),
        "title": wording.title(inputs),
        "note": f"\n> **{SAMPLE}.** {wording.ON_SAMPLE}\n" if synthetic else "",
        "sample_again": f"**{SAMPLE}.**" if synthetic else "",
        "system": wording.system(inputs),
        "parameters": count(train["parameters"]),
        "size": params["images"]["size"],
        "fit": params["images"]["fit"],
        "classes": ", ".join(map(wording.named, wording.NAMES)),
        "configuration": params["model"]["configuration"],
        "epochs": train["epochs"],
        "seed": params["seed"],
        "data": TRAINED_ON[synthetic],
        "protocol": wording.PROTOCOLS[inputs.protocol],
        "protocol_at_length": wording.PROTOCOLS_AT_LENGTH[inputs.protocol],
        "leak_line": wording.leak_line(inputs),
        "absent": wording.absent(inputs),
        "draws": count(params["evaluate"]["bootstrap"]),
        "made": "\n".join(f"- {name}: {value}" for name, value in made.items()),
        **{name: markdown(make(inputs)) for name, make in TABLES.items()},
    }
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(slots)


def front(inputs: Inputs) -> dict[str, Any]:
    """The front matter: what a hub sorts and shows models by."""
    synthetic = inputs.source == "sample"
    found = {name: wording.estimate(inputs, name) for name in ON_THE_HUB}
    dataset = {"name": "synthetic sample, not HAM10000", "type": "synthetic-sample"}
    if not synthetic:
        dataset = {"name": "HAM10000", "type": "ham10000"}
    return {
        "license": LICENCES.get(inputs.source, "cc-by-nc-4.0"),
        "library_name": "keras",
        "pipeline_tag": "image-classification",
        "tags": [
            "dermatoscopy",
            "skin-lesion",
            "image-classification",
            "research-only",
            *["synthetic-sample"][:synthetic],
        ],
        "datasets": [dataset["type"]],
        "metrics": list(ON_THE_HUB.values()),
        "model-index": [
            {
                "name": NAME,
                "results": [
                    {
                        "task": {"type": "image-classification"},
                        "dataset": {**dataset, "split": "test", "args": {"protocol": inputs.protocol}},
                        "metrics": [
                            {"type": ON_THE_HUB[name], "name": label(name, one.interval), "value": one.value}
                            for name, one in found.items()
                            if one.value is not None
                        ],
                    }
                ],
            }
        ],
    }


def label(name: str, interval: str) -> str:
    """A measure's name with its interval, which the front matter has no field for."""
    return wording.measure(name) + (f" (95% interval {interval})" if interval else "")
