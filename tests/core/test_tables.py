"""Tables between stages: what is written is read back, also ids that look like something else."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from skinlesion.core import tables
from skinlesion.merge.groups import read_pairs

IDS = ["NA", "None", "nan", "null", "007", "1e5", "inf"]


def test_ids_that_look_like_numbers_or_blanks_stay_and_a_blank_is_missing(tmp_path: Path) -> None:
    lesions, sites = [*IDS[:-1], None], ["NA", None, *["back"] * 5]
    columns = {"image_id": IDS, "lesion_id": lesions, "localization": sites, "sex": [None, *"101010"]}
    table = pd.DataFrame({**columns, "age": [np.nan, *range(40, 46)]})
    tables.write(tmp_path / "table.csv", table)
    read = tables.read(tmp_path / "table.csv")
    pd.testing.assert_frame_equal(read.fillna("blank"), table.fillna("blank"))
    assert read["age"].dtype == float


@pytest.mark.parametrize("image_id", IDS)
def test_ids_of_known_duplicates_stay_too(image_id: str, tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_text(f"image_id_1,image_id_2\n{image_id},b\n")
    assert read_pairs(tmp_path / "pairs.csv") == [(image_id, "b")]
