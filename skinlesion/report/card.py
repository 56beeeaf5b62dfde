"""models/MODEL_CARD.md: the result in the form that model hubs read, front matter and sections.

Sources of the form: Mitchell et al., Model Cards for Model Reporting (FAT* 2019); model cards of Hugging Face's hub.
"""

from typing import Any

import yaml

from skinlesion.core.ham10000 import CODES
from skinlesion.core.origin import SAMPLE
from skinlesion.report import content, wording
from skinlesion.report.inputs import Inputs
from skinlesion.report.table import TEMPLATES, count, markdown

HUB_METRICS = {  # of metrics/test.json -> the hub's name
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced_accuracy",
    "f1_macro": "f1",
    "roc_auc_macro": "roc_auc",
}


def render(inputs: Inputs) -> str:
    """Write the whole card; equal inputs give equal text."""
    return TEMPLATES.get_template("card.md.j2").render(
        inputs=inputs,
        params=inputs.params,
        train=inputs.metrics["train"],
        content=content,
        wording=wording,
        count=count,
        markdown=markdown,
        sample=SAMPLE if inputs.source == "sample" else "",
        classes=", ".join(map(wording.name_class, CODES)),
        front=yaml.safe_dump(make_front_matter(inputs), sort_keys=False, allow_unicode=True),
    )


def make_front_matter(inputs: Inputs) -> dict[str, Any]:
    """Make the values by which a hub sorts and shows models."""
    synthetic = inputs.source == "sample"
    dataset = {"name": "HAM10000", "type": "ham10000"}
    if synthetic:
        dataset = {"name": "synthetic sample, not HAM10000", "type": "synthetic-sample"}
    tags = ["dermatoscopy", "skin-lesion", "image-classification", "research-only"]
    metrics = []
    for name, kind in HUB_METRICS.items():
        estimate = wording.read_estimate(inputs, name)
        interval = f" (95% CI {estimate.interval})" if estimate.interval else ""  # the hub has no field for it
        if estimate.value is not None:
            metrics.append({"type": kind, "name": wording.name_measure(name) + interval, "value": estimate.value})
    result = {
        "task": {"type": "image-classification"},
        "dataset": {**dataset, "split": "test", "args": {"protocol": inputs.protocol}},
        "metrics": metrics,
    }
    return {
        "license": "mit" if synthetic else "cc-by-nc-4.0",  # our code draws the sample; HAM10000 is CC BY-NC
        "library_name": "keras",
        "pipeline_tag": "image-classification",
        "tags": [*tags, "synthetic-sample"] if synthetic else tags,
        "datasets": [dataset["type"]],
        "metrics": list(HUB_METRICS.values()),
        "model-index": [{"name": "skin-lesion-classifier", "results": [result]}],
    }
