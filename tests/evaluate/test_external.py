"""The external set joins the tables as a split of its own, less what training has seen."""

import pandas as pd

from skinlesion.core import tables
from skinlesion.evaluate import external
from skinlesion.runtime import paths


def test_near_copies_of_training_images_are_left_out_and_counted(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    splits = pd.DataFrame(
        {
            "image_id": ["I_1", "I_2", "I_3", "I_4", "I_4", "I_2"],
            "split": ["train", "test", "validation", "test", "train", "unused"],
            "augmented": [False, False, False, False, True, True],
        }
    )
    ids = ["E_1", "E_2", "E_3", "E_4", "E_5"]
    tables.write(paths.EXTERNAL_METADATA, pd.DataFrame({"image_id": ids, "group": ids, "dx": "nv", "age": 45.0}))
    pairs = [("E_1", "I_1"), ("E_2", "I_2"), ("E_3", "I_3"), ("E_3", "I_1"), ("E_5", "I_4")]
    tables.write(paths.EXTERNAL_PAIRS, pd.DataFrame(pairs, columns=["image_id_1", "image_id_2"]).assign(distance=0.1))
    rows, metadata, near_copies = external.read(splits)
    assert list(rows["image_id"]) == list(metadata["image_id"]) == ["E_2", "E_4"]
    assert near_copies == {"train": 3, "validation": 1, "test": 2, "unused": 0}
    assert list(rows["path"]) == ["data/external/images/E_2.png", "data/external/images/E_4.png"]
    assert set(rows["split"]) == {"external"}
