"""The answers on the page are those of the library."""

import numpy as np
import pytest

from skinlesion.commands.demo import lazy_classifier, webpage
from skinlesion.commands.demo.lazy_classifier import LazyClassifier
from skinlesion.core import images
from skinlesion.core.ham10000 import CODES, DIAGNOSES
from skinlesion.explain.gradcam import Explainer
from skinlesion.explain.overlay import overlay
from skinlesion.model.classify import Classifier
from skinlesion.model.likeness import Comparison
from skinlesion.runtime.errors import UserError

pytestmark = pytest.mark.training


def test_probabilities_and_grad_cam_are_the_library_s(model_file, noise):
    image, demo, library = noise(3, 900, 1200), LazyClassifier(model_file).load(), Classifier.load(model_file)
    assert demo.predict(image) == library.predict(image)
    picture, *heat_pictures = demo.explain(image)
    np.testing.assert_array_equal(picture, images.fit(image, lazy_classifier.SIDE, "crop"))
    square = images.fit(image, 64, "crop")[None]
    for label, heat_picture in enumerate(heat_pictures):
        expected = overlay(picture, Explainer(library.bundle.model).heatmaps(square, np.array([label]))[0])
        assert np.abs(heat_picture.astype(int) - expected).max() <= 2
    assert np.abs(heat_pictures[0].astype(int) - heat_pictures[1]).max() > 20
    assert label == len(CODES) - 1


def test_a_model_that_is_trained_later_or_anew_needs_no_restart(model_file, tmp_path, noise):
    model = LazyClassifier(tmp_path / "model.keras")
    with pytest.raises(UserError, match="dvc repro"):
        model.load()
    model.path.write_bytes(model_file.read_bytes())
    first = model.load()
    assert sum(first.predict(noise(0)).values()) == pytest.approx(1)
    model.path.unlink()
    assert model.load() is first, "while another model trains"
    model.path.write_bytes(model_file.read_bytes())
    assert model.load() is not first
    assert model.load() is model.load()


def render(probabilities: list[float], distance: float, too_small: bool = False) -> str:
    rows = zip(DIAGNOSES, probabilities, ["data:"] * 7, strict=True)
    return webpage.ANSWER.render(rows=rows, picture="data:", comparison=Comparison(distance, 2.2, too_small))


def test_classes_are_sorted_by_probability_and_none_is_rounded_to_0_or_100_percent():
    html = render([0.0004, 0.0001, 0, 0, 0.9992, 0.0002, 0.0001], 1.2)
    positions = [html.index(f'data-code="{code}"') for code in ("mel", "akiec", "nv", "bcc", "vasc", "bkl", "df")]
    assert positions == sorted(positions)
    assert html.count("&lt;0.1%") == 6
    assert html.count("&gt;99.9%") == 1
    assert html.count("<em>malignant</em>") == 3
    assert "Bowen&#39;s" in html


def test_the_page_warns_only_if_the_image_looks_unlike_the_training_images():
    assert "role=" not in render([1 / 7] * 7, 1.2)
    warning = render([1 / 7] * 7, 3.4)
    assert 'role="status"' in warning
    assert "3.4" in warning
    assert "2.2" in warning
    assert "too small" not in warning
    assert "too small" in render([1 / 7] * 7, 1.2, too_small=True)


def test_examples_look_like_the_drawings_that_a_model_was_trained_on_and_a_plain_image_does_not(model_file, tmp_path):
    model = LazyClassifier(model_file)
    plain = tmp_path / "plain.png"
    images.write_png(plain, np.full((150, 200, 3), 128, np.uint8))
    answers = [webpage.answer_image(model, path) for path in (*webpage.draw_examples(tmp_path), plain)]
    assert ["looks unlike the training images" in answer for answer in answers] == [False] * 7 + [True]


@pytest.mark.parametrize(("dataset", "synthetic"), [("synthetic-sample", True), ("ham10000", False)])
def test_the_card_is_shown_without_its_front_matter_which_names_the_dataset(dataset, synthetic, tmp_path):
    (tmp_path / "MODEL_CARD.md").write_text(f"---\ndatasets:\n- {dataset}\n---\n\n# Not synthetic-sample\n")
    assert webpage.read_card(tmp_path / "model.keras") == (
        webpage.CAVEAT if synthetic else "",
        "# Not synthetic-sample",
    )


def test_the_card_of_a_model_that_is_trained_later_is_shown_at_the_next_answer(tmp_path):
    page = webpage.build_page(LazyClassifier(tmp_path / "model.keras"), tmp_path)
    events = {event.targets[0][1]: event for event in page.fns.values() if len(event.outputs) > 1}
    assert {*events} == {"load", "upload", "click"}, "each answer writes the card too"
    assert "dvc repro report" in events["load"].fn()[1]
    (tmp_path / "MODEL_CARD.md").write_text("---\ndatasets:\n- synthetic-sample\n---\n\n# A model\n")
    assert events["click"].fn(0)[1:] == (webpage.CAVEAT, "# A model")
    assert events["upload"].fn(None)[1:] == (webpage.CAVEAT, "# A model", None)
