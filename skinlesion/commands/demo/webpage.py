"""The demo's page: an image in, its answer beside it. An upload is deleted when it is answered."""

import os
from pathlib import Path

import numpy as np
from jinja2 import Template

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # Gradio reads it at its import
import gradio

from skinlesion.commands.demo import uploads
from skinlesion.commands.demo.lazy_classifier import LazyClassifier
from skinlesion.core import images
from skinlesion.core.ham10000 import DIAGNOSES
from skinlesion.drawing.cohorts import COHORTS
from skinlesion.drawing.image import draw_image, encode_jpeg
from skinlesion.model.classify import RESEARCH_ONLY
from skinlesion.report import wording
from skinlesion.report.figures import encode_uri
from skinlesion.runtime.errors import UserError
from skinlesion.runtime.paths import MODEL_CARD

TITLE = "Skin lesion classification"
SEED = 2018  # differs from the sample's, so no example is a training image
ANSWER = Template(Path(__file__).with_name("answer.html").read_text(encoding="utf-8"), autoescape=True)
CAVEAT = ANSWER.render(error=f"Trained on the synthetic sample. {wording.ON_SAMPLE}")
STYLE = Path(__file__).with_name("style.css").read_text(encoding="utf-8")
# On a phone the answer is below the upload, out of sight.
SHOW_ANSWER = """() => {
  const [upload, answer] = ["upload", "answer"].map((id) => document.getElementById(id));
  const below = answer.getBoundingClientRect().top >= upload.getBoundingClientRect().bottom;
  if (below) requestAnimationFrame(() => answer.scrollIntoView());
}"""
THEME = gradio.themes.Default(font=["system-ui", "sans-serif"], font_mono=["monospace"])  # loads no font from a CDN


def build_page(model: LazyClassifier, folder: Path) -> gradio.Blocks:
    """Build the page; `folder` is for the examples, and Gradio puts uploads into its subfolders."""
    examples = draw_examples(folder)
    # An upload is deleted with its answer; delete_cache (seconds) is for uploads that nobody waited for.
    with gradio.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(30, 60)) as page:
        gradio.Markdown(f"# {TITLE}\n> {RESEARCH_ONLY}")
        caveat = gradio.HTML()
        with gradio.Row():
            with gradio.Column(scale=2, min_width=300):
                options = {"label": "Image: drop, choose, paste or photograph", "height": 240, "elem_id": "upload"}
                upload = gradio.Image(sources=["upload", "clipboard", "webcam"], type="filepath", **options)
                options = {"label": "Or a synthetic example", "layout": "gallery", "elem_id": "examples"}
                samples = [[str(path)] for path in examples]
                gallery = gradio.Dataset(components=["image"], samples=samples, type="index", **options)
            with gradio.Column(scale=3, min_width=300):
                answer = gradio.HTML(elem_id="answer")
        with gradio.Accordion("About this model", open=False):
            card = gradio.Markdown()

        def report_missing_model() -> str | dict:
            try:
                model.load()
            except UserError as error:
                return ANSWER.render(error=f"{error}. This page works then without a restart.")
            return gradio.skip()  # "" would erase an answer that came first

        def answer_upload(sent: dict | None) -> str:
            path = uploads.find_upload((sent or {}).get("path"), folder)
            if path is None:
                return ANSWER.render(error="This file was not uploaded here. Upload it again.")
            try:
                return answer_image(model, path)
            finally:
                path.unlink(missing_ok=True)

        # A model that is trained after the page was opened has its card with its first answer. The card has no event of
        # its own after an answer: Gradio loses a click that comes while another event ends.
        def add_card(answer: str) -> tuple[str, str, str]:
            return answer, *read_card(model.path)

        options = {"api_visibility": "private", "show_progress_on": answer}
        page.load(report_missing_model, None, answer, **options)
        page.load(lambda: read_card(model.path), None, [caveat, card], api_visibility="private")
        shown = [answer, caveat, card]
        # `upload`, not `change`: emptying the box would be a change too, and would swallow a click at the same time.
        # Not preprocessed: Gradio would open the file, and say only "Error" where it cannot.
        upload.upload(
            lambda sent: (*add_card(answer_upload(sent)), None), upload, [*shown, upload], preprocess=False, **options
        )
        gallery.click(lambda number: add_card(answer_image(model, examples[number])), gallery, shown, **options)
        gradio.on([upload.upload, gallery.click, answer.change], None, [], js=SHOW_ANSWER, api_visibility="private")
    return page.queue(api_open=False, max_size=32)


def answer_image(model: LazyClassifier, path: Path) -> str:
    """Render the answer to an image file, or the reason why there is none, as HTML."""
    try:
        loaded, image = model.load(), uploads.decode(path.read_bytes())
    except UserError as error:
        return ANSWER.render(error=error)
    probabilities, (picture, *heat_pictures) = loaded.predict(image), loaded.explain(image)
    rows = zip(DIAGNOSES, probabilities.values(), map(to_data_uri, heat_pictures), strict=True)
    return ANSWER.render(rows=rows, picture=to_data_uri(picture), comparison=loaded.compare(image))


def to_data_uri(image: np.ndarray) -> str:
    """RGB uint8 (H, W, 3) as a JPEG inside the page, so that no file is written."""
    return encode_uri("image/jpeg", encode_jpeg(image))


def draw_examples(folder: Path) -> list[Path]:
    """Write one synthetic image of each class (PNG)."""
    paths = [folder / f"{cohort.dx}.png" for cohort in COHORTS]
    for lesion, (cohort, path) in enumerate(zip(COHORTS, paths, strict=True)):
        images.write_png(path, draw_image(cohort.appearance, SEED, lesion, 0))
    return paths


def read_card(model: Path) -> tuple[str, str]:
    """Read the model card beside `model`: a caveat (HTML) if it is of the synthetic sample, and the text (Markdown)."""
    path = model.with_name(MODEL_CARD.name)
    if not path.is_file():
        return "", "The model has no card yet. To write it, run: `dvc repro report`"
    *front_matter, text = path.read_text(encoding="utf-8").removeprefix("---\n").split("\n---\n", 1)
    return CAVEAT if "synthetic-sample" in "".join(front_matter) else "", text.strip()
