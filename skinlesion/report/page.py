"""plots/report.html: one page without network, for the person who has just run the chain."""

from collections.abc import Callable
from pathlib import Path
from string import Template

import yaml

from skinlesion.core.origin import SAMPLE
from skinlesion.report import bars, charts, content, people, pictures, wording
from skinlesion.report.drawing import Chart
from skinlesion.report.inputs import Inputs
from skinlesion.report.markup import Markup, element, join
from skinlesion.report.table import Table, html, number

TEMPLATE = Path(__file__).with_name("page.html")
CHARTS: dict[str, Callable[[Inputs], Chart]] = {
    "class_bars": bars.classes,
    "confusion": bars.confusion,
    "confusion_rows": bars.confusion_rows,
    "roc": charts.roc,
    "precision_recall": charts.precision_recall,
    "reliability": charts.reliability,
    "decision_curve": charts.decision_curve,
    "history": charts.history,
    "people": people.people,
}
TABLES: dict[str, Callable[[Inputs], Table]] = {
    "figures": content.figures,
    "class_table": content.by_class,
    "operating_points": content.operating_points,
    "calibration": content.calibration,
    "subgroups": content.subgroups,
    "leak_table": content.leaks,
    "counts": content.counts,
}
PICTURES = {  # name -> title, what it shows; how to read it stands in the picture
    "gradcam": ("What the model looked at", "Grad-CAM of test images of each class, beside the images."),
    "mistakes": ("The most confident mistakes", "Test images that the model got wrong while it was surest."),
    "predictions": ("Sample predictions", "Test images of each class with what the model said, right and wrong."),
    "samples": ("The images", "Some lesions of each class."),
    "copies": ("The balanced copies", "Augmented copies beside the originals that they were made from."),
}


def render(inputs: Inputs) -> str:
    """The whole page; equal inputs give equal text."""
    slots: dict[str, Markup] = {
        "title": join(wording.title(inputs)),
        "system": join(wording.system(inputs)),
        "note": note(inputs),
        "headline": headline(inputs),
        "absent": absent(inputs),
        "protocol": join(wording.PROTOCOLS_AT_LENGTH[inputs.protocol]),
        "facts": facts(inputs),
        "params": params(inputs),
        **{name: figure(draw(inputs)) for name, draw in CHARTS.items()},
        **{name: html(make(inputs)) for name, make in TABLES.items()},
        **{name: figure(picture(inputs, name)) for name in PICTURES},
    }
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(slots)


def note(inputs: Inputs) -> Markup:
    """What a reader must know before the first figure; empty on the real data."""
    if inputs.source != "sample":
        return Markup()
    return element("div", element("strong", SAMPLE), wording.ON_SAMPLE, class_="note", role="note")


def headline(inputs: Inputs) -> Markup:
    """Balanced accuracy and accuracy with their intervals; beside them the protocol and what leaks."""
    cards = []
    for name in ("balanced_accuracy", "accuracy"):
        found = wording.estimate(inputs, name)
        interval = f"95% interval {found.interval}" if found.interval else "no interval"
        big = element("p", number(found.value), class_="big")
        cards.append(element("div", element("h2", wording.measure(name)), big, element("p", interval)))
    kind = "bad" if wording.leaked(inputs) else "good"
    words = element("p", element("strong", wording.PROTOCOLS[inputs.protocol]))
    line = element("p", wording.leak_line(inputs), id="leak-line")
    return element(
        "div", *cards, element("div", element("h2", "Split by"), words, line, class_=kind), class_="headline"
    )


def absent(inputs: Inputs) -> Markup:
    """Which classes no figure counts; empty where every class has test images."""
    words = wording.absent(inputs)
    return element("p", words, class_="note") if words else Markup()


def figure(chart: Chart) -> Markup:
    image = element("img", src=chart.uri, alt=chart.alt)
    caption = element("figcaption", element("strong", chart.title), f" {chart.caption}")
    return element("figure", caption, element("div", image, class_="scroll"), class_=chart.kind)


def picture(inputs: Inputs, name: str) -> Chart:
    title, shown = PICTURES[name]
    alt = f"{title}. {shown}"
    return Chart(title, pictures.embed(inputs.pictures[name]), alt, "picture", shown)


def facts(inputs: Inputs) -> Markup:
    """A list of name and value."""
    rows = [(element("dt", name), element("dd", value)) for name, value in wording.facts(inputs).items()]
    return element("dl", *(cell for row in rows for cell in row), class_="facts")


def params(inputs: Inputs) -> Markup:
    text = yaml.safe_dump(inputs.params, sort_keys=False, default_flow_style=None, width=100, allow_unicode=True)
    summary = element("summary", "params.yaml: every value, and the rows in use of its tables")
    return element("details", summary, element("pre", text))
