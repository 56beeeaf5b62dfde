"""No lesion in two splits under protocol lesion; exact counts under protocol image; leaks are counted."""

import json
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from skinlesion.balance import plan
from skinlesion.core import metadata
from skinlesion.merge import groups
from skinlesion.runtime import params, paths
from skinlesion.runtime.errors import UserError
from skinlesion.runtime.params import sections
from skinlesion.split import assign
from stages import balance as balance_stage
from stages import merge as merge_stage
from stages import split as stage
from tests.helpers.chain import ROOT

MakeTable = Callable[..., pd.DataFrame]
LESIONS = {"akiec": 30, "bcc": 45, "bkl": 60, "df": 12, "mel": 80, "nv": 300, "vasc": 3}
FRACTIONS = sections.Split(seed=17, protocol="lesion", train=0.7, validation=0.15, test=0.15, folds=None, fold=0)
IMAGE = FRACTIONS.model_copy(update={"protocol": "image", "train": 0.8, "validation": 0.1, "test": 0.1})


@pytest.fixture
def manifest_of(settings: params.Params) -> Callable[..., pd.DataFrame]:
    def make(table: pd.DataFrame, per_class: int | None = 60) -> pd.DataFrame:
        how = settings.balance.model_copy(update={"per_class": per_class})
        return plan.plan(table, Path("merged"), Path("copies"), how)

    return make


@pytest.fixture
def manifest(make_table: MakeTable, manifest_of: Callable) -> pd.DataFrame:
    return manifest_of(make_table(**LESIONS))


def sides(table: pd.DataFrame) -> dict[str, set[str]]:
    return {name: set(rows["group"]) for name, rows in table.groupby("split")}


def test_no_lesion_is_in_two_splits(manifest: pd.DataFrame) -> None:
    table = assign.assign(manifest, FRACTIONS)
    groups_of = sides(table)
    for first, second in combinations(assign.SPLITS, 2):
        assert groups_of[first].isdisjoint(groups_of[second])
    assert set.union(*groups_of.values()) == set(manifest["group"])
    assign.refuse_leaks(table)
    assert assign.summary(table, "lesion")["leaked_images"] == {"validation": 0, "test": 0}


def test_validation_and_test_have_every_original_of_their_lesions_and_no_copy(
    manifest: pd.DataFrame,
) -> None:
    table = assign.assign(manifest, FRACTIONS)
    assert manifest["augmented"].sum() > 100
    for side in ("validation", "test"):
        rows = table[table["split"] == side]
        originals = table[table["group"].isin(rows["group"]) & ~table["augmented"]]
        assert not rows["augmented"].any()
        assert set(rows["path"]) == set(originals["path"])
        assert not rows["balanced"].all(), "originals beyond per_class are tested too"


def test_train_has_the_balanced_rows_of_its_lesions_and_no_other(manifest: pd.DataFrame) -> None:
    table = assign.assign(manifest, FRACTIONS)
    outside = table["group"].isin(sides(table)["validation"] | sides(table)["test"])
    expected = table[~outside & table["balanced"]]
    assert list(table.loc[table["split"] == "train", "path"]) == list(expected["path"])
    assert expected["augmented"].any()


def test_the_manifest_is_kept_as_it_is(manifest: pd.DataFrame) -> None:
    before = manifest.copy()
    for how in (FRACTIONS, IMAGE):
        table = assign.assign(manifest, how)
        pd.testing.assert_frame_equal(manifest, before)
        pd.testing.assert_frame_equal(table.drop(columns=["split", "leaked"]), manifest)
        assert set(table["split"]) <= {*assign.SPLITS, "unused"}


@pytest.mark.parametrize("seed", range(5))
def test_each_class_gives_each_side_its_fraction(seed: int, make_table: MakeTable, manifest_of: Callable) -> None:
    table = assign.assign(manifest_of(make_table(**LESIONS), None), FRACTIONS.model_copy(update={"seed": seed}))
    assert not (table["split"] == "unused").any()
    for code, rows in table.groupby("dx"):
        for side in assign.SPLITS:
            wanted = getattr(FRACTIONS, side) * len(rows)
            images = (rows["split"] == side).sum()
            assert images > 0, (code, side)
            assert abs(images - wanted) <= 3, (code, side)  # a lesion has three images at most


@pytest.mark.parametrize("lesions", range(3, 12))
@pytest.mark.parametrize("fractions", [(0.9, 0.05, 0.05), (0.05, 0.9, 0.05), (0.05, 0.05, 0.9), (0.4, 0.3, 0.3)])
def test_the_smallest_class_is_in_every_split(
    lesions: int, fractions: tuple[float, ...], make_table: MakeTable, manifest_of: Callable
) -> None:
    train, validation, test = fractions
    how = FRACTIONS.model_copy(update={"train": train, "validation": validation, "test": test})
    table = assign.assign(manifest_of(make_table(df=lesions), None), how)
    assert set(table["split"]) == set(assign.SPLITS)


@pytest.mark.parametrize(
    ("how", "lesions", "per_class", "words"),
    [
        (FRACTIONS, 2, None, r"df.*lesions.*2.*3"),
        (IMAGE, 5, 2, r"df.*images.*2.*3"),
        (FRACTIONS.model_copy(update={"folds": 5}), 4, None, r"df.*lesions.*4.*5.*smaller split\.folds"),
        (FRACTIONS.model_copy(update={"folds": 2, "fold": 1}), 3, None, r"df.*lesions.*3.*fold 1 leaves 1.*larger"),
    ],
)
def test_a_class_that_is_too_small_is_refused_with_its_number(
    how: sections.Split, lesions: int, per_class: int | None, words: str, make_table: MakeTable, manifest_of: Callable
) -> None:
    with pytest.raises(UserError, match=words):
        assign.assign(manifest_of(make_table(nv=40, df=lesions), per_class), how)


def test_protocol_image_has_the_published_counts(make_table: MakeTable, manifest_of: Callable) -> None:
    """14,000 rows at 80/10/10: the test set is exactly 1,400 images, 200 of each class."""
    lesions = dict(zip(LESIONS, (230, 330, 700, 70, 600, 1900, 100), strict=True))
    table = assign.assign(manifest_of(make_table(**lesions), 2000), IMAGE)
    assert ((table["split"] == "unused") == ~table["balanced"]).all()
    sizes = pd.crosstab(table["dx"], table["split"]).drop(columns="unused")
    assert sizes.to_dict("index") == {code: {"test": 200, "train": 1600, "validation": 200} for code in lesions}
    metrics = assign.summary(table, "image")
    assert metrics["protocol"] == "image"
    assert metrics["images"] == {"train": 11200, "validation": 1400, "test": 1400}
    assert metrics["copies"]["test"] > 0
    test = table[table["split"] == "test"]
    seen = set(table.loc[table["split"] == "train", "group"])
    assert metrics["leaked_images"]["test"] == sum(group in seen for group in test["group"]) > 700


def table_of(rows: list[tuple[str, str, str, bool]]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["split", "group", "dx", "augmented"])
    table["leaked"] = assign.leaks(table)
    return table.assign(path=[f"{number}.png" for number in range(len(rows))])


PLANTED = [
    ("train", "a", "nv", False),
    ("train", "a", "nv", True),
    ("train", "b", "mel", False),
    ("validation", "b", "mel", False),  # leaks
    ("validation", "c", "nv", False),
    ("test", "a", "nv", False),  # leaks
    ("test", "a", "nv", True),  # leaks
    ("test", "d", "nv", False),
    ("test", "e", "mel", False),
    ("unused", "d", "nv", True),
]


def test_planted_leaks_are_counted() -> None:
    metrics = assign.summary(table_of(PLANTED), "image")
    assert metrics["leaked_images"] == {"validation": 1, "test": 2}
    assert metrics["leaked_fraction"] == {"validation": 0.5, "test": 0.5}
    assert metrics["images"] == {"train": 3, "validation": 2, "test": 4}
    assert metrics["groups"] == {"train": 2, "validation": 2, "test": 3}
    assert metrics["copies"] == {"train": 1, "validation": 0, "test": 1}
    assert metrics["per_class"]["test"] == {
        "akiec": 0, "bcc": 0, "bkl": 0, "df": 0, "mel": 1, "nv": 3, "vasc": 0,
    }  # fmt: skip


def test_leaks_are_refused_under_protocol_lesion() -> None:
    with pytest.raises(UserError, match=r"\(2\): a, b"):
        assign.refuse_leaks(table_of(PLANTED))
    between = [
        ("train", "a", "nv", False),
        ("validation", "b", "nv", False),
        ("test", "b", "nv", False),
    ]
    with pytest.raises(UserError, match=r"\(1\): b"):
        assign.refuse_leaks(table_of(between))
    assign.refuse_leaks(table_of([row for row in PLANTED if row[1] not in {"a", "b"}]))


@pytest.mark.parametrize("how", [FRACTIONS, IMAGE], ids=["lesion", "image"])
def test_the_seed_decides(how: sections.Split, manifest: pd.DataFrame) -> None:
    first = assign.assign(manifest, how)["split"]
    assert (first == assign.assign(manifest, how)["split"]).all()
    assert (first != assign.assign(manifest, how.model_copy(update={"seed": 18}))["split"]).mean() > 0.1


@pytest.mark.parametrize("how", [FRACTIONS, IMAGE], ids=["lesion", "image"])
def test_the_order_of_the_manifest_does_not_matter(how: sections.Split, manifest: pd.DataFrame) -> None:
    shuffled = manifest.sample(frac=1, random_state=0)
    expected = assign.assign(manifest, how)["split"]
    assert (assign.assign(shuffled, how)["split"].sort_index() == expected).all()


@pytest.mark.parametrize("code", ["nv", "df"])
def test_a_new_lesion_moves_few_others_and_none_of_another_class(
    code: str, make_table: MakeTable, manifest_of: Callable
) -> None:
    table = make_table(**LESIONS)
    before = assign.assign(manifest_of(table, None), FRACTIONS).set_index("image_id")
    for number in range(20):
        added = pd.DataFrame([{"image_id": f"new{number}", "group": f"HAM_new{number}", "dx": code}])
        manifest = manifest_of(pd.concat([table, added]), None)
        after = assign.assign(manifest, FRACTIONS).set_index("image_id").loc[before.index]
        moved = before[before["split"] != after["split"]]
        assert moved["group"].nunique() <= 2  # one at each border
        assert set(moved["dx"]) <= {code}


@pytest.mark.parametrize("folds", [2, 3, 5])
@pytest.mark.parametrize("seed", range(3))
def test_the_folds_test_every_original_once(
    folds: int, seed: int, make_table: MakeTable, manifest_of: Callable
) -> None:
    manifest = manifest_of(make_table(**LESIONS | {"vasc": 5}), 40)
    tested = []
    for fold in range(folds):
        table = assign.assign(manifest, FRACTIONS.model_copy(update={"seed": seed, "folds": folds, "fold": fold}))
        for split in assign.SPLITS:
            assert set(table.loc[table["split"] == split, "dx"]) == set(LESIONS)
        assign.refuse_leaks(table)
        originals = table[~table["augmented"]]
        sizes = pd.crosstab(originals["dx"], originals["split"])
        for code, images in originals["dx"].value_counts().items():
            test, validation = sizes.loc[code, "test"], sizes.loc[code, "validation"]
            assert abs(test - images / folds) <= 3  # a lesion has three images at most
            assert abs(validation - (images - test) * 0.15 / 0.85) <= 3, "validation is its part of the rest"
        tested += list(originals.loc[originals["split"] == "test", "image_id"])
    assert sorted(tested) == sorted(manifest.loc[~manifest["augmented"], "image_id"])


@pytest.mark.parametrize("shares", [[0.15, 0.15, 0.7], [0.2] * 5, [0.9, 0.1], [1 / 3] * 3])
def test_no_part_of_a_cut_is_empty_and_their_order_is_kept(shares: list[float]) -> None:
    for seed in range(200):
        images = np.random.default_rng(seed).integers(1, 30, len(shares) + seed % 4)
        parts = assign.cut(images, shares)
        assert sorted(set(parts)) == list(range(len(shares)))
        assert (np.diff(parts) >= 0).all()


@pytest.mark.chain
def test_the_stage_writes_the_table_and_its_counts(project: Callable) -> None:
    merge_stage.main()
    balance_stage.main()
    metrics = stage.main()
    table = pd.read_csv(paths.SPLITS)
    assert list(table.columns) == [*plan.COLUMNS, "split", "leaked"]
    assert json.loads(paths.SPLIT_METRICS.read_text()) == metrics
    assert metrics["leaked_images"] == {"validation": 0, "test": 0}
    project({"split.protocol": "image", "split.train": 0.7, "split.validation": 0.15, "split.test": 0.15})
    metrics = stage.main()
    assert metrics["images"] == {"train": 7 * 5, "validation": 7, "test": 7}
    assert metrics["leaked_images"]["test"] > 0


@pytest.mark.chain
def test_the_stage_refuses_a_leak_and_leaves_the_old_split(project: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    merge_stage.main()
    balance_stage.main()
    stage.main()
    before = paths.SPLITS.read_bytes(), paths.SPLIT_METRICS.read_bytes()
    monkeypatch.setitem(assign.PROTOCOLS, "lesion", assign.by_image)
    with pytest.raises(UserError, match="Lesions in more than one split"):
        stage.main()
    assert (paths.SPLITS.read_bytes(), paths.SPLIT_METRICS.read_bytes()) == before


def test_real_lesions(real_raw: Path, manifest_of: Callable) -> None:
    table = metadata.read(real_raw / "HAM10000_metadata.csv")
    pairs = groups.read_pairs(ROOT / "presets/duplicates/ham10000.csv")
    lesion_of = table.set_index("image_id")["lesion_id"]
    table["group"] = groups.join(lesion_of, pairs)[0].to_numpy()
    manifest = manifest_of(table, 2000)
    honest = assign.assign(manifest, FRACTIONS)
    assign.refuse_leaks(honest)
    originals = honest[honest["split"].isin(["validation", "test"])]
    assert not originals["augmented"].any()
    shares = originals["split"].value_counts() / 10_015
    np.testing.assert_allclose(shares, 0.15, atol=0.005)
    published = assign.summary(assign.assign(manifest, IMAGE), "image")
    assert published["images"] == {"train": 11200, "validation": 1400, "test": 1400}
    assert set(published["per_class"]["test"].values()) == {200}
    assert 0.80 < published["leaked_fraction"]["test"] < 0.90
