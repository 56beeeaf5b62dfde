"""The bootstrap over lesions: equal to a plain loop over draws, and its intervals cover the truth."""

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics
from scipy.stats import binomtest

from skinlesion.evaluate.intervals import Bootstrap, interval, wilson
from skinlesion.evaluate.metrics import class_metrics, headline, overall_metrics

RANDOM = np.random.default_rng(1)
GROUPS = pd.Series([f"g{number}" for number in RANDOM.integers(0, 25, 60)])
LABELS = RANDOM.choice(7, 60, p=[0.3, 0.2, 0.1, 0.1, 0.1, 0.15, 0.05])
SCORES = np.round(RANDOM.dirichlet(np.ones(7), 60) + 0.3 * np.eye(7)[LABELS], 1)  # with ties
PREDICTED = SCORES.argmax(axis=1)
DRAWS = Bootstrap.draw(GROUPS, 50, seed=7)
DRAWN = [np.repeat(np.arange(60), weights.astype(int)) for weights in DRAWS.weights]  # the images of each draw


def test_a_draw_has_whole_groups_and_as_many_as_there_are():
    first_of_group = ~GROUPS.duplicated()
    for weights in DRAWS.weights:
        assert pd.Series(weights).groupby(GROUPS).nunique().eq(1).all(), "all images of a group, equally often"
        assert weights[first_of_group].sum() == GROUPS.nunique()


def test_the_seed_determines_the_draws():
    np.testing.assert_array_equal(Bootstrap.draw(GROUPS, 50, seed=7).weights, DRAWS.weights)
    assert (Bootstrap.draw(GROUPS, 50, seed=8).weights != DRAWS.weights).any()


def test_overall_metrics_are_those_of_a_plain_loop():
    metrics = overall_metrics(DRAWS.confusions(LABELS, PREDICTED, 7))
    for draw, images in enumerate(DRAWN):
        expected = headline(LABELS[images], SCORES[images])
        for name, values in metrics.items():
            assert values[draw] == pytest.approx(expected[name]), name


def test_class_metrics_are_those_of_scikit_learn_in_a_plain_loop():
    metrics = class_metrics(DRAWS.confusions(LABELS, PREDICTED, 7))
    names = ("precision", "sensitivity", "f1")
    for draw, images in enumerate(DRAWN):
        labels, predicted = LABELS[images], PREDICTED[images]
        *expected, support = sklearn.metrics.precision_recall_fscore_support(
            labels, predicted, labels=range(7), zero_division=0
        )
        for name, values in zip(names, expected, strict=True):
            np.testing.assert_allclose(metrics[name][draw], np.where(support, values, np.nan), rtol=1e-5)
    assert np.isnan(metrics["f1"]).any(), "a draw without a class is among them"


def test_areas_are_those_of_a_plain_loop_with_ties():
    areas = DRAWS.roc_auc(LABELS == 0, SCORES[:, 0])
    expected = [sklearn.metrics.roc_auc_score(LABELS[images] == 0, SCORES[images, 0]) for images in DRAWN]
    np.testing.assert_allclose(areas, expected)


def test_means_are_those_of_a_plain_loop_also_of_selected_images():
    right, selected = LABELS == PREDICTED, LABELS < 2
    of_all, of_selected = DRAWS.mean(right), DRAWS.select(selected).mean(right[selected])
    for draw, images in enumerate(DRAWN):
        assert of_all[draw] == pytest.approx(right[images].mean())
        assert of_selected[draw] == pytest.approx(right[images][selected[images]].mean())


def test_the_interval_is_the_middle_of_the_draws_that_have_a_value():
    low, high = interval(np.append(np.arange(1001), np.nan))
    assert (low, high) == pytest.approx((25, 975))
    assert np.isnan(interval(np.full(5, np.nan))).all()
    assert np.isnan(interval(np.ones(5))).all(), "equal draws have no interval"


def test_if_all_are_right_the_interval_is_wilsons_over_the_lesions():
    """Three lesions of two images each, all right: 3 / (3 + 1.96^2) to 1."""
    draws = Bootstrap.draw(pd.Series(list("aabbcc")), 50, seed=0)
    every, none = np.ones(6, bool), np.zeros(6, bool)
    assert draws.proportion(every, every) == (1, pytest.approx(3 / (3 + 1.959964**2)), 1)
    assert draws.proportion(none, every) == (0, 0, pytest.approx(1 - 3 / (3 + 1.959964**2)))
    some = np.array([1, 1, 0, 0, 1, 1], bool)
    assert draws.proportion(some, every) == (some.mean(), *interval(draws.mean(some)))
    assert draws.proportion(some, some) == pytest.approx((1, 2 / (2 + 1.959964**2), 1))
    assert np.isnan(draws.proportion(some, none)).all()


@pytest.mark.parametrize("first", [0, 1])
def test_one_lesion_with_right_and_wrong_images_is_one_lesion_half_right(first: int):
    draws = Bootstrap.draw(pd.Series(list("aabbcc")), 50, seed=0)
    half = 1.959964 * np.sqrt(1 + 1.959964**2) / (1 + 1.959964**2) / 2
    share = draws.proportion(np.arange(6) % 2 == first, among=np.arange(6) < 2)
    assert share == pytest.approx((0.5, 0.5 - half, 0.5 + half))


def test_wilsons_interval_is_scipys():
    for right, lesions in ((0, 1), (3, 7), (40, 100), (9, 9)):
        expected = binomtest(right, lesions).proportion_ci(0.95, method="wilson")
        assert wilson(right / lesions, lesions) == pytest.approx(tuple(expected))
    assert all(wilson(0, number)[0] == 0 and wilson(1, number)[1] == 1 for number in range(1, 400))


def test_it_covers_the_truth_where_errors_are_grouped_and_an_image_bootstrap_does_not():
    """Lesions of 1 to 9 images of equal difficulty: 200 data sets whose true accuracy is 0.7."""
    random = np.random.default_rng(11)
    covered = {"lesions": 0, "images": 0}
    for number in range(200):
        sizes = random.integers(1, 10, 80)
        groups = pd.Series(np.repeat(np.arange(80), sizes))
        right = random.random(len(groups)) < np.repeat(random.beta(1.4, 0.6, 80), sizes)
        for unit, drawn_by in {"lesions": groups, "images": pd.Series(np.arange(len(groups)))}.items():
            low, high = interval(Bootstrap.draw(drawn_by, 300, seed=number).mean(right))
            covered[unit] += low <= 0.7 <= high
    assert 180 <= covered["lesions"] <= 198
    assert covered["images"] < covered["lesions"] - 20


@pytest.mark.parametrize(("rare", "least", "most"), [(2, 0.55, 0.85), (5, 0.86, 0.97), (20, 0.9, 0.99)])
def test_an_average_over_classes_needs_five_lesions_of_each(rare: int, least: float, most: float):
    """300 data sets of two classes with sensitivity .8 and a rare one with .5: a true balanced accuracy of .7."""
    random, covered = np.random.default_rng(5), 0
    labels = np.repeat([0, 1, 2], [30, 30, rare])
    for number in range(300):
        right = random.random(len(labels)) < np.array([0.8, 0.8, 0.5])[labels]
        draws = Bootstrap.draw(pd.Series(range(len(labels))), 200, seed=number)
        confusions = draws.confusions(labels, np.where(right, labels, 3), 7)
        low, high = interval(overall_metrics(confusions)["balanced_accuracy"])
        covered += low <= 0.7 <= high
    assert least <= covered / 300 <= most
