"""plots/report.html: the whole result on one page that works without a network."""

from skinlesion.core.ham10000 import MALIGNANT, NAMES
from skinlesion.core.origin import SAMPLE
from skinlesion.report import bars, content, curves, wording
from skinlesion.report.figures import embed_picture
from skinlesion.report.inputs import Inputs
from skinlesion.report.table import TEMPLATES, html


def render(inputs: Inputs) -> str:
    """Write the whole page; equal inputs give equal text."""
    return TEMPLATES.get_template("page.html.j2").render(
        inputs=inputs,
        bars=bars,
        content=content,
        curves=curves,
        wording=wording,
        html=html,
        embed_picture=embed_picture,
        sample=SAMPLE if inputs.source == "sample" else "",
        malignant=", ".join(NAMES[code] for code in MALIGNANT),
    )
