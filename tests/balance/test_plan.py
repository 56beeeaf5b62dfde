"""Every class gets per_class rows, evenly copied; a new original changes its own class and little of that."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from skinlesion.balance import augment
from skinlesion.balance import plan as planned
from skinlesion.core import images
from skinlesion.runtime import params, paths
from stages import balance as stage
from stages import merge as merge_stage

MakeTable = Callable[..., pd.DataFrame]
LESIONS = {"akiec": 1, "bcc": 5, "df": 14, "mel": 21, "nv": 120}  # 3, 8, 21, 31 and 174 images
PER_CLASS = 31
FOLDER, COPIES = Path("merged/images"), Path("balanced/images")


@pytest.fixture
def plan(settings: params.Params) -> Callable[..., pd.DataFrame]:
    def make(table: pd.DataFrame, per_class: int | None = PER_CLASS, seed: int = 17) -> pd.DataFrame:
        how = settings.balance.model_copy(update={"per_class": per_class, "seed": seed})
        return planned.plan(table, FOLDER, COPIES, how)

    return make


@pytest.mark.parametrize("per_class", [1, 2, 7, 8, 9, PER_CLASS, 100])
def test_every_class_has_per_class_rows_for_any_number(per_class: int, plan: Callable, make_table: MakeTable) -> None:
    manifest = plan(make_table(**LESIONS), per_class)
    assert list(manifest.columns) == planned.COLUMNS
    counts = manifest.loc[manifest["balanced"], "dx"].value_counts()
    assert counts.to_dict() == dict.fromkeys(LESIONS, per_class)


def test_every_original_is_in_the_manifest_once_and_first(plan: Callable, make_table: MakeTable) -> None:
    table = make_table(**LESIONS)
    manifest = plan(table)
    originals = manifest[: len(table)]
    assert not originals["augmented"].any()
    assert manifest[len(table) :]["augmented"].all()
    pd.testing.assert_frame_equal(originals[["image_id", "group", "dx"]], table)
    assert list(originals["path"]) == [f"merged/images/{name}.png" for name in table["image_id"]]
    assert (originals["operations"] == "").all()


def test_copies_name_their_original_class_and_recipe(plan: Callable, make_table: MakeTable) -> None:
    table = make_table(**LESIONS).set_index("image_id")
    manifest = plan(table.reset_index())
    copies = manifest[manifest["augmented"]]
    assert manifest["path"].is_unique
    assert copies["balanced"].all()
    assert (copies["operations"] != "").all()
    for row in copies.itertuples():
        assert (row.group, row.dx) == tuple(table.loc[row.image_id])
        assert re.fullmatch(rf"balanced/images/{row.dx}/{row.image_id}_\d{{3}}\.png", row.path)
    assert copies["operations"].nunique() == len(copies), "two copies of one original differ"


def test_originals_are_copied_evenly(plan: Callable, make_table: MakeTable) -> None:
    manifest = plan(make_table(**LESIONS))
    for code, rows in manifest.groupby("dx"):
        copies = rows.groupby("image_id")["augmented"].sum()
        if len(copies) >= PER_CLASS:
            assert copies.sum() == 0, code
        else:
            assert copies.max() - copies.min() <= 1, code
            assert rows["balanced"].all(), code


def test_the_natural_set_has_no_copies_and_every_row(plan: Callable, make_table: MakeTable) -> None:
    table = make_table(**LESIONS)
    manifest = plan(table, None)
    assert len(manifest) == len(table)
    assert manifest["balanced"].all()
    assert not manifest["augmented"].any()


def test_the_seed_decides(plan: Callable, make_table: MakeTable) -> None:
    table = make_table(**LESIONS)
    pd.testing.assert_frame_equal(plan(table), plan(table))
    first, other = (plan(table, seed=seed).set_index("path") for seed in (17, 18))
    chosen = [set(manifest.index[manifest["balanced"] & (manifest["dx"] == "nv")]) for manifest in (first, other)]
    assert chosen[0] != chosen[1]
    both = first.index.intersection(other.index[other["augmented"]])
    assert (first.loc[both, "operations"] != other.loc[both, "operations"]).all()


def test_the_order_of_the_table_does_not_matter(plan: Callable, make_table: MakeTable) -> None:
    table = make_table(**LESIONS)
    shuffled = plan(table.sample(frac=1, random_state=0).reset_index(drop=True))
    in_order = [manifest.sort_values("path", ignore_index=True) for manifest in (plan(table), shuffled)]
    pd.testing.assert_frame_equal(*in_order)


@pytest.mark.parametrize("code", LESIONS)
def test_a_new_original_changes_its_own_class_and_little_of_that(
    code: str, plan: Callable, make_table: MakeTable
) -> None:
    table = make_table(**LESIONS)
    added = pd.DataFrame([{"image_id": "new", "group": "HAM_new", "dx": code}])
    before = plan(table)
    after = plan(pd.concat([table, added], ignore_index=True))
    others = [manifest[manifest["dx"] != code].reset_index(drop=True) for manifest in (before, after)]
    pd.testing.assert_frame_equal(*others)
    own = [manifest[(manifest["dx"] == code) & (manifest["image_id"] != "new")] for manifest in (before, after)]
    old, new = (rows.set_index("path") for rows in own)
    share = -(-PER_CLASS // (table["dx"] == code).sum())  # rows per original, at most
    assert set(new.index) <= set(old.index)
    assert len(old) - len(new) <= share, "no more copies go than the new original takes"
    kept = old.loc[new.index]
    assert (kept["operations"] == new["operations"]).all()
    assert (kept["balanced"] != new["balanced"]).sum() <= 1


def test_more_per_class_keeps_what_was_chosen_and_copied(plan: Callable, make_table: MakeTable) -> None:
    table = make_table(**LESIONS)
    fewer, more = (plan(table, number).set_index("path") for number in (31, 40))
    assert set(fewer.index) <= set(more.index)
    assert (fewer["operations"] == more.loc[fewer.index, "operations"]).all()
    assert more.loc[fewer.index[fewer["balanced"]], "balanced"].all()


@pytest.mark.chain
def test_the_stage_writes_the_copies_that_its_recipes_make(project: Callable) -> None:
    merge_stage.main()
    planned = stage.main()
    manifest = pd.read_csv(paths.MANIFEST, keep_default_na=False)
    pd.testing.assert_frame_equal(manifest, planned.astype(manifest.dtypes))
    copies = manifest[manifest["augmented"]]
    assert len(copies) == 7 * 2  # 5 images of each class, 7 per class
    written = sorted(path.as_posix() for path in paths.BALANCED.rglob("*.png"))
    assert written == sorted(copies["path"])
    for row in copies.itertuples():
        original = images.read(paths.MERGED_IMAGES / f"{row.image_id}.png")
        np.testing.assert_array_equal(images.read(Path(row.path)), augment.apply(row.operations, original))
    assert all(Path(path).is_file() for path in manifest["path"])


@pytest.mark.chain
def test_two_runs_of_the_stage_are_equal_to_the_byte(project: Callable, tree: Callable) -> None:
    merge_stage.main()
    stage.main()
    before = tree(paths.BALANCED)
    stage.main()
    assert tree(paths.BALANCED) == before
    project({"seed": 18})  # of the initial weights
    stage.main()
    assert tree(paths.BALANCED) == before
    project({"balance.seed": 18})
    stage.main()
    assert tree(paths.BALANCED) != before


@pytest.mark.chain
def test_ids_of_digits_keep_their_zeros(project: Callable) -> None:
    """`0003`, as in data of one's own, is no number."""
    for file in paths.RAW.glob("*/*.jpg"):
        file.rename(file.with_name(file.name.removeprefix("ISIC_")))
    text = paths.RAW_METADATA.read_text().replace("ISIC_", "")
    paths.RAW_METADATA.write_text(text)
    merge_stage.main()
    stage.main()
    manifest = pd.read_csv(paths.MANIFEST, dtype=str)
    assert "0003" in set(manifest["image_id"])
    assert all(Path(path).is_file() for path in manifest["path"])


def test_a_balance_without_copies_can_be_made(project: Callable) -> None:
    project({"balance.per_class": 1})
    merge_stage.main()
    manifest = stage.main()
    assert manifest[["augmented", "balanced"]].dtypes.tolist() == [bool, bool]
    assert not manifest["augmented"].any()
