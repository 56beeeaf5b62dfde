"""The page: an image in, the answer beside it. What is sent is read, answered and deleted."""

import os
import threading
from pathlib import Path

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read when gradio is imported
import gradio

from skinlesion.commands.demo import card, examples, markup, uploads
from skinlesion.commands.demo.answers import Answer, WhenTrained
from skinlesion.core.ham10000 import DIAGNOSES
from skinlesion.model.classify import RESEARCH_ONLY
from skinlesion.runtime.errors import UserError

TITLE = "Skin lesions: what the model says of an image"
NOT_TRAINED = "Until then this page has no answers; afterwards it has, without a restart."
ON_SAMPLE = (
    "This model was trained on the synthetic sample, pictures drawn by code. Of real skin it knows nothing: its "
    "answers show that the page works."
)
SHOWN_FOR = 3  # seconds
KEPT = 1800  # seconds that the last image stays in memory, for another Grad-CAM
NAMES = [(markup.capital(one.name), number) for number, one in enumerate(DIAGNOSES)]
API = """\
Any image file as the body of a POST request; the answer is JSON, `probabilities` by class and `names` for people:

    curl --data-binary @image.jpg {address}/api/predict

`distance` above `limit` means that the image looks unlike the training data (`usual: false`). What cannot be read is
answered with status 400 (413 where larger than {megabytes} MB) and a sentence in `error`."""


def delete_soon(path: Path) -> None:
    """Delete an upload once the browser, which shows it for a moment, can have fetched it."""
    soon = threading.Timer(SHOWN_FOR, path.unlink, kwargs={"missing_ok": True})
    soon.daemon = True  # where the page ends first, the whole folder goes
    soon.start()


def build(model: WhenTrained, address: str, folder: Path) -> gradio.Blocks:
    """The page.

    Args:
        address: where it is reached, for its curl line.
        folder: an existing one, for the drawn examples; below it lies what Gradio receives.
    """
    drawn = examples.draw(folder)
    # Gradio's own copies of what it was sent are deleted after each answer; this is for those that never got there.
    with gradio.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(30, 60)) as page:
        gradio.HTML(f'<div class="sl-head"><h1>{TITLE}</h1><p class="sl-only">{RESEARCH_ONLY}</p></div>')
        if card.synthetic(model.path):
            gradio.HTML(markup.refusal(ON_SAMPLE))
        missing = gradio.HTML(visible=False)
        with gradio.Row():
            with gradio.Column(scale=2, min_width=300):
                upload = gradio.Image(
                    label="Image: drop, choose, paste or photograph",
                    sources=["upload", "clipboard", "webcam"],
                    type="filepath",
                    image_mode=None,
                    height=240,
                    elem_id="upload",
                )
                samples = gradio.Dataset(
                    label="Or an example (drawn by code, nobody's skin)",
                    components=[gradio.Image(type="filepath", render=False)],
                    samples=[[str(path)] for path, _ in drawn],
                    type="index",
                    layout="gallery",
                    elem_id="examples",
                )
            with gradio.Column(scale=3, min_width=300):
                said = gradio.HTML(markup.WAITING, elem_id="said")
                bars = gradio.HTML(visible=False, elem_id="bars")
                figures = gradio.HTML(visible=False, elem_id="figures")
                label = gradio.Radio(NAMES, label="What speaks for", visible=False, elem_id="label")
        with gradio.Accordion("About this model", open=False):
            gradio.Markdown(card.text(model.path))
        with gradio.Accordion("From a program", open=False):
            gradio.Markdown(API.format(address=address, megabytes=uploads.MOST_BYTES // 2**20))
        last = gradio.State(None, time_to_live=KEPT)

        shown = [said, bars, figures, label, last]

        def of_upload(sent: dict | None) -> list:
            path = uploads.place((sent or {}).get("path"), folder)
            return [None, *(answered(path) if path else refused(uploads.NOT_SENT))]

        def of_example(number: int) -> list:
            return answered(drawn[number][0], keep=True)

        def answered(path: Path, keep: bool = False) -> list:
            try:
                return answers(path)
            except UserError as error:
                return refused(str(error))
            finally:
                if not keep:
                    delete_soon(path)

        def refused(sentence: str) -> list:
            return [markup.refusal(sentence), *[gradio.update(visible=False)] * 3, None]

        def answers(path: Path) -> list:
            classifier = model.get()
            answer = classifier.answer(uploads.read(path))
            pictures = markup.figures(answer, classifier.explain(answer, answer.best), answer.best)
            return [
                markup.note(answer, classifier.reference.limit),
                gradio.update(value=markup.bars(answer), visible=True),
                gradio.update(value=pictures, visible=True),
                gradio.update(value=answer.best, visible=True),
                answer,
            ]

        def of_label(number: int | None, answer: Answer | None) -> object:
            if answer is None or number is None:
                return gradio.skip()
            return markup.figures(answer, model.get().explain(answer, number), number)

        def on_load() -> object:
            try:
                model.get()
            except UserError as error:
                return gradio.update(value=markup.refusal(f"{error}. {NOT_TRAINED}"), visible=True)
            return gradio.update(visible=False)

        private = {"api_visibility": "private", "concurrency_limit": 1, "concurrency_id": "model"}
        # Not `change`: emptying the box would be an event too, and one that swallows a click that comes with it.
        # Unprocessed: Gradio would open the file, and show nothing but "Error" where it cannot.
        upload.upload(of_upload, upload, [upload, *shown], show_progress_on=said, preprocess=False, **private)
        samples.click(of_example, samples, shown, show_progress_on=said, **private)
        label.input(of_label, [label, last], figures, show_progress="hidden", **private)
        page.load(on_load, None, missing, show_progress="hidden", **private)
    return page.queue(api_open=False, max_size=32)
