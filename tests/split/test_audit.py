"""Near-identical originals of different groups are listed, counted by their splits, and warned of."""

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from skinlesion.core import images, tables
from skinlesion.runtime import paths
from skinlesion.split import audit
from stages import balance, merge, split


def test_pairs_are_counted_by_their_splits() -> None:
    rows = [("train", "test"), ("test", "train"), ("validation", "test"), ("test", "test"), ("unused", "test")]
    pairs = pd.DataFrame(rows, columns=["split_1", "split_2"])
    assert audit.count(pairs) == {"pairs": 5, "train_validation": 0, "train_test": 2, "validation_test": 1}
    assert set(audit.count(pairs[:0]).values()) == {0}


@pytest.mark.chain
@pytest.mark.parametrize("protocol", ["lesion", "image"])
def test_an_image_under_two_ids_is_listed_counted_and_warned_of(
    protocol: str, project: Callable, capsys: pytest.CaptureFixture
) -> None:
    fractions = dict.fromkeys(("split.train", "split.validation", "split.test"), 1 / 3)
    project({"split.protocol": protocol, **fractions})
    merge.main()
    balance.main()
    assert split.main()["near_duplicates"] == dict.fromkeys(
        ("pairs", "train_validation", "train_test", "validation_test"), 0
    )
    assert "warning" not in capsys.readouterr().out

    table = tables.read(paths.SPLITS)
    originals = table[~table["augmented"]]
    first = originals[originals["split"] == "train"].iloc[0]
    others = originals[(originals["split"] == "test") & (originals["group"] != first["group"])]
    second = others.iloc[0]
    view = originals[originals["group"].duplicated(keep=False)].groupby("group")["path"].agg(list).iloc[0]
    for two in ((first["path"], second["path"]), view):  # two images of one lesion are no finding
        source, target = (next(paths.RAW.glob(f"*/{Path(path).stem}.jpg")) for path in two)
        Image.fromarray(images.read(source)[:, ::-1]).save(target, quality=95)
    merge.main()
    metrics = split.main()
    pairs = tables.read(paths.NEAR_DUPLICATES)
    assert list(pairs.columns) == audit.COLUMNS
    planted = {(first["image_id"], "train"), (second["image_id"], "test")}
    listed = [{(row.image_id_1, row.split_1), (row.image_id_2, row.split_2)} for row in pairs.itertuples()]
    assert planted in listed
    assert (pairs["group_1"] != pairs["group_2"]).all()
    assert metrics["near_duplicates"]["train_test"] >= 1
    assert json.loads(paths.SPLIT_METRICS.read_text())["near_duplicates"] == metrics["near_duplicates"]
    printed = capsys.readouterr().out
    assert ("warning" in printed and "data.duplicates" in printed) == (protocol == "lesion")
