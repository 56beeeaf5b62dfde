"""The sheet of copies: each beside its own original, as many as fit, the most copied originals first."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from skinlesion.balance import augment, copies
from skinlesion.core import images
from skinlesion.runtime import paths
from skinlesion.sheets import sheet
from stages import balance as stage
from stages import merge as merge_stage


def manifest_of(**copied: tuple[str, int]) -> pd.DataFrame:
    """`manifest_of(a=("mel", 2))`: the original a of class mel, and two copies of it; originals first."""
    rows = [
        {
            "path": f"{name}_{number:03d}.png",
            "image_id": name,
            "dx": dx,
            "augmented": number > 0,
            "operations": "zoom=1",
        }
        for name, (dx, count) in copied.items()
        for number in range(count + 1)
    ]
    return pd.DataFrame(rows).sort_values("augmented", kind="stable", ignore_index=True)


def test_a_much_copied_original_fills_the_row() -> None:
    chosen = copies.choose(manifest_of(a=("df", 3), b=("df", 17), c=("df", 17)))
    assert list(chosen["path"]) == [f"b_{number:03d}.png" for number in range(6)]


def test_little_copied_originals_share_the_row_each_with_its_copies() -> None:
    chosen = copies.choose(manifest_of(a=("mel", 1), b=("mel", 1), c=("mel", 0), d=("mel", 2), e=("mel", 1)))
    assert list(chosen["image_id"]) == ["d", "d", "d", "a", "a"], "an original alone would show nothing"
    assert list(chosen["augmented"]) == [False, True, True, False, True]


def test_classes_stand_in_order_and_those_without_copies_are_left_out() -> None:
    chosen = copies.choose(manifest_of(a=("vasc", 1), b=("nv", 0), c=("bcc", 1)))
    assert list(chosen["dx"].unique()) == ["bcc", "vasc"]


def test_the_order_of_the_manifest_does_not_matter() -> None:
    manifest = manifest_of(a=("mel", 1), b=("mel", 3), c=("df", 2), d=("df", 2))
    shuffled = manifest.sample(frac=1, random_state=0)
    pd.testing.assert_frame_equal(copies.choose(manifest), copies.choose(shuffled))


def test_without_copies_there_are_no_rows() -> None:
    assert copies.rows(copies.choose(manifest_of(a=("mel", 0)))) == []


@pytest.mark.chain
def test_the_stage_draws_the_copies_beside_their_originals(
    project: Callable, monkeypatch: pytest.MonkeyPatch, tree: Callable
) -> None:
    drawn = {}
    write = sheet.write

    def spy(rows: list[sheet.Row], path: Path, title: str, note: str) -> None:
        drawn.update(rows=rows, title=title, note=note)
        write(rows, path, title, note)

    monkeypatch.setattr(sheet, "write", spy)
    merge_stage.main()
    manifest = stage.main()
    assert sorted(tree(paths.BALANCE_PLOTS)) == ["copies.png"]
    assert images.read(paths.BALANCE_PLOTS / "copies.png").shape[1] == 1200
    assert drawn["title"].endswith("Synthetic sample, drawn by code: not HAM10000")
    assert [row.name for row in drawn["rows"]] == sorted(manifest["dx"].unique())
    for row in drawn["rows"]:
        for picture in row.pictures:
            if picture.frame:
                original = picture.image
                assert picture.caption.startswith("original ISIC_")
            else:
                np.testing.assert_array_equal(picture.image, augment.apply(picture.caption, original))

    before = tree(paths.BALANCE_PLOTS)
    stage.main()
    assert tree(paths.BALANCE_PLOTS) == before, "the same bytes again"


def test_the_natural_set_has_a_sheet_that_says_so(project: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    written = []
    monkeypatch.setattr(sheet, "write", lambda rows, path, title, note: written.append((rows, note)))
    project({"balance.per_class": None})
    merge_stage.main()
    stage.main()
    assert written == [([], copies.NONE)]
