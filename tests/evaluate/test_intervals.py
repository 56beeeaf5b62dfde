"""The bootstrap over lesions: equal to the plain loop that it replaces, and its intervals cover what they should."""

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics

from skinlesion.evaluate.intervals import Bootstrap, by_class, interval, overall, wilson

RANDOM = np.random.default_rng(1)
GROUPS = pd.Series([f"g{number}" for number in RANDOM.integers(0, 25, 60)])
LABELS = RANDOM.choice(7, 60, p=[0.3, 0.2, 0.1, 0.1, 0.1, 0.15, 0.05])
SCORES = np.round(RANDOM.dirichlet(np.ones(7), 60) + 0.3 * np.eye(7)[LABELS], 1)  # with ties
PREDICTED = SCORES.argmax(axis=1)
DRAWS = Bootstrap.over(GROUPS, 50, seed=7)


def resampled() -> list[np.ndarray]:
    """The images of each draw, each as often as it is in it: what a plain loop would index with."""
    return [np.repeat(np.arange(60), weights.astype(int)) for weights in DRAWS.weights]


def test_a_draw_takes_whole_groups_and_as_many_as_there_are():
    first_of_group = ~GROUPS.duplicated()
    for weights in DRAWS.weights:
        assert pd.Series(weights).groupby(GROUPS).nunique().eq(1).all(), "all images of a group, equally often"
        assert weights[first_of_group].sum() == GROUPS.nunique()


def test_the_seed_decides():
    np.testing.assert_array_equal(Bootstrap.over(GROUPS, 50, seed=7).weights, DRAWS.weights)
    assert (Bootstrap.over(GROUPS, 50, seed=8).weights != DRAWS.weights).any()


def test_measures_over_all_classes_are_those_of_a_plain_loop():
    found = overall(DRAWS.confusions(LABELS, PREDICTED, 7))
    for draw, images in enumerate(resampled()):
        labels, predicted = LABELS[images], PREDICTED[images]
        f1 = sklearn.metrics.f1_score(labels, predicted, labels=np.unique(labels), average="macro", zero_division=0)
        assert found["accuracy"][draw] == pytest.approx((labels == predicted).mean())
        recalls = [(predicted[labels == label] == label).mean() for label in np.unique(labels)]
        assert found["balanced_accuracy"][draw] == pytest.approx(np.mean(recalls))
        assert found["f1_macro"][draw] == pytest.approx(f1)


def test_measures_by_class_are_those_of_a_plain_loop():
    found = by_class(DRAWS.confusions(LABELS, PREDICTED, 7))
    without = 0
    for draw, images in enumerate(resampled()):
        labels, predicted = LABELS[images], PREDICTED[images]
        for label in range(7):
            actual, called = labels == label, predicted == label
            if not actual.any():
                assert all(np.isnan(found[name][draw, label]) for name in ("sensitivity", "precision", "f1"))
                without += 1
                continue
            precision, sensitivity, f1, _ = sklearn.metrics.precision_recall_fscore_support(
                actual, called, average="binary", zero_division=0
            )
            assert found["sensitivity"][draw, label] == pytest.approx(sensitivity)
            assert found["precision"][draw, label] == pytest.approx(precision)
            assert found["f1"][draw, label] == pytest.approx(f1)
            assert found["specificity"][draw, label] == pytest.approx((~called[~actual]).mean())
    assert without, "the case of a draw without a class is among them"


def test_areas_are_those_of_a_plain_loop_with_ties():
    found = DRAWS.roc_auc(LABELS == 0, SCORES[:, 0])
    for draw, images in enumerate(resampled()):
        expected = sklearn.metrics.roc_auc_score(LABELS[images] == 0, SCORES[images, 0])
        assert found[draw] == pytest.approx(expected)


def test_means_are_those_of_a_plain_loop_also_of_some_images():
    right = LABELS == PREDICTED
    some = LABELS < 2
    found, of_some = DRAWS.mean(right), DRAWS.of(some).mean(right[some])
    for draw, images in enumerate(resampled()):
        assert found[draw] == pytest.approx(right[images].mean())
        assert of_some[draw] == pytest.approx(right[images][some[images]].mean())


def test_the_interval_is_the_middle_and_leaves_out_draws_without_a_value():
    low, high = interval(np.append(np.arange(1001), np.nan))
    assert (low, high) == pytest.approx((25, 975))
    assert np.isnan(interval(np.full(5, np.nan))).all()
    assert np.isnan(interval(np.ones(5))).all(), "draws that cannot differ tell nothing"


def test_where_all_are_right_the_interval_is_wilsons_over_the_lesions():
    """Three lesions of two images each, all right: 3 / (3 + 1.96^2) to 1."""
    draws = Bootstrap.over(pd.Series(list("aabbcc")), 50, seed=0)
    assert draws.proportion(np.ones(6, bool)) == pytest.approx((3 / (3 + 1.959964**2), 1))
    assert draws.proportion(np.zeros(6, bool)) == pytest.approx((0, 1 - 3 / (3 + 1.959964**2)))
    assert draws.proportion(np.array([1, 1, 0, 0, 1, 1], bool)) == interval(draws.mean(np.array([1, 1, 0, 0, 1, 1])))
    assert np.isnan(draws.of(np.zeros(6, bool)).proportion(np.zeros(0, bool))).all()


@pytest.mark.parametrize(("part", "count", "low", "high"), [(0.5, 10, 0.2366, 0.7634), (0.9, 50, 0.7864, 0.9565)])
def test_wilsons_interval_is_the_published_one(part, count, low, high):
    assert wilson(part, count) == pytest.approx((low, high), abs=5e-5)


def test_it_covers_the_truth_where_errors_come_in_groups_and_an_image_bootstrap_does_not():
    """Lesions of 1 to 9 images that share their luck: 200 data sets whose true accuracy is 0.7."""
    random = np.random.default_rng(11)
    covered = {"lesions": 0, "images": 0}
    for number in range(200):
        sizes = random.integers(1, 10, 80)
        groups = pd.Series(np.repeat(np.arange(80), sizes))
        right = random.random(len(groups)) < np.repeat(random.beta(1.4, 0.6, 80), sizes)
        units = {"lesions": groups, "images": pd.Series(np.arange(len(groups)))}
        for unit, drawn_by in units.items():
            low, high = interval(Bootstrap.over(drawn_by, 300, seed=number).mean(right))
            covered[unit] += low <= 0.7 <= high
    assert 180 <= covered["lesions"] <= 198
    assert covered["images"] < covered["lesions"] - 20
