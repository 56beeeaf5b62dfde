"""The tables count every image once, unknown values too; the sheet shows each class that there is."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from skinlesion.core import images
from skinlesion.core.ham10000 import CODES
from skinlesion.explore import counts
from skinlesion.runtime import paths
from skinlesion.sheets import sheet
from stages import explore as stage
from stages import merge as merge_stage


def metadata_of(rows: list[tuple[str, float, str, str]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["dx", "age", "sex", "localization"])


HAND_MADE = metadata_of(
    [
        ("nv", 0, "male", "back"),
        ("nv", 19, "male", "back"),
        ("nv", 20, "female", "face"),
        ("nv", np.nan, "unknown", "unknown"),
        ("mel", 79.5, "male", "back"),
        ("mel", 80, "male", "back"),
        ("mel", 85, "female", "back"),
        ("mel", np.nan, "female", "unknown"),
    ]
)


def text(table: pd.DataFrame) -> str:
    return ", ".join(" ".join(map(str, row)) for row in table.itertuples(index=False))


def test_counts_are_those_counted_by_hand() -> None:
    counted = counts.tables(HAND_MADE)
    assert text(counted["class_counts"]) == "akiec 0, bcc 0, bkl 0, df 0, mel 4, nv 4, vasc 0"
    assert text(counted["age"]) == "mel 70-79 1, mel 80+ 2, mel unknown 1, nv 0-19 2, nv 20-29 1, nv unknown 1"
    assert text(counted["sex"]) == "mel female 2, mel male 2, nv female 1, nv male 2, nv unknown 1"
    assert text(counted["localization"]) == "mel back 3, mel unknown 1, nv back 2, nv face 1, nv unknown 1"


def test_every_image_is_counted_once_where_values_are_blank_too(
    project: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sheet, "write", lambda *_: None)
    table = pd.read_csv(paths.RAW_METADATA, dtype=str, keep_default_na=False)
    table.loc[3, ["age", "sex", "localization"]] = ""
    table.to_csv(paths.RAW_METADATA, index=False)
    merge_stage.main()
    stage.main()
    for name in ("class_counts", "age", "sex", "localization"):
        counted = pd.read_csv(paths.EXPLORE_PLOTS / f"{name}.csv")
        assert counted.groupby("dx")["images"].sum().to_dict() == dict.fromkeys(CODES, 5), name


def test_a_sheet_row_shows_different_lesions_spread_over_the_class(tmp_path: Path, noise: Callable) -> None:
    """20 lesions of two images each: eight pictures of eight lesions, from the first to the last."""
    names = [f"i{number:02d}" for number in range(40)]
    for number, name in enumerate(names):
        images.write_png(tmp_path / f"{name}.png", noise(number, 8, 8))
    table = pd.DataFrame({"image_id": names, "group": [f"g{number // 2}" for number in range(40)], "dx": "mel"})
    (row,) = counts.rows_of_images(table, tmp_path)
    assert row.name == "mel\n20 lesions"
    shown = [next(i for i in range(40) if (noise(i, 8, 8) == picture.image).all()) for picture in row.pictures]
    assert len(shown) == counts.SHOWN
    assert len({number // 2 for number in shown}) == counts.SHOWN
    assert shown[0] == 0
    assert shown[-1] == 38
    assert np.diff(shown).min() >= 4


def test_the_sheet_says_what_it_shows(project: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    titles = []
    monkeypatch.setattr(sheet, "write", lambda rows, path, title: titles.append(title))
    merge_stage.main()
    for source in ("sample", "kaggle"):
        project({"data.source": source})
        stage.main()
    assert "not HAM10000" in titles[0]
    assert "HAM10000 (kaggle)" in titles[1]
