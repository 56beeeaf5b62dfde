"""What the page says is what the library says."""

import numpy as np
import pytest

from skinlesion.commands.demo import card, markup, uploads
from skinlesion.commands.demo.answers import Answer, Classifier, WhenTrained
from skinlesion.core.ham10000 import CODES
from skinlesion.explain.gradcam import heatmaps
from skinlesion.model.classify import natural, square
from skinlesion.runtime.errors import UserError
from tests.commands.demo.test_uploads import encoded


@pytest.fixture(scope="module")
def classifier(model_file) -> Classifier:
    return Classifier(model_file)


def test_probabilities_and_heat_are_the_library_s(classifier, noise):
    upload = uploads.read(encoded(noise(3, 900, 1200), "JPEG"))
    answer = classifier.answer(upload)
    seen = square(classifier.bundle, upload.file)[None]
    np.testing.assert_allclose(answer.probabilities, natural(classifier.bundle, seen)[0], atol=1e-9)
    maps = [classifier.heat(answer.features, label) for label in range(len(CODES))]
    for label, found in enumerate(maps):
        np.testing.assert_allclose(found, heatmaps(classifier.bundle.model, seen, np.array([label]))[0], atol=1e-4)
    assert abs(maps[0] - maps[1]).max() > 0.01
    assert answer.by_code()[CODES[answer.best]] == answer.probabilities.max()


def test_a_model_that_comes_later_is_found_without_a_restart(model_file, tmp_path):
    waiting = WhenTrained(tmp_path / "model.keras")
    with pytest.raises(UserError, match="dvc repro"):
        waiting.get()
    (tmp_path / "model.keras").write_bytes(model_file.read_bytes())
    assert waiting.get() is waiting.get()


def made(*probabilities: float, usual: bool = True) -> Answer:
    picture = np.zeros((8, 8, 3), np.uint8)
    return Answer(picture, np.array(probabilities), np.zeros((4, 1, 1, 1)), 1.2 if usual else 3.4, usual)


def test_the_bars_stand_by_probability_and_are_never_0_or_100_percent_of_what_is_only_nearly_so():
    html = markup.bars(made(0.0004, 0.0001, 0, 0, 0.9992, 0.0002, 0.0001))
    places = [html.index(f'data-code="{code}"') for code in ("mel", "akiec", "nv", "bcc", "vasc", "bkl", "df")]
    assert places == sorted(places)
    assert html.count("&lt;0.1%") == 6
    assert "&gt;99.9%" in html
    assert "Bowen&#x27;s" in html


def test_the_note_is_loud_only_where_the_image_is_unlike_the_training_data():
    even = [1 / 7] * 7
    assert "unlike" not in markup.note(made(*even), 2.2)
    loud = markup.note(made(*even, usual=False), 2.2)
    assert "unlike the training data" in loud
    assert "Distance 3.4; 99 of 100 images of HAM10000 lie below 2.2" in loud


def test_the_card_is_shown_without_what_hubs_read_and_where_there_is_none_says_so(model_file, tmp_path):
    assert card.text(model_file) == "# A card for tests"
    assert "dvc repro" in card.text(tmp_path / "model.keras")


@pytest.mark.parametrize(("data", "expected"), [("synthetic-sample", True), ("ham10000", False)])
def test_a_model_of_the_synthetic_sample_is_told_by_its_card(data, expected, tmp_path):
    (tmp_path / "MODEL_CARD.md").write_text(f"---\ndatasets:\n- {data}\n---\n\nOn the synthetic-sample.\n")
    assert card.synthetic(tmp_path / "model.keras") is expected
    assert card.text(tmp_path / "model.keras") == "On the synthetic-sample."
    assert not card.synthetic(tmp_path / "elsewhere" / "model.keras")
