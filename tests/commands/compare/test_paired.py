"""The comparison of two predictions: its interval equals a plain loop over draws, and its signs follow the sides."""

from math import comb

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, roc_auc_score

from skinlesion.commands.compare import paired
from skinlesion.commands.compare.description import describe
from skinlesion.core.ham10000 import CODES
from skinlesion.evaluate.intervals import Bootstrap
from skinlesion.model.predictions import Predictions, select_split
from skinlesion.runtime.errors import UserError
from tests.report.conftest import make_predictions

pytestmark = pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")  # in small draws

LESIONS = {"akiec": 3, "bcc": 4, "bkl": 6, "df": 1, "mel": 9, "nv": 20, "vasc": 3}
DRAWS, SEED = 30, 3
RAW = list(CODES)


def blend(seed: int, share: float) -> pd.DataFrame:
    """Predictions of the same images by one more model, with this share of noise."""
    table = make_predictions(LESIONS)
    table[RAW] = (1 - share) * table[RAW] + share * np.random.default_rng(seed).dirichlet(np.ones(7), len(table))
    return table


TABLE, OTHER = blend(1, 0.6), blend(2, 0.7).sample(frac=1, random_state=2)  # in another order
A, B = (select_split(table, "test") for table in (TABLE, OTHER))


def compare(a: Predictions = A, b: Predictions = B) -> paired.Comparison:
    return paired.compare(a, b, DRAWS, SEED)


def changed(column: str, row: int, value: object) -> Predictions:
    """A, with another value in one row of the test split."""
    table = TABLE[TABLE["split"] == "test"].reset_index(drop=True)
    table.loc[row, column] = value
    return select_split(table, "test")


def macro_auc(labels: np.ndarray, scores: np.ndarray) -> float:
    return float(np.mean([roc_auc_score(labels == label, scores[:, label]) for label in np.unique(labels)]))


def test_differences_and_intervals_are_those_of_a_plain_loop_over_draws():
    a, b = (table[table["split"] == "test"].sort_values("path") for table in (TABLE, OTHER))
    labels, scores = a["dx"].map(CODES.index).to_numpy(), [side[RAW].to_numpy() for side in (a, b)]
    measures = {
        "accuracy": lambda labels, scores: accuracy_score(labels, scores.argmax(axis=1)),
        "balanced_accuracy": lambda labels, scores: balanced_accuracy_score(labels, scores.argmax(axis=1)),
        "roc_auc_macro": macro_auc,
    }
    weights = Bootstrap.draw(a["group"], DRAWS, SEED).weights.astype(int)
    draws = [np.repeat(np.arange(len(labels)), row) for row in weights]
    assert any(len(np.unique(labels[images])) < 7 for images in draws), "a draw without a class is among them"
    for name, difference in compare().differences.items():
        first, second = (measures[name](labels, side) for side in scores)
        assert (difference.a, difference.b) == pytest.approx((first, second)), name
        drawn = []
        for images in draws:
            first, second = (measures[name](labels[images], side[images]) for side in scores)
            drawn.append(second - first)
        expected = np.quantile(drawn, [0.025, 0.975])
        assert (difference.low, difference.high) == pytest.approx(tuple(expected), abs=1e-6), name


def test_two_copies_differ_by_exactly_0_with_an_interval_of_0_to_0():
    comparison = compare(A, A)
    for difference in comparison.differences.values():
        assert (difference.b - difference.a, difference.low, difference.high) == (0, 0, 0)
        assert str(difference) == "+0.000 (95% interval +0.000 to +0.000)"
    assert (comparison.only_a_right, comparison.only_b_right, comparison.p) == (0, 0, 1)
    assert comparison.disagreements.empty


def test_swapped_sides_flip_the_signs():
    there, back = compare(A, B), compare(B, A)
    for name, difference in there.differences.items():
        other = back.differences[name]
        assert difference.b - difference.a != 0
        assert (other.a, other.b, -other.high, -other.low) == pytest.approx(
            (difference.b, difference.a, difference.low, difference.high)
        )
    assert (there.only_a_right, there.only_b_right, there.p) == (back.only_b_right, back.only_a_right, back.p)


def test_draws_that_differ_by_the_same_amount_have_no_interval():
    assert np.isnan(paired.difference_interval(np.full(9, 0.5), np.full(9, 0.75))).all()
    assert str(paired.Difference(0.5, 0.75, np.nan, np.nan)) == "+0.250"


def test_mcnemar_is_the_two_sided_binomial_tail_of_the_discordant_images():
    comparison = compare()
    right_a, right_b = (
        dict(zip(side.rows["path"], side.headline.argmax(axis=1) == side.labels, strict=True)) for side in (A, B)
    )
    only_a = sum(right_a[path] > right_b[path] for path in right_a)
    only_b = sum(right_b[path] > right_a[path] for path in right_a)
    assert min(only_a, only_b) > 0
    assert (comparison.only_a_right, comparison.only_b_right) == (only_a, only_b)
    discordant = only_a + only_b
    tail = sum(comb(discordant, k) for k in range(min(only_a, only_b) + 1)) / 2**discordant
    assert comparison.p == pytest.approx(min(1, 2 * tail))


def test_disagreements_are_the_images_with_two_predictions():
    wrong_twice = changed(RAW, 0, np.eye(7)[2])  # the first test image is akiec
    table = compare(changed(RAW, 0, np.eye(7)[1]), wrong_twice).disagreements
    assert table.columns.tolist() == ["image_id", "group", "dx", "predicted_a", "predicted_b"]
    assert table[["dx", "predicted_a", "predicted_b"]].to_numpy().tolist() == [["akiec", "bcc", "bkl"]]
    text = describe(compare(), "main", "here", "test")
    assert text.count(": A ") == 5
    assert f"{len(compare().disagreements)} of {len(A.rows)} images" in text


def test_without_lesions_the_unit_is_the_image_and_unknown_ages_are_equal():
    table = TABLE.assign(group=TABLE["image_id"], age=np.nan)
    text = describe(compare(*[select_split(table, "test")] * 2), "a", "b", "external")
    assert "by image" in text
    assert "lesion" not in text.replace("skinlesion", "")


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (changed("path", 0, "elsewhere.png"), ["1 only in A", "1 only in B"]),
        (changed("dx", 0, "nv"), ["1 with another diagnosis"]),
        (changed("group", 0, "g"), ["1 of another lesion"]),
        (changed("age", 0, 1.0), ["1 with other age, sex, localization, dx_type"]),
        (changed("sex", 0, ""), ["1 with other age, sex, localization, dx_type"]),
        (select_split(TABLE[TABLE["dx"] != "vasc"], "test"), ["4 only in A"]),
    ],
)
def test_other_test_images_are_refused_with_their_number(other, words):
    with pytest.raises(UserError) as caught:
        compare(A, other)
    assert all(word in str(caught.value) for word in [*words, "dvc params diff"])


def test_the_headline_probabilities_count():
    decided = TABLE.assign(**{f"decision_{code}": OTHER[code].sort_index() for code in CODES})
    same = compare(select_split(decided, "test"), B)
    assert same.disagreements.empty
    assert pd.Series(A.headline.argmax(axis=1)).ne(B.headline.argmax(axis=1)).any()
